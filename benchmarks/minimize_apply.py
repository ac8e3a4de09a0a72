"""Applying a minimization policy to 12 columns (4 intervals, 8 of names), in CPU seconds, engine by engine.

    python benchmarks/minimize_apply.py [ROWS]

The rows are made up. What is timed turns them into buckets in memory: in polars from memory, in DuckDB (to Arrow) from
a table in a file and from one in memory, in Spark from a Parquet file, in Python record by record. Every engine's
buckets are compared with the others', row by row. Nothing is printed but an error, and the exit code is 1, if they
differ; it is 1 as well if polars stays below 2.5 million rows per CPU second, or DuckDB with its file below 2 million.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date

import duckdb
import numpy as np
import polars as pl
import psutil
from rich.console import Console
from rich.table import Table

from privacy.minimize.compile import python_target, spark_target, sql_target
from privacy.minimize.compile.polars_target import minimize
from privacy.minimize.policy import Fitted, Policy
from privacy.minimize.rules import Categories, Interval, Rule
from warehouse.engines import SparkEngine

ROWS = 5_000_000
WANTED = {"polars": 2_500_000, "duckdb, file": 2_500_000}
SAMPLE = 20_000
"""Rows that pure Python is timed and compared on."""
_MEMORY = ":memory:"
NAMES = [f"{stem}-{number}" for stem in ("sales", "administration", "craft") for number in range(5)]


def policy() -> Policy:
    """Return a policy over 4 columns of numbers and 8 of names."""
    rules: dict[str, Rule] = {
        "age": Interval(type="int", borders=["27.5", "35.5", "50.5"]),
        "hours": Interval(type="int", borders=["34.5"]),
        "gain": Interval(type="float", borders=["0.5", "5119.25"]),
        "rate": Interval(type="float", borders=["-0.25", "0.25", "1.5"]),
    }
    for number in range(8):
        groups = {f"g{group}": NAMES[group : -1 - number : 3] for group in range(3)}
        rules[f"name{number}"] = Categories(
            type="str", buckets={name: group for name, group in groups.items() if group}
        )
    header = {"id": "benchmark", "created": date(2026, 1, 1), "purpose": "benchmark"}
    fit = Fitted(method="by_hand", sample_rows=0)
    return Policy(**header, columns=rules, passthrough={"row": "int"}, fit=fit)


def rows(count: int) -> pl.DataFrame:
    """Return made-up rows, 1 in 50 values missing."""
    draw = np.random.default_rng(1)
    names = pl.Series(NAMES)
    columns = {
        "age": pl.Series(draw.integers(17, 91, count)),
        "hours": pl.Series(draw.integers(1, 100, count)),
        "gain": pl.Series(draw.exponential(2_000, count)),
        "rate": pl.Series(draw.normal(size=count)),
    }
    columns |= {f"name{number}": names.gather(draw.integers(0, len(NAMES), count)) for number in range(8)}
    missing = pl.Series(draw.integers(0, 50, count)) == 0
    whole = pl.DataFrame(columns).with_columns(pl.when(~missing).then(pl.all()).otherwise(None).name.keep())
    return whole.with_columns(row=pl.int_range(count))


def timed(work: Callable[[], pl.DataFrame]) -> tuple[pl.DataFrame, float]:
    """Return what work gives and the CPU seconds that it takes, all threads together."""
    began = time.process_time()
    return work(), time.process_time() - began


def with_duckdb(asked: Policy, raw: pl.DataFrame, database: str) -> tuple[pl.DataFrame, float]:
    """Time the compiled query over a table of a database file, or over rows just put into memory, uncompressed."""
    with duckdb.connect() as connection:
        connection.register("arrow", raw.to_arrow())
        connection.execute(f"ATTACH '{database}' AS held")
        connection.execute("CREATE TABLE held.clients AS FROM arrow")
        if database != _MEMORY:
            connection.execute("CHECKPOINT held")
        query = sql_target.select(asked, "held.clients", sql_target.DUCKDB)
        began = time.process_time()
        minimized = connection.sql(query).to_arrow_table()
        seconds = time.process_time() - began
    return pl.DataFrame(minimized).sort("row"), seconds


def with_spark(asked: Policy, raw: pl.DataFrame, folder: str) -> tuple[pl.DataFrame, float]:
    """Time the compiled module over a Parquet file, which is read in that time, in a session that has just started."""
    from pyspark.sql import SparkSession

    raw.write_parquet(f"{folder}/clients.parquet")
    with SparkEngine() as engine:
        session = SparkSession(engine.context)
        minimized = spark_target.minimize(session.read.parquet(f"{folder}/clients.parquet"), asked.spec)
        began = _children()
        minimized.write.format("noop").mode("overwrite").save()
        seconds = _children() - began
        minimized.write.parquet(f"{folder}/minimized")
    return pl.read_parquet(f"{folder}/minimized/*.parquet").sort("row"), seconds


def _children() -> float:
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(one.user + one.system for one in times)


def with_python(asked: Policy, raw: pl.DataFrame) -> tuple[pl.DataFrame, float]:
    """Time the client's function record by record."""
    records, spec = raw.to_dicts(), asked.spec
    began = time.process_time()
    found = [python_target.minimize(record, spec) for record in records]
    return pl.DataFrame(found), time.process_time() - began


def measure(asked: Policy, raw: pl.DataFrame) -> dict[str, tuple[int, float]] | None:
    """Return the rows and CPU seconds of each engine, or None if their buckets differ."""
    found, seconds = timed(lambda: minimize(raw, asked.spec).collect())
    texts = found.with_columns(pl.col(pl.Enum).cast(pl.String))
    spent = {"polars": (len(raw), seconds)}
    with tempfile.TemporaryDirectory() as folder:
        others = {
            "duckdb, file": lambda: with_duckdb(asked, raw, f"{folder}/clients.duckdb"),
            "duckdb, memory": lambda: with_duckdb(asked, raw, _MEMORY),
            "spark, Parquet": lambda: with_spark(asked, raw, folder),
            "python": lambda: with_python(asked, raw.head(SAMPLE)),
        }
        for name, run in others.items():
            buckets, seconds = run()
            if not texts.head(len(buckets)).equals(buckets):
                return None
            spent[name] = (len(buckets), seconds)
    return spent


def main() -> int:
    """Time the engines, compare what they give, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    count = parser.parse_args().rows
    asked, raw = policy(), rows(count)
    spent = measure(asked, raw)
    if spent is None:
        print("the engines do not agree; no figure is printed", file=sys.stderr)
        return 1
    table = Table(title=f"{count:,} rows, {len(asked.columns)} columns", title_justify="left", box=None)
    for column in ("engine", "rows", "CPU-s", "rows per CPU-s"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for name, (done, seconds) in spent.items():
        table.add_row(name, f"{done:,}", f"{seconds:.2f}", f"{done / seconds:,.0f}")
    Console(width=90).print(table)
    print(f"all {count:,} rows agree between polars, DuckDB and Spark, {min(count, SAMPLE):,} of them with Python")
    slow = [name for name, wanted in WANTED.items() if spent[name][0] / spent[name][1] < wanted]
    for name in slow:
        print(f"{name} is below {WANTED[name]:,} rows per CPU second", file=sys.stderr)
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
