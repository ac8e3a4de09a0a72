"""Files that trainers read: written table by table, read back table by table."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import ExportRefused
from warehouse.exports.mds import mds_rows
from warehouse.release.order import BATCH

__all__ = ["JsonlWriter", "ParquetWriter", "TarWriter", "Writer", "holds_rows", "read_tables"]


_SHARD_ROWS = 4096
"""Rows in a tar shard."""


class Writer(Protocol):
    """Writes one phase's rows into a folder of its own."""

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


class TarWriter:
    """Tar shards without times or owners, so that equal rows give equal bytes."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        del schema
        self._folder = folder
        self._written = 0
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tar is not None:
            self._tar.close()

    def write(self, table: pa.Table) -> None:
        """Append one member per row, beginning a new shard where one is full."""
        for row in table.to_pylist():
            if self._written % _SHARD_ROWS == 0:
                self.__exit__()
                path = self._folder / f"{self._written // _SHARD_ROWS:06d}.tar"
                self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed on exit
            self._add(row)
            self._written += 1

    def _add(self, row: dict[str, object]) -> None:
        content = json.dumps(row, ensure_ascii=False).encode("utf-8")
        member = tarfile.TarInfo(f"{row['__key__']}.json")
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))  # type: ignore[union-attr]


def holds_rows(path: str) -> bool:
    """Tell whether a file of an export holds rows, not what a format says of them beside them."""
    return Path(path).suffix in _READERS


def read_tables(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of a Parquet or JSON Lines file with the types of ``schema``.

    Raises
    ------
    ExportRefused
        If the file's columns or values do not have those names and types; JSON is held to account line by line.
    """
    try:
        yield from _READERS[path.suffix](path, schema)
    except (pa.ArrowException, tarfile.TarError, UnicodeDecodeError) as error:
        raise ExportRefused(f"{path.name} does not read as it must: {error}.", hint="export again.") from error


def _parquet(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        _held(path, file.schema_arrow, schema)
        for batch in file.iter_batches(BATCH):
            yield pa.Table.from_batches([batch])


def _stream(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with pa.ipc.open_stream(path) as stream:
        _held(path, stream.schema, schema)
        for batch in stream:
            yield pa.Table.from_batches([batch])


def _held(path: Path, found: pa.Schema, schema: pa.Schema) -> None:
    if found.remove_metadata() != schema.remove_metadata():
        raise ExportRefused(
            f"{path.name} has columns {_spelled(found)}; its trainer reads {_spelled(schema)}.",
            hint="export again; do not rewrite the file with another tool.",
        )


def _mds(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    rows = mds_rows(path, schema)
    while batch := list(islice(rows, BATCH)):
        yield pa.Table.from_pylist(batch, schema)


def _jsonl(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with path.open(encoding="utf-8") as lines:
        yield from _tables(path, lines, schema)


def _tar(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with tarfile.open(path) as tar:
        members = (tar.extractfile(member) for member in tar)
        yield from _tables(path, (member.read().decode("utf-8") for member in members if member), schema)


def _tables(path: Path, texts: Iterable[str], schema: pa.Schema) -> Iterator[pa.Table]:
    rows = (_row(path, number, text, schema) for number, text in enumerate(texts, 1))
    while batch := list(islice(rows, BATCH)):
        yield pa.Table.from_pylist(batch, schema)


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


_READERS: dict[str, Callable[[Path, pa.Schema], Iterator[pa.Table]]] = {
    ".arrow": _stream,
    ".jsonl": _jsonl,
    ".mds": _mds,
    ".parquet": _parquet,
    ".tar": _tar,
}


def _spelled(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
