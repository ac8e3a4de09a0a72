"""Containment in real and generated lakes, beside SQL; no row is printed whose edges are not exactly the truth.

    python benchmarks/containment.py lakes [FOLDER]     pcm_covid19 and fivethirtyeight
    python benchmarks/containment.py planted 3000       a generated lake, against brute force
    python benchmarks/containment.py growth 1000 10000 100000
    python benchmarks/containment.py pair               5 in 10 million rows, beside DuckDB and polars
    python benchmarks/containment.py sql                1,000 tables of one schema, beside pairwise EXCEPT

FOLDER holds the real inputs (default: SLUICE_DATA, or ../shared/data). Each figure is CPU seconds of a process of its
own, imports left out, with the threads that its environment allows. The exit code is 1 if a result is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from dedup.lake.contain import Containment, contain
from dedup.lake.survey import survey
from schemas.recipe.lake import Lake
from warehouse.stages import Services, Workspace

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lakebench import lake as planted_lake

REAL = {"pcm_covid19": (1788, 5.0), "fivethirtyeight": (4, 6.0)}
"""Edges under the policy text, proved by comparing all pairs of tables; CPU seconds to stay below."""
PLANTED, PLANTED_MOST, ROWS = 3000, 5.0, 700
PAIR_COLD, PAIR_WARM = 4.0, 0.4
SAME_SCHEMA, SQL_SAMPLE, SQL_RATIO = 1000, 400, 300.0
Edges = set[tuple[str, str]]


def found_in(folder: Path, house: Path, **settings: object) -> tuple[Containment, float]:
    """Return what is contained in what, and the CPU seconds that finding it took."""
    config, services = Lake(path=str(folder), **settings), Services(Workspace(house))
    began = time.process_time()
    found = contain(survey(config, services), config, services)
    return found, time.process_time() - began


def edges_of(found: Containment) -> Edges:
    """Return the edges as pairs of names."""
    return set(found.edges.select("child", "parent").iter_rows())


def brute_force(tables: dict[str, pl.DataFrame]) -> Edges:
    """Return the edges under the policy lossless, from sets of rows as tuples."""
    sets: dict[tuple[str, tuple[str, ...]], frozenset[tuple[object, ...]]] = {}

    def rows(name: str, columns: tuple[str, ...]) -> frozenset[tuple[object, ...]]:
        if (name, columns) not in sets:
            sets[name, columns] = frozenset(tables[name].select(columns).rows())
        return sets[name, columns]

    kinds = {name: {column: kind(of) for column, of in frame.schema.items()} for name, frame in tables.items()}
    by_column: dict[str, set[str]] = defaultdict(set)
    for name, frame in tables.items():
        for column in frame.columns:
            by_column[column].add(name)
    edges = set()
    for child, frame in tables.items():
        columns = tuple(sorted(frame.columns))
        for parent in set.intersection(*(by_column[column] for column in columns)) - {child}:
            if all(kinds[child][c] == kinds[parent][c] for c in columns) and rows(child, columns) <= rows(
                parent, columns
            ):
                edges.add((child, parent))
    return edges


def kind(of: pl.DataType) -> str:
    """Return which types hold the same values."""
    return "number" if of.is_numeric() else str(of)


def real_lake(name: str, folder: Path) -> dict[str, object]:
    """Measure one real lake."""
    expected, most = REAL[name]
    with tempfile.TemporaryDirectory() as place:
        with tarfile.open(folder / "lake" / f"{name}.tar.gz") as archive:
            archive.extractall(Path(place) / "lake", filter="data")
        found, cold = found_in(Path(place) / "lake", Path(place) / "house", policy="text", **LEAN)
        again, warm = found_in(Path(place) / "lake", Path(place) / "house", policy="text", **LEAN)
    right = expected == found.edges.height and found.edges.equals(again.edges)
    told = {"files": found.tables.height + found.rejections.height, "rejected": found.rejections.height}
    pairs = int(found.ledger["edges_out"][0])
    return {
        "right": right,
        **told,
        "pairs": pairs,
        "edges": found.edges.height,
        "cold": cold,
        "warm": warm,
        "most": most,
    }


LEAN: dict[str, object] = {"near": None, "suggest_columns": False}
"""Containment alone: near-containment and suggestions are further questions."""


def planted(count: int, *, check: bool) -> dict[str, object]:
    """Measure a generated lake."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "lake"
        planted_lake(folder, count, ROWS if check else 30, seed=2)
        found, cold = found_in(folder, Path(place) / "house", **LEAN)
        again, warm = found_in(folder, Path(place) / "house", **LEAN)
        right = found.edges.equals(again.edges)
        if check:
            tables = {
                str(path.relative_to(folder)): pl.read_parquet(path) for path in sorted(folder.rglob("*.parquet"))
            }
            right = right and edges_of(found) == brute_force(tables)
    pairs = int(found.ledger["edges_out"][0])
    return {"right": right, "files": count, "pairs": pairs, "edges": found.edges.height, "cold": cold, "warm": warm}


