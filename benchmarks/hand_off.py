"""Time and memory of release, check, exports and reading, on made rows: python benchmarks/hand_off.py ROWS.

Then a killed and resumed epoch, side by side with `datasets` and its shuffle buffer. Exits with 1 if the reader is
slower than 200,000 rows per CPU second, or loses or repeats a row.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import polars as pl

from schemas.records import PROMPT_SET
from warehouse.exports import check, export
from warehouse.reading import Reader, Weight
from warehouse.release.info import ReleaseInfo
from warehouse.release.verify import verify_release
from warehouse.release.write import write_release

_LEAST = 200_000
"""Rows that one CPU must read in a second."""


def prompt_set(rows: int) -> pl.LazyFrame:
    """Return made rows of a prompt set, about 1 kB each, in no order."""
    number = pl.int_range(rows, dtype=pl.Int64)
    shuffled = (number * 7919 + 13) % rows if rows % 7919 else number
    digits = pl.col("at").cast(pl.String).str.zfill(24)
    words = [pl.col("at").hash(seed).cast(pl.String) for seed in range(12)]
    text = pl.concat_str([pl.lit("Given n integers, print their sum modulo"), *words], separator=" and then ")
    made = {
        "problem_id": pl.lit("p_") + digits,
        "row_id": pl.lit("s_") + digits,
        "prompt": pl.concat_list(pl.struct(role=pl.lit("user"), content=text)),
        "verifier": pl.lit('{"compare":"tokens","kind":"stdio"}'),
        "tests": pl.lit('[{"input":"1","output":"2"}]'),
        "reference_solutions": pl.concat_list(
            pl.concat_str(pl.lit("print("), "at", pl.lit(")  # "), pl.lit("x" * 400))
        ),
        "wrong_solutions": pl.concat_list(pl.lit("print(0)")),
        "source": pl.lit("made"),
        "source_id": pl.col("at").cast(pl.String),
        "license": pl.lit("Apache-2.0"),
        "ability": pl.lit("code"),
        "language": pl.lit("python"),
        "meta": pl.lit("{}"),
        "curriculum": pl.lit("plain"),
        "phase": pl.lit("train"),
        "order_index": pl.col("at"),
        "dup_index": pl.lit(0),
        "n": pl.lit(8),
        "c": pl.col("at") % 9,
        "n_tests": pl.lit(1),
    }
    schema = pl.Schema(PROMPT_SET.arrow)
    empty = {"difficulty", "tags", "flags"}
    columns = [
        made.get(name, pl.lit([] if name in empty else None)).cast(of).alias(name) for name, of in schema.items()
    ]
    return pl.LazyFrame().select(at=shuffled).select(columns)


@contextmanager
def told(what: str, rows: int, least: float = 0) -> Iterator[None]:
    """Print how long the block took, per CPU and by the clock, and the peak of memory so far.

    Raises
    ------
    SystemExit
        If it took more CPU time than ``least`` rows per second allow.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"| {what} | {wall:.1f} | {cpu:.1f} | {rows / cpu:,.0f} | {peak:,} |", flush=True)
    if rows / cpu < least:
        sys.exit(f"{what}: {rows / cpu:,.0f} rows per CPU second, fewer than {least:,}")


def interrupted(rows: int, stop: int, before: Iterable[int], after: Iterable[int]) -> tuple[int, int]:
    """Return the rows lost and the rows repeated, over what came before a stop and after it."""
    seen = Counter(islice(before, stop))
    seen.update(after)
    return rows - len(seen), seen.total() - len(seen)


def side_by_side(folder: Path, rows: int, cache: Path) -> None:
    """Print what is lost and repeated when an epoch is stopped a third of the way and resumed from its own state."""
    import datasets

    stop = rows // 3
    reader = Reader(folder, order="shuffled", columns=["order_index"], seed=7)
    resumed = reader.resumed(reader.state(stop))
    ours = interrupted(rows, stop, *map(_indexes, (reader, resumed)))
    stream = datasets.load_dataset(str(folder), split="train", streaming=True, cache_dir=str(cache))
    stream = stream.select_columns("order_index").shuffle(seed=7, buffer_size=1000)
    begun = iter(stream)
    before = [next(begun)["order_index"] for _ in range(stop)]
    stream.load_state_dict(stream.state_dict())
    theirs = interrupted(rows, stop, before, _indexes(stream))
    print(f"\nstopped after {stop:,} of {rows:,} rows and resumed from its own state\n")
    print("| reader | lost | repeated |\n|---|---|---|")
    print(f'| Sluice, `order="shuffled"` | {ours[0]:,} | {ours[1]:,} |')
    print(f"| datasets {datasets.__version__}, `shuffle(buffer_size=1000)` | {theirs[0]:,} | {theirs[1]:,} |")
    if ours != (0, 0):
        sys.exit("the reader lost or repeated rows")


def _indexes(rows: Iterable[dict[str, int]]) -> Iterator[int]:
    return (row["order_index"] for row in rows)


def main(rows: int) -> None:
    """Release, check, export and read ``rows`` rows."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        prompt_set(rows).sink_parquet(root / "rows.parquet")
        print(f"{rows:,} rows, {(root / 'rows.parquet').stat().st_size >> 20} MiB\n")
        print("| step | s | CPU s | rows per CPU s | peak MiB |\n|---|---|---|---|---|")
        folder = root / "1.0.0"
        with told("release", rows):
            write_release(
                [root / "rows.parquet"],
                PROMPT_SET,
                ReleaseInfo("made", "1.0.0", datetime(2026, 1, 1, tzinfo=UTC)),
                folder,
            )
        with told("verify-release", rows):
            assert not verify_release(folder)
        for name in ("verl-rl", "openrlhf-sft"):
            with told(f"export {name}", rows):
                export(sorted(folder.rglob("*.parquet")), name, root / name)
        with told("check verl-rl", rows):
            assert not check(root / "verl-rl")
        reader = Reader(folder, order="shuffled", columns=["row_id", "problem_id", "prompt"])
        hard = Weight("c", power=2.0)
        ways: tuple[tuple[str, Callable[[], int]], ...] = (
            ("published", lambda: _counted(replace(reader, order="published"))),
            ("shuffled", lambda: _counted(reader)),
            ("weighted", lambda: _counted(replace(reader, weight=hard))),
            ("prioritised", lambda: _counted(replace(reader, order="prioritised", weight=hard))),
            ("shuffled, Python rows", lambda: sum(1 for _ in reader)),
        )
        for name, read in ways:
            with told(f"read {name}", rows, _LEAST):
                assert rows == read()
        side_by_side(folder, rows, root / "cache")


def _counted(reader: Reader) -> int:
    return sum(table.num_rows for table in reader.batches(256))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
