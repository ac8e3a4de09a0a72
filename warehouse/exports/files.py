"""Files that trainers read: written table by table, read back table by table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import ExportRefused
from warehouse.release.order import BATCH

__all__ = ["JsonlWriter", "ParquetWriter", "Writer", "read_tables"]


class Writer(Protocol):
    """Writes one phase's rows into a folder of its own."""

    suffix: str

    def __enter__(self) -> Self:
        """Open."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""

    def write(self, table: pa.Table) -> None:
        """Append rows."""


class ParquetWriter:
    """One Parquet file, ``train.parquet``, without any extension type, so that every reader sees plain columns."""

    suffix = ".parquet"

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._file = pq.ParquetWriter(folder / "train.parquet", schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, table: pa.Table) -> None:
        """Append rows as a row group."""
        self._file.write_table(table, row_group_size=BATCH)


class JsonlWriter:
    """One JSON Lines file, ``train.jsonl``, every key in every line."""

    suffix = ".jsonl"

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        del schema
        self._file = (folder / "train.jsonl").open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, table: pa.Table) -> None:
        """Append one line per row."""
        pl.from_arrow(table).write_ndjson(self._file)  # type: ignore[union-attr]


def read_tables(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet or JSON Lines file with the types of ``schema``.

    Raises
    ------
    ExportRefused
        If the file's columns or values do not have those names and types; JSON is held to account line by line.
    """
    try:
        yield from _parquet(path, schema) if path.suffix == ".parquet" else _jsonl(path, schema)
    except pa.ArrowException as error:
        raise ExportRefused(f"{path.name} does not read as it must: {error}.", hint="export again.") from error


def _parquet(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        if file.schema_arrow.remove_metadata() != schema.remove_metadata():
            raise ExportRefused(
                f"{path.name} has columns {_spelled(file.schema_arrow)}; its trainer reads {_spelled(schema)}.",
                hint="export again; do not rewrite the file with another tool.",
            )
        for batch in file.iter_batches(BATCH):
            yield pa.Table.from_batches([batch])


def _jsonl(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[dict[str, object]] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            waiting.append(_row(path, number, line, schema))
            if len(waiting) == BATCH:
                yield pa.Table.from_pylist(waiting, schema)
                waiting = []
    if waiting:
        yield pa.Table.from_pylist(waiting, schema)


def _row(path: Path, number: int, line: str, schema: pa.Schema) -> dict[str, object]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ExportRefused(
            f"{path.name}:{number} is not JSON: {error}.", hint="readers skip such lines in silence."
        ) from None
    if not isinstance(row, dict) or set(row) != set(schema.names):
        found = sorted(row) if isinstance(row, dict) else type(row).__name__
        raise ExportRefused(f"{path.name}:{number} has {found}, not {sorted(schema.names)}.", hint="export again.")
    return row


def _spelled(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