def pair() -> dict[str, object]:
    """Measure 5 million rows in 10 million, and the same with one value altered, beside SQL and an anti join."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "lake"
        folder.mkdir()
        large, small = folder / "large.parquet", folder / "small.parquet"
        whole = wide_table(10_000_000)
        whole.write_parquet(large, row_group_size=500_000)
        half = whole.filter(pl.Series(np.random.default_rng(1).permutation(whole.height) < whole.height // 2))
        half.write_parquet(small, row_group_size=500_000)
        altered = half.with_columns(score=half["score"].scatter(7, half["score"][7] + 1e-9))
        del whole, half
        found, cold = found_in(folder, Path(place) / "house", **LEAN)
        again, warm = found_in(folder, Path(place) / "house", **LEAN)
        altered.write_parquet(folder / "altered.parquet", row_group_size=500_000)
        del altered
        with_altered, added = found_in(folder, Path(place) / "house", **LEAN)
        truth = {("small.parquet", "large.parquet")}
        right = [truth] * 3 == [edges_of(one) for one in (found, again, with_altered)]
        peers = {name: timed(peer, small, large) for name, peer in PEERS.items()}
    right = right and all(left == 0 for left, _ in peers.values())
    return {"right": right, "cold": cold, "warm": warm, "added": added, **{n: s for n, (_, s) in peers.items()}}


def wide_table(rows: int) -> pl.DataFrame:
    """Return a table of eight columns of mixed types, about 70 bytes a row."""
    draw = np.random.default_rng(3)
    places = np.array([f"{a}{b}-{c}" for a in ("north", "south") for b in ("shop", "depot") for c in range(500)])
    return pl.DataFrame(
        {
            "id": np.arange(rows),
            "customer": draw.integers(0, 2_000_000, rows),
            "amount": np.round(draw.gamma(2, 50, rows), 2),
            "score": draw.random(rows),
            "day": draw.integers(18_000, 20_000, rows).astype("datetime64[D]"),
            "flag": draw.random(rows) < 0.3,  # noqa: PLR2004 - three in ten
            "place": places[draw.integers(0, len(places), rows)],
            "note": pl.Series(draw.integers(0, 1 << 60, rows)).cast(pl.String),
        }
    )


def except_(small: Path, large: Path) -> int:
    """Return the rows that DuckDB's EXCEPT leaves."""
    query = f"SELECT count(*) FROM (SELECT * FROM '{small}' EXCEPT SELECT * FROM '{large}')"
    return duckdb.sql(query).fetchall()[0][0]


def anti_join(small: Path, large: Path) -> int:
    """Return the rows that polars' null-safe anti join leaves."""
    left, right = pl.scan_parquet(small), pl.scan_parquet(large)
    names = left.collect_schema().names()
    left_over = left.join(right, on=names, how="anti", nulls_equal=True)
    return left_over.select(pl.len()).collect(engine="streaming").item()


PEERS: dict[str, Callable[[Path, Path], int]] = {"EXCEPT": except_, "anti join": anti_join}


def timed(peer: Callable[[Path, Path], int], small: Path, large: Path) -> tuple[int, float]:
    """Return a peer's answer and its CPU seconds."""
    began = time.process_time()
    return peer(small, large), time.process_time() - began


