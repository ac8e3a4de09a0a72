"""Large files: read in pieces for their digest, columns and statistics; their cells are not kept."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

import polars as pl
import pyarrow.parquet as pq

from dedup.lake import bounds, delimited
from dedup.lake.faults import NotATable
from dedup.lake.lines import merged_schema, schema_text
from dedup.lake.readers import (
    BLOCK,
    columns_of,
    content_frame,
    leaf_expressions,
    naming_faults,
    pieces,
)
from dedup.lake.storage import File, Storage
from dedup.lake.tables import Column, Found, Print

__all__ = ["read_one_by_one"]

_CHUNK = 1 << 20


def read_one_by_one(storage: Storage, files: list[tuple[File, str]]) -> Iterator[Found]:
    """Yield what is in each of some files, given with their formats."""
    for file, of in files:
        try:
            with naming_faults(), storage.open(file) as handle:
                name, dialect = _digested(handle, of)
                print_ = _outline(storage, of, file, name, dialect)
                storage.unchanged(file, file.bytes)
        except NotATable as fault:
            yield Found(file, of, fault, "", file.bytes)
        else:
            yield Found(file, of, print_, name, file.bytes)


def _digested(handle: IO[bytes], of: str) -> tuple[str, dict[str, Any]]:
    """Return the digest of a large file, and the encoding of a text."""
    if of == "parquet":
        return hashlib.file_digest(handle, "sha256").hexdigest(), {}
    sha, first, state = hashlib.sha256(), b"", _Encoding()
    while chunk := handle.read(_CHUNK):
        sha.update(chunk)
        first = first or chunk
        state.feed(chunk)
    wide = first[:2] in (b"\xff\xfe", b"\xfe\xff")
    return sha.hexdigest(), {"encoding": "utf-16" if wide else state.name(), "first": first}


class _Encoding:
    """Tells the encoding of a text that comes in chunks, as `delimited.encoding_of` does of one that is whole."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._valid, self._multibyte, self._windows, self._zero = True, False, True, False

    def feed(self, chunk: bytes) -> None:
        if chunk.isascii() and self._valid and not self._utf8.getstate()[0]:
            self._zero = self._zero or b"\x00" in chunk
            return
        self._zero = self._zero or b"\x00" in chunk
        self._multibyte = self._multibyte or delimited.has_multibyte(chunk)
        try:
            if self._valid:
                self._utf8.decode(chunk)
        except UnicodeDecodeError:
            self._valid = False
        try:
            chunk.decode("cp1252")
        except UnicodeDecodeError:
            self._windows = False

    def name(self) -> str:
        if self._zero:
            raise NotATable("binary", "it holds zero bytes: this is no text")
        if self._valid and not self._utf8.getstate()[0]:
            return "utf-8"
        if self._multibyte:
            raise NotATable("mixed_encoding", "some characters are UTF-8, others are not")
        if not self._windows:
            raise NotATable("unknown_encoding", "it is neither UTF-8 nor Windows-1252")
        return "cp1252"


def _outline(storage: Storage, of: str, file: File, name: str, dialect: dict[str, Any]) -> Print:
    """Return the columns, rows and statistics of a large file, reading it piece by piece."""
    if of == "parquet":
        with storage.local(file) as path:
            schema = pl.read_parquet_schema(path)
            types = [kind for _, kind in leaf_expressions(schema).values()]
            columns = columns_of(schema)
            footer = pq.read_metadata(path)
            told = bounds.of_parquet(footer, [column.name for column in columns], types)
            return Print(name, footer.num_rows, columns, bounds=tuple(one.written() for one in told))
    first, encoding = dialect["first"], dialect["encoding"]
    if of == "jsonl":
        return _json_outline(storage, file, name, encoding)
    if file.bytes <= len(first):
        text, _ = delimited.unicode(first)
    else:
        text = first.decode(encoding, errors="ignore").encode().removeprefix(b"\xef\xbb\xbf")
    found = delimited.sniff(text, encoding)
    columns = tuple(Column(column, "String", "text") for column in found.names)
    empty = Print(name, 0, columns, dialect=found.told())
    parts, rows = [], 0
    for piece in pieces(storage, of, file, empty):
        frame = piece.collect()
        parts.append(bounds.of_frame(frame))
        rows += frame.height
    merged = tuple(bounds.merged(column).written() for column in zip(*parts, strict=True)) if parts else ()
    return replace(empty, rows=rows, bounds=merged)


def _json_outline(storage: Storage, file: File, name: str, encoding: str) -> Print:
    rows, schemas = 0, []
    with storage.open(file) as handle:
        for text in delimited.blocks(handle, encoding, BLOCK, quoted=False):
            if text.strip():
                frame = content_frame("jsonl", text)
                rows += frame.height
                schemas.append(frame.schema)
    schema = merged_schema(schemas)
    told = tuple(bounds.Bounds().written() for _ in columns_of(schema))
    return Print(name, rows, columns_of(schema), None, told, {"encoding": encoding, "schema": schema_text(schema)})
