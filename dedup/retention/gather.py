"""Rows of the parent, taken by number and put in the table's order, in flat memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError
from warehouse.parquet import duck

__all__ = ["gather"]

_PLACE = "sluice place"


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
    start, found, writer = 0, 0, None
    try:
        for batch in batches:
            low, high = np.searchsorted(ranked, (start, start + batch.height))
            part = batch[ranked[low:high] - start].with_columns(pl.Series(_PLACE, order[low:high], pl.Int64))
            writer = _write(writer, part.to_arrow(), taken)
            start, found = start + batch.height, found + part.height
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
    return pl.scan_parquet(taken).drop(_PLACE)


def _write(writer: pq.ParquetWriter | None, part: pa.Table, path: Path) -> pq.ParquetWriter:
    if writer is None:
        writer = pq.ParquetWriter(path, part.schema, compression="lz4")
    if part.num_rows:
        writer.write_table(part)
    return writer


def _in_order(taken: Path, scratch: Path) -> Path:
    path = scratch / "ordered.parquet"
    with duck(scratch) as connection:
        found = connection.read_parquet(str(taken)).order(f'"{_PLACE}"')
        found.write_parquet(str(path), compression="lz4")
    return path
