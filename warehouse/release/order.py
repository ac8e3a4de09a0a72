"""Rows in their published order, as Arrow tables of known size, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.contracts import Contract
from warehouse.fingerprint import read_parquet_sql
from warehouse.parquet import duck, quoted
from warehouse.spill import spill_folder

__all__ = ["BATCH", "WHOLE", "Part", "batches", "ordered", "published_order", "survey"]

_PARTED = ("curriculum", "phase")
BATCH = 1024
"""Rows handled at a time."""
WHOLE = "default"
"""Name of the configuration of rows that fall into no curricula."""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Rows that are trained on together: one phase of one curriculum, or everything.

    Parameters
    ----------
    config
        Curriculum; ``default`` where the contract has none.
    split
        Phase; ``train`` where the contract has none.
    """

    config: str
    split: str
    rows: int

    @property
    def name(self) -> str:
        """Both in one word."""
        return f"{self.config}-{self.split}"


def parted(of: Contract) -> bool:
    """Tell whether the contract's rows fall into curricula and phases."""
    return set(_PARTED) <= set(of.names)


def published_order(of: Contract) -> list[str]:
    """Return the columns that rows are sorted by: phase and training order where there are, then the key."""
    leading = [name for name in (*_PARTED, "order_index") if name in of.names]
    return list(dict.fromkeys([*leading, *of.key]))


def survey(paths: Sequence[Path], of: Contract) -> list[Part]:
    """Return the parts that the files hold, in published order."""
    if not paths:
        return []
    fields = ", ".join(_PARTED) if parted(of) else f"'{WHOLE}', 'train'"
    query = f"SELECT {fields}, count(*) FROM {read_parquet_sql(paths)} GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608 - ours
    with _connection() as connection:
        return [Part(*row) for row in connection.execute(query).fetchall()]


def batches(rows: int) -> Iterator[int]:
    """Yield the sizes of the batches that ``rows`` rows are handled in."""
    for start in range(0, rows, BATCH):
        yield min(BATCH, rows - start)


def ordered(paths: Sequence[Path], of: Contract, sizes: Iterable[int]) -> Iterator[pa.Table]:
    """Yield the rows in published order as tables of ``sizes`` rows, typed as the contract says.

    Sorting spills to disk beyond 1 GB, so that memory stays flat.
    """
    order = quoted(published_order(of))
    query = f"SELECT {quoted(of.names)} FROM {read_parquet_sql(paths)} ORDER BY {order}"  # noqa: S608 - quoted
    with _connection() as connection:
        reader = connection.sql(query).to_arrow_reader(BATCH)
        yield from _cut(reader, of.arrow, sizes)


@contextmanager
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with spill_folder() as spill, duck(spill) as connection:
        yield connection


def _cut(batches: Iterable[pa.RecordBatch], schema: pa.Schema, sizes: Iterable[int]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    source = iter(batches)
    for size in sizes:
        while sum(batch.num_rows for batch in waiting) < size:
            waiting.append(next(source))
        table = pa.Table.from_batches(waiting)
        yield table.slice(0, size).combine_chunks().cast(schema)
        waiting = table.slice(size).to_batches()
