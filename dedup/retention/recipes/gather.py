"""Rows of the parent, taken by number and put in the table's order, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable
from glob import escape
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError
from warehouse.parquet import duck

__all__ = ["gather"]

_PLACE = "place"
"""Beside columns named by their numbers: DuckDB would rename two whose names differ in case alone."""


def gather(batches: Iterable[pl.DataFrame], rows: np.ndarray, scratch: Path) -> pl.LazyFrame:
    """Write the rows of the given numbers, in that order, to a file in ``scratch``, and return a scan of it.

    Parameters
    ----------
    batches
        All rows of the parent in order.
    rows
        0-based numbers, in any order, repeated where a row is needed more than once.

    Raises
    ------
    InputError
        If the parent has fewer rows.
    """
    order = np.argsort(rows, kind="stable")
    ranked = rows[order]
    taken = scratch / "taken.parquet"
    start, found, writer, names = 0, 0, None, []
    try:
        for batch in batches:
            low, high = np.searchsorted(ranked, (start, start + batch.height))
            part = batch[ranked[low:high] - start].to_arrow()
            names = part.column_names
            numbered = part.rename_columns(list(map(str, range(part.num_columns))))
            writer = _write(writer, numbered.append_column(_PLACE, pa.array(order[low:high], pa.int64())), taken)
            start, found = start + batch.height, found + part.num_rows
    finally:
        if writer is not None:
            writer.close()
    if found != len(rows):
        raise InputError(
            f"row {int(ranked[-1]):,} is needed, and the parent has {start:,}.",
            hint="the parent is not the version that the recipe was made with.",
        )
    if (order[1:] < order[:-1]).any():
        taken = _in_order(taken, scratch)
    rows = pl.scan_parquet(taken, glob=False)
    return rows.select(pl.col(str(number)).alias(name) for number, name in enumerate(names))


def _write(writer: pq.ParquetWriter | None, part: pa.Table, path: Path) -> pq.ParquetWriter:
    if writer is None:
        writer = pq.ParquetWriter(path, part.schema, compression="lz4")
    if part.num_rows:
        writer.write_table(part)
    return writer


def _in_order(taken: Path, scratch: Path) -> Path:
    path = scratch / "ordered.parquet"
    with duck(scratch) as connection:
        found = connection.read_parquet(escape(str(taken))).order(_PLACE)
        found.write_parquet(str(path), compression="lz4")
    return path