def same_schema() -> dict[str, object]:
    """Measure 1,000 tables of one schema beside EXCEPT on a sample of their pairs, extrapolated to all of them."""
    draw = np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "lake"
        folder.mkdir()
        whole = wide_table(20_000)
        for number in range(SAME_SCHEMA):
            rows = draw.choice(whole.height, int(draw.integers(500, 2000)), replace=False)
            part = whole[rows] if number % 10 else whole[: 200 * (number // 10 + 1)]
            part.write_parquet(folder / f"t{number:04d}.parquet")
        found, cold = found_in(folder, Path(place) / "house", **LEAN)
        tables = {path.name: set(pl.read_parquet(path)["id"]) for path in sorted(folder.glob("*.parquet"))}
        truth = {(a, b) for a, ours in tables.items() for b, theirs in tables.items() if a != b and ours <= theirs}
        names = sorted(tables)
        began = time.process_time()
        for _ in range(SQL_SAMPLE):
            a, b = draw.choice(names, 2, replace=False)
            if (except_(folder / a, folder / b) == 0) != ((a, b) in truth):
                return {"right": False}
        sql = (time.process_time() - began) / SQL_SAMPLE * SAME_SCHEMA * (SAME_SCHEMA - 1)
    right = truth == edges_of(found)
    return {"right": right, "edges": len(truth), "cold": cold, "sql": sql, "ratio": sql / cold}


def alone(*arguments: str) -> dict[str, object]:
    """Run one measurement in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "one", *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(title: str, rows: list[dict[str, object]]) -> int:
    """Print measured rows; return the exit code."""
    if wrong := [row for row in rows if not row.pop("right")]:
        print(f"{title}: {len(wrong)} results are not the truth; no figure is printed", file=sys.stderr)
        return 1
    printed = Table(title=title)
    for column in rows[0]:
        printed.add_column(column, justify="right")
    for row in rows:
        printed.add_row(
            *[
                f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
                for value in row.values()
            ]
        )
    Console(width=130).print(printed)
    return 0


def target(row: dict[str, object], figure: str, most: float) -> dict[str, object]:
    """Add how a figure stands to what it should be at most."""
    spent = float(row[figure])  # type: ignore[arg-type] - a figure
    return {**row, f"{figure} at most": most, "": "reached" if spent <= most else f"missed by {spent - most:.2f}"}


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    default = Path(os.environ.get("SLUICE_DATA", "../shared/data"))
    commands.add_parser("lakes").add_argument("folder", type=Path, nargs="?", default=default)
    commands.add_parser("planted").add_argument("count", type=int, nargs="?", default=PLANTED)
    commands.add_parser("growth").add_argument("counts", type=int, nargs="+")
    commands.add_parser("pair")
    commands.add_parser("sql")
    commands.add_parser("one").add_argument("what", nargs="+")
    given = parser.parse_args()
    if given.command == "lakes":
        rows = [{"lake": name, **alone("lake", name, str(given.folder))} for name in REAL]
        return table("real lakes, policy text, CPU seconds", [target(row, "cold", row.pop("most")) for row in rows])
    if given.command == "planted":
        return table("planted lake, CPU seconds", [target(alone("planted", str(given.count)), "cold", PLANTED_MOST)])
    if given.command == "growth":
        return table("many small tables, CPU seconds", [alone("growth", str(count)) for count in given.counts])
    if given.command == "pair":
        row = target(alone("pair"), "cold", PAIR_COLD)
        return table(f"5 in 10 million rows x 8, CPU seconds (warm at most {PAIR_WARM})", [row])
    if given.command == "sql":
        row = alone("sql")
        row["at least"] = SQL_RATIO
        return table(f"{SAME_SCHEMA:,} tables of one schema, CPU seconds; sql from {SQL_SAMPLE} of the pairs", [row])
    return one(given.what)


def one(what: list[str]) -> int:
    """Make one measurement and print it as JSON."""
    if what[0] == "lake":
        print(json.dumps(real_lake(what[1], Path(what[2]))))
    if what[0] == "planted":
        print(json.dumps(planted(int(what[1]), check=True)))
    if what[0] == "growth":
        print(json.dumps(planted(int(what[1]), check=False)))
    if what[0] == "pair":
        print(json.dumps(pair()))
    if what[0] == "sql":
        print(json.dumps(same_schema()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
