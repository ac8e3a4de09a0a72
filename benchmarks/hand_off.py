"""Time and memory of release, check, exports and reading, on made rows: python benchmarks/hand_off.py ROWS."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from schemas.records import PROMPT_SET
from warehouse.exports import check, export
from warehouse.reading import Reader
from warehouse.release.info import ReleaseInfo
from warehouse.release.verify import verify_release
from warehouse.release.write import write_release


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
def told(what: str, rows: int) -> Iterator[None]:
    """Print how long the block took, per CPU and by the clock, and the peak of memory so far."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"| {what} | {wall:.1f} | {cpu:.1f} | {rows / cpu:,.0f} | {peak:,} |", flush=True)


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
        with told("read shuffled, Arrow batches", rows):
            assert rows == sum(table.num_rows for table in reader.batches(256))
        with told("read shuffled, Python rows", rows):
            assert rows == sum(1 for _ in reader)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
