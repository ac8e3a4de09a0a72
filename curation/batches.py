"""Problems a few at a time, and tables written as their rows come: what keeps the memory of a stage flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.problems import Problem
from schemas.contracts import Contract

__all__ = ["RowFile", "problem_batches"]

_PROBLEMS = 32
_ROWS = 2_000
_CHARS = 32 * 2**20


def problem_batches(rows: pl.LazyFrame) -> Iterator[list[Problem]]:
    """Yield problems a few at a time: with their tests they may be large."""
    for frame in rows.collect_batches(chunk_size=_PROBLEMS, maintain_order=False):
        for part in frame.iter_slices(_PROBLEMS):
            yield part.to_dicts()


class RowFile:
    """A Parquet file of a contract's columns, written as rows come.

    Parameters
    ----------
    path
        File to write; its folder exists.
    columns
        Arrow schema of the rows.

    Attributes
    ----------
    rows
        Rows added so far.
    """

    def __init__(self, path: Path, columns: Contract | pa.Schema) -> None:
        self.path = path
        self._schema = columns.arrow if isinstance(columns, Contract) else columns
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self.rows = 0
        self._waiting: list[Mapping[str, Any]] = []
        self._chars = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows; columns that a row lacks are null."""
        for row in rows:
            self._waiting.append(row)
            self.rows += 1
            self._chars += sum(len(value) for value in row.values() if isinstance(value, str))
            if len(self._waiting) >= _ROWS or self._chars >= _CHARS:
                self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._waiting, schema=self._schema))
        self._waiting, self._chars = [], 0

    def scan(self) -> pl.LazyFrame:
        """Return the closed file lazily."""
        return pl.scan_parquet(self.path, glob=False)
