"""Parquet files as the warehouse writes them: pinned schema, in order, of a reasonable size, in flat memory."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.derive.duckdb import identifier, literal
from warehouse.fingerprint import read_parquet_sql

__all__ = ["PartWriter", "duck", "quoted", "scan_parts", "view", "write_query"]

_PART_BYTES = 128 << 20
_GROUP_BYTES = 32 << 20
_BATCH_ROWS = 8_192
_MEMORY = "1GB"


@contextmanager
def duck(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB that spills to ``spill`` instead of growing beyond 1 GB."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"SET temp_directory = {literal(str(spill))}")
        yield connection


def quoted(names: Iterable[str], prefix: str = "") -> str:
    """Return a list of quoted SQL column names."""
    return ", ".join(prefix + identifier(name) for name in names)


def view(connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
    """Make Parquet files (or none, with the columns of ``schema``) known to DuckDB as the view ``name``."""
    if paths:
        connection.execute(f"CREATE VIEW {identifier(name)} AS SELECT * FROM {read_parquet_sql(paths)}")  # noqa: S608 - quoted
    else:
        connection.register(name, schema.empty_table())


def scan_parts(paths: Sequence[Path], schema: pa.Schema) -> pl.LazyFrame:
    """Return Parquet files (or none, with the columns of ``schema``) as one lazy frame."""
    if paths:
        return pl.scan_parquet(list(paths), glob=False)
    return pl.DataFrame(schema=pl.Schema(schema)).lazy()


def write_query(connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema, folder: Path) -> list[Path]:
    """Stream a query's rows, in its order, to Parquet files in ``folder``.

    Parameters
    ----------
    schema
        Columns of the query, as they must be written.

    Returns
    -------
    list
        Files of about 128 MiB each; none if the query has no rows.
    """
    with PartWriter(folder, schema) as writer:
        for batch in connection.sql(query).to_arrow_reader(_BATCH_ROWS):
            writer.write(batch)
    return writer.paths


@dataclass
class PartWriter:
    """Writes record batches to numbered files under names never used before; a failure removes what it wrote."""

    folder: Path
    schema: pa.Schema
    paths: list[Path] = field(default_factory=list)
    _stem: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._flush()
                self._close()
            except BaseException:
                self._discard()
                raise
        else:
            self._discard()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows, cast to the pinned schema."""
        arrays = [column.cast(of.type) for column, of in zip(batch.columns, self.schema, strict=True)]
        self._waiting.append(pa.RecordBatch.from_arrays(arrays, schema=self.schema))
        if sum(waiting.nbytes for waiting in self._waiting) >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self.paths.append(self.folder / f"{self._stem}-{len(self.paths):05d}.parquet")
            self._handle = self.paths[-1].open("xb")
            self._writer = pq.ParquetWriter(self._handle, self.schema, compression="zstd")
        self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting.clear()
        if self._handle.tell() >= _PART_BYTES:
            self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()

    def _discard(self) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._handle.close()
        for path in self.paths:
            path.unlink(missing_ok=True)
