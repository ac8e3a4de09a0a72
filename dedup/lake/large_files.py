"""Large files: read in pieces for their digest, columns and statistics; their cells are not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from dedup.lake.files import delimited
from dedup.lake.files.compression import unpacked
from dedup.lake.files.faults import NotATable
from dedup.lake.files.frames import (
    BLOCK,
    columns_of,
    content_frame,
    footer_of,
    leaf_expressions,
    naming_faults,
    pieces,
)
from dedup.lake.files.json_lines import merged_schema, schema_text
from dedup.lake.files.scripts import Chunks, Script, opening, unicode
from dedup.lake.files.storage import File, Storage
from dedup.lake.files.tables import Column, Found, Print
from dedup.lake.fingerprints import bounds

__all__ = ["read_one_by_one"]

_CHUNK = 1 << 20
_PASSING = frozenset({"malformed", "unreadable", "changed_while_read"})
"""Reasons that a disk may have given as well: the file is read again."""


def read_one_by_one(storage: Storage, files: list[tuple[File, str]]) -> Iterator[Found]:
    """Yield what is in each of some files, given with their formats."""
    for file, of in files:
        try:
            with naming_faults(), storage.open(file) as handle:
                name = hashlib.file_digest(handle, "sha256").hexdigest()
                found = _found(storage, file, of, name)
                storage.unchanged(file, file.bytes)
        except NotATable as fault:
            yield Found(file, of, fault, "", file.bytes)
        else:
            yield Found(file, of, found, name, file.bytes)


def _found(storage: Storage, file: File, of: str, name: str) -> Print | NotATable:
    """Return what is in a file, or what its bytes are at fault for; raise what may be a fault of the moment."""
    try:
        with naming_faults():
            return _parquet(storage, file, name) if of == "parquet" else _text(storage, file, of, name)
    except NotATable as fault:
        if fault.reason in _PASSING:
            raise
        return fault


def _parquet(storage: Storage, file: File, name: str) -> Print:
    """Return the columns, rows and statistics that the footer of a large file tells."""
    with storage.local(file) as path:
        footer = footer_of(path)
        schema = pl.scan_parquet(path, glob=False, hive_partitioning=False).collect_schema()
        types = [kind for _, kind in leaf_expressions(schema).values()]
        columns = columns_of(schema)
        told = bounds.of_parquet(footer, [column.name for column in columns], types)
        return Print(name, footer.num_rows, columns, bounds=tuple(one.written() for one in told))


def _text(storage: Storage, file: File, of: str, name: str) -> Print:
    """Return the columns, rows and statistics of a large file of text, reading it piece by piece."""
    chunks = Chunks()
    with storage.open(file) as packed, unpacked(packed) as handle:
        while chunk := handle.read(_CHUNK):
            chunks.feed(chunk)
    script = chunks.script()
    if of == "jsonl":
        return _json_outline(storage, file, name, script)
    whole = chunks.bytes == len(chunks.head)
    text = unicode(chunks.head)[0] if whole else opening(chunks.head, script)
    found = delimited.sniff(text, script)
    columns = tuple(Column(column, "String", "text") for column in found.names)
    empty = Print(name, 0, columns, dialect=found.told())
    parts, rows = [], 0
    for piece in pieces(storage, of, file, empty):
        frame = piece.collect()
        parts.append(bounds.of_frame(frame))
        rows += frame.height
    merged = tuple(bounds.merged(column).written() for column in zip(*parts, strict=True)) if parts else ()
    return replace(empty, rows=rows, bounds=merged)


def _json_outline(storage: Storage, file: File, name: str, script: Script) -> Print:
    rows, schemas = 0, []
    with storage.open(file) as packed, unpacked(packed) as handle:
        for text in delimited.blocks(handle, script, BLOCK, quoted=False):
            if text.strip():
                frame = content_frame("jsonl", text)
                rows += frame.height
                schemas.append(frame.schema)
    schema = merged_schema(schemas)
    told = tuple(bounds.Bounds().written() for _ in columns_of(schema))
    dialect = {**script._asdict(), "schema": schema_text(schema)}
    return Print(name, rows, columns_of(schema), None, told, dialect)
