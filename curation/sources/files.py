"""Rows of files, one at a time: JSON arrays, JSON lines, CSV and Parquet, compressed or not, however broken.

Whatever cannot be read becomes a `Fault` in its place; the rows around it are still read, and memory holds one row
(one small batch for Parquet) whatever the size of the file.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.sources.drafts import Reason
from schemas.errors import InputError

__all__ = ["FORMATS", "Fault", "Record", "records"]

FORMATS = (".json", ".jsonl", ".ndjson", ".csv", ".parquet")
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
_BETWEEN = re.compile(r"[\s,]*")
_CHUNK = 2**20
_PARQUET_BATCH = 256


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a file: its 1-based line (row number where the format has no lines) and its value."""

    line: int
    value: Any


@dataclass(frozen=True, slots=True)
class Fault:
    """A place of a file that holds no readable row."""

    line: int
    reason: Reason
    detail: str


def records(path: Path, encoding: str, row_bytes: int) -> Iterator[Record | Fault]:
    """Yield the rows of a file and the faults between them.

    Parameters
    ----------
    path
        File whose suffix (before ``.gz``) is one of `FORMATS`.
    encoding
        Encoding of text formats; a byte order mark is skipped.
    row_bytes
        Size of the largest row that is parsed.

    Raises
    ------
    InputError
        If the file cannot be opened, or is UTF-16 text.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix == ".parquet":
        yield from _parquet(path)
        return
    line = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            _skip_mark(stream, path)
            for item in _reader(suffix, stream)(stream, encoding, row_bytes):
                line = item.line
                yield item
    except _BROKEN as error:
        yield Fault(line + 1, Reason.TRUNCATED, f"nothing after this can be unpacked: {error}")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", hint="check the path and permissions.") from error


def _skip_mark(stream: Any, path: Path) -> None:
    head = stream.peek(4)[:4]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(f"{path} is UTF-16 text.", hint="convert it to UTF-8.")
    if head.startswith(codecs.BOM_UTF8):
        stream.read(3)


def _reader(suffix: str, stream: Any) -> Any:
    if suffix == ".csv":
        return _csv
    return _array if suffix == ".json" and stream.peek(64).lstrip().startswith(b"[") else _lines


def _lines(stream: Any, encoding: str, row_bytes: int) -> Iterator[Record | Fault]:
    number = 0
    while raw := stream.readline(row_bytes + 1):
        number += 1
        if len(raw) > row_bytes:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(_CHUNK)
            yield Fault(number, Reason.ROW_TOO_LARGE, f"more than {row_bytes} bytes")
        elif raw.strip():
            yield _parsed(number, raw, encoding)


def _parsed(number: int, raw: bytes, encoding: str) -> Record | Fault:
    try:
        return Record(number, json.loads(raw.decode(encoding)))
    except UnicodeDecodeError as error:
        return Fault(number, Reason.INVALID_TEXT, f"byte {error.start} of the line is not {encoding}: {error.reason}")
    except (ValueError, RecursionError) as error:
        return Fault(number, Reason.NOT_JSON, str(error))


def _array(stream: Any, encoding: str, row_bytes: int) -> Iterator[Record | Fault]:
    """Yield the elements of a JSON array; after one that does not parse, the rest has no certain borders."""
    decode = json.JSONDecoder().raw_decode
    text, number = _Text(stream, encoding), 0
    text.skip("[")
    while text.next_value():
        number += 1
        while True:
            try:
                value, text.position = decode(text.buffer, text.position)
            except (ValueError, RecursionError) as error:
                if len(text.buffer) - text.position > row_bytes:
                    yield Fault(number, Reason.ROW_TOO_LARGE, f"more than {row_bytes} bytes; the rest is not read")
                    return
                if not text.more():
                    yield Fault(number, Reason.NOT_JSON, f"{error}; the rest is not read")
                    return
            else:
                yield Record(number, value)
                break
    if text.buffer[text.position :][:1] != "]":
        yield Fault(number + 1, Reason.TRUNCATED, "the array is not closed")


class _Text:
    """A window on a stream of text that grows until a value in it is whole."""

    def __init__(self, stream: Any, encoding: str) -> None:
        self.buffer = ""
        self.position = 0
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")

    def more(self) -> bool:
        """Read as much again as is unread already; False at the end."""
        self.buffer = self.buffer[self.position :]
        self.position = 0
        # read1 hands over what is there before a break in the file; read would lose it.
        raw = self._stream.read1(max(_CHUNK, len(self.buffer)))
        self.buffer += self._decoder.decode(raw, final=not raw)
        return bool(raw)

    def skip(self, mark: str) -> None:
        """Move behind the first ``mark``."""
        while mark not in self.buffer and self.more():
            pass
        self.position = self.buffer.index(mark) + 1

    def next_value(self) -> bool:
        """Move to the next value; False at the array's or the stream's end."""
        while True:
            self.position = _BETWEEN.match(self.buffer, self.position).end()  # type: ignore[union-attr]
            if self.position < len(self.buffer):
                return self.buffer[self.position] != "]"
            if not self.more():
                return False


def _csv(stream: Any, encoding: str, row_bytes: int) -> Iterator[Record | Fault]:
    rows = csv.reader(io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline=""))
    header: list[str] | None = None
    while True:
        line = rows.line_num + 1
        try:
            row = _row(rows, row_bytes)
        except csv.Error as error:
            yield Fault(line, Reason.ROW_TOO_LARGE if "limit" in str(error) else Reason.WRONG_TYPE, str(error))
            if header is None:
                return
            continue
        if row is None:
            return
        if header is None:
            header = row
        elif len(row) != len(header):
            yield Fault(line, Reason.WRONG_TYPE, f"{len(row)} fields; the header has {len(header)}")
        else:
            yield Record(line, dict(zip(header, row, strict=True)))


def _row(rows: Iterator[list[str]], row_bytes: int) -> list[str] | None:
    """Read the next row under the limit, which is one for the whole process and is given back."""
    limit = csv.field_size_limit(row_bytes)
    try:
        return next(rows, None)
    finally:
        csv.field_size_limit(limit)


def _parquet(path: Path) -> Iterator[Record | Fault]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_BATCH):
                for value in batch.to_pylist():
                    number += 1
                    yield Record(number, value)
    except FileNotFoundError as error:
        raise InputError(f"{path} cannot be read: no such file.", hint="check the path.") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield Fault(number + 1, Reason.TRUNCATED, f"nothing after this can be read: {error}")
