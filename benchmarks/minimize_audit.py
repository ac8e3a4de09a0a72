"""What an audit of minimized data costs as rows grow, and whether its attackers are as strong as they should be.

    python benchmarks/minimize_audit.py rows 100000 1000000 10000000
    python benchmarks/minimize_audit.py attackers [FOLDER]

``rows`` counts everything that the SQL script tells of rows drawn from Adult: 12 columns, 8 personal, stored in four
buckets each. ``attackers`` attacks Uniform(4) of Adult by counting and by training. FOLDER holds the real inputs
(default: SLUICE_DATA, or ../shared/data). The exit code is 1 if a million rows take 10 CPU-seconds, ten times the rows
take twenty times as long, or the trained attacker is right in less than 88 % of all cases.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from privacy.minimize.audit.counting import Layout, count
from privacy.minimize.evaluate.adversary import Records, reconstruct

PERSONAL = (
    "workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country",
)  # fmt: skip
BUCKETS = 4
TRAIN, TEST = 27_133, 13_567
MILLION = 1_000_000
LIMIT = 10
STEEPEST = 20
STRONG = 0.88
MEMORY = "2GB"


def adult(folder: Path) -> pl.DataFrame:
    """Return the attributes of Adult."""
    return pl.read_csv(folder / "tabular" / "adult.csv.gz").drop("y")


def uniform(frame: pl.DataFrame, seed: int = 1) -> pl.DataFrame:
    """Return the release Uniform(4): equal-width bins of numbers, random groups of categories."""
    draw, released = np.random.default_rng(seed), {}
    for column in frame:
        if column.dtype.is_numeric():
            low, high = column.min(), column.max()
            number = ((column - low) / (high - low) * BUCKETS).floor().clip(0, BUCKETS - 1).cast(pl.Int64)
        else:
            ranks = column.rank("dense").to_numpy() - 1
            number = pl.Series(draw.integers(0, BUCKETS, ranks.max() + 1)[ranks])
        released[column.name] = "b" + number.cast(pl.String)
    return pl.DataFrame(released)


def make(rows: int, folder: Path, path: Path) -> None:
    """Write ``rows`` rows with their release: people of Adult, every fourth value somebody else's."""
    frame = adult(folder)
    released = uniform(frame)
    draw = np.random.default_rng(3)
    for part, start in enumerate(range(0, rows, MILLION)):
        count_here = min(MILLION, rows - start)
        person = draw.integers(0, len(frame), count_here)
        columns = {}
        for name in frame.columns:
            other = np.where(draw.random(count_here) < 1 / 4, draw.integers(0, len(frame), count_here), person)
            columns[f"raw.{name}"], columns[f"out.{name}"] = frame[name][other], released[name][other]
        pl.DataFrame(columns | {"test": draw.random(count_here) < 1 / 3}).write_parquet(path / f"{part:04}.parquet")


def measure(path: Path) -> None:
    """Count one table and print its figures."""
    names = tuple(name.removeprefix("raw.") for name in _columns(path) if name.startswith("raw."))
    layout = Layout(names, names, PERSONAL, {name: [name] for name in names})
    spill = {"memory_limit": MEMORY, "temp_directory": str(path / "spill"), "preserve_insertion_order": False}
    began, clock = _cpu(), time.monotonic()
    with duckdb.connect(config=spill) as connection:
        found = count(connection, f"read_parquet('{path}/*.parquet')", layout)
    spent = _cpu() - began
    figures = dict(found.filter(pl.col("attribute").is_null()).select("measure", "part").iter_rows())
    print(
        f"{int(figures['records'])} {spent:.2f} {time.monotonic() - clock:.2f} "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} {int(figures['classes'])} "
        f"{int(figures['singletons'])}"
    )


def grow(counts: list[int], folder: Path) -> int:
    """Print the table of sizes; return the exit code."""
    table = Table(title=f"everything that one SQL script tells, 12 columns, 8 personal, {MEMORY} for DuckDB")
    for column in ("rows", "CPU-s", "s", "peak MiB", "groups", "of one record"):
        table.add_column(column, justify="right")
    spent = {}
    for rows in counts:
        with tempfile.TemporaryDirectory() as made:
            make(rows, folder, Path(made))
            command = [sys.executable, __file__, "one", made]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        spent[rows] = float(told[1])
        table.add_row(f"{rows:,}", told[1], told[2], f"{int(told[3]):,}", f"{int(told[4]):,}", f"{int(told[5]):,}")
    Console(width=100).print(table)
    slow = spent.get(MILLION, 0) >= LIMIT
    steep = any(spent[rows * 10] > STEEPEST * spent[rows] for rows in spent if rows * 10 in spent)
    return int(slow or steep)


def attackers(folder: Path) -> int:
    """Print how strong the attackers are on Uniform(4) of Adult; return the exit code."""
    frame = adult(folder)
    released = uniform(frame)
    order = np.random.default_rng(1).permutation(len(frame))[: TRAIN + TEST]
    known, truth = released[order], frame.select(PERSONAL)[order]
    train, test = (Records(known[part], truth[part]) for part in (slice(0, TRAIN), slice(TRAIN, None)))
    began = _cpu()
    counted = reconstruct(train, test, trained=False)
    counting = _cpu() - began
    outcomes = reconstruct(train, test)
    spent = _cpu() - began - counting
    table = Table(title=f"Uniform(4) of Adult, {TRAIN:,} records known, {TEST:,} attacked")
    for column in ("attribute", "majority", "table", "trained"):
        table.add_column(column, justify="left" if column == "attribute" else "right")
    rows = []
    for one in outcomes:
        rows.append([one.majority.accuracy, one.table.accuracy, one.trained.accuracy])
        table.add_row(one.attribute, *(f"{value:.4f}" for value in rows[-1]))
    mean = np.mean(rows, axis=0)
    table.add_row("mean", *(f"{value:.4f}" for value in mean), style="bold")
    Console(width=100).print(table)
    print(f"table {counting:.2f} CPU-s, table and trained {spent:.1f} CPU-s")
    return int(mean[2] < STRONG or [one.table.accuracy for one in counted] != [one.table.accuracy for one in outcomes])


def _columns(path: Path) -> list[str]:
    return pl.scan_parquet(path / "*.parquet").collect_schema().names()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    folder = Path(os.environ.get("SLUICE_DATA", "../shared/data"))
    commands.add_parser("rows").add_argument("counts", type=int, nargs="+")
    commands.add_parser("attackers").add_argument("folder", type=Path, nargs="?", default=folder)
    commands.add_parser("one").add_argument("path", type=Path)
    given = parser.parse_args()
    if given.command == "one":
        measure(given.path)
        return 0
    return grow(given.counts, folder) if given.command == "rows" else attackers(given.folder)


if __name__ == "__main__":
    sys.exit(main())
