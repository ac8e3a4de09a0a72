"""Reading the files of a lake once: digests, columns, statistics, and the fingerprints of their cells.

Small files of one shape are parsed and hashed together, for there the cost of a call is what counts; a large file is
read in pieces and keeps no cells. What was read is kept batch by batch, so that a kill repeats one batch: a few
megabytes of small files, or one large one.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dedup.lake import bounds, delimited
from dedup.lake.cells import Part, fingerprints, statistics
from dedup.lake.faults import NotATable
from dedup.lake.readers import (
    BLOCK,
    columns_of,
    content_frame,
    leaf_expressions,
    leaf_frame,
    merged_schema,
    naming_faults,
    pieces,
    schema_text,
)
from dedup.lake.storage import File, Storage
from dedup.lake.store import Store
from dedup.lake.tables import Column, Print
from warehouse.engines import Engine
from warehouse.progress import Progress

__all__ = ["Found", "scan"]

_BATCH_BYTES = 4 << 20
_BATCH_FILES = 512
_CELL_BYTES = 16
_SPREAD = 8
"""A CSV or JSON lines file of n bytes has at most about n / 2 cells, of 16 bytes each."""
_CHUNK = 1 << 20
_TASK = "read files"


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one file.

    Parameters
    ----------
    print
        What is in it, or why it is not a table; None if it is too large to be read whole.
    bytes_read
        How much of it had to be read.
    """

    file: File
    format: str
    print: Print | NotATable | None
    digest: str = ""
    bytes_read: int = 0


def scan(  # noqa: PLR0913, PLR0917 - all that reading needs
    files: Iterable[tuple[File, str]], storage: Storage, store: Store, keep: int, engine: Engine, progress: Progress
) -> dict[File, Found]:
    """Return what is in each file, reading those that changed since they were last read.

    Parameters
    ----------
    files
        Files with their formats.
    keep
        Bytes of cell fingerprints that a file may have at most for them to be kept.
    """
    files = list(files)
    done = _known(files, store)
    progress.start(_TASK, len(files), "files")
    progress.advance(_TASK, len(done))
    left = [item for item in files if item[0] not in done]
    small = [item for item in left if item[0].bytes * (1 if item[1] == "parquet" else _SPREAD) <= keep]
    chosen = {file for file, _ in small}
    large = [item for item in left if item[0] not in chosen]
    for found in engine.map_chunks(partial(_read_batches, storage, store, keep), _batches(small), 1):
        large += [(one.file, one.format) for one in found if one.print is None]
        _take([one for one in found if one.print is not None], store, done, progress)
    for found in engine.map_chunks(partial(_read_large, storage), large, 1):
        _take([found], store, done, progress)
    progress.finish(_TASK, f"{sum(found.bytes_read for found in done.values()):,} bytes read")
    return done


def _take(found: list[Found], store: Store, done: dict[File, Found], progress: Progress) -> None:
    store.remember((one.file, one.format, one.digest, one.print) for one in found if one.digest and one.print)
    done.update((one.file, one) for one in found)
    progress.advance(_TASK, len(found))


def _known(files: list[tuple[File, str]], store: Store) -> dict[File, Found]:
    digests = store.seen(file for file, _ in files)
    formats = {of for _, of in files}
    prints = {
        of: store.prints(of, {digests[f] for f, other in files if f in digests and other == of}) for of in formats
    }
    return {
        file: Found(file, of, prints[of][digests[file]], digests[file])
        for file, of in files
        if file in digests and digests[file] in prints[of]
    }


def _batches(files: list[tuple[File, str]]) -> Iterator[list[tuple[File, str]]]:
    batch: list[tuple[File, str]] = []
    size = 0
    for item in files:
        if batch and (size + item[0].bytes > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item[0].bytes
    if batch:
        yield batch


def _read_batches(
    storage: Storage, store: Store, keep: int, batches: list[list[tuple[File, str]]]
) -> Iterator[list[Found]]:
    for batch in batches:
        yield _Batch(storage, store, keep).read(batch)


class _Batch:
    """Small files that are read together."""

    def __init__(self, storage: Storage, store: Store, keep: int) -> None:
        self.storage = storage
        self.store = store
        self.keep = keep
        self.found: list[Found] = []
        self.parts: list[tuple[Part, list[Found]]] = []

    def read(self, batch: list[tuple[File, str]]) -> list[Found]:
        """Return what is in each file of the batch, its cells kept."""
        contents = [
            (one, content) for file, of in batch if (one := self._opened(file, of)) and (content := self._content)
        ]
        fresh = self._unknown(contents)
        together: dict[Any, list[tuple[Found, Any]]] = defaultdict(list)
        for one, content in fresh:
            try:
                shape, parsed = self._prepared(one, content)
            except NotATable as fault:
                self.found.append(replace(one, print=fault))
            else:
                if parsed is not None:
                    together[shape].append((one, parsed))
        for shape, members in together.items():
            self._combine(shape, members)
        self._keep()
        return self.found

    def _opened(self, file: File, of: str) -> Found | None:
        self._content = b""
        try:
            with naming_faults():
                self._content = self.storage.read(file)
        except NotATable as fault:
            self.found.append(Found(file, of, fault))
            return None
        one = Found(file, of, None, hashlib.sha256(self._content).hexdigest(), len(self._content))
        if not self._content:
            self.found.append(replace(one, print=NotATable("empty", "0 bytes")))
        return one

    def _unknown(self, contents: list[tuple[Found, bytes]]) -> list[tuple[Found, bytes]]:
        known: dict[tuple[str, str], Print | NotATable] = {}
        for of in {one.format for one, _ in contents}:
            prints = self.store.prints(of, {one.digest for one, _ in contents if one.format == of})
            known |= {(of, name): print_ for name, print_ in prints.items()}
        self.found += [
            replace(one, print=known[key]) for one, _ in contents if (key := (one.format, one.digest)) in known
        ]
        return [(one, content) for one, content in contents if (one.format, one.digest) not in known]

    def _prepared(self, one: Found, content: bytes) -> tuple[Any, Any]:
        """Return what files must share to be read together, and the file's part; no part if it is too large."""
        if one.format == "csv":
            text, encoding = delimited.unicode(content)
            dialect = delimited.sniff(text, encoding)
            head = len(delimited.first_record(text)) if dialect.header else 0
            return dialect, text[head:]
        with naming_faults():
            if one.format == "parquet" and self._too_large(content):
                self.found.append(one)
                return None, None
            frame = content_frame(one.format, content)
            frame = leaf_frame(frame)
        return tuple(frame.schema.items()), frame

    def _too_large(self, content: bytes) -> bool:
        try:
            footer = pq.read_metadata(io.BytesIO(content))
        except (pa.ArrowException, OSError) as error:
            raise NotATable("malformed", str(error)) from error
        return footer.num_rows * footer.num_columns * _CELL_BYTES > self.keep

    def _combine(self, shape: Any, members: list[tuple[Found, Any]]) -> None:
        if isinstance(shape, delimited.Dialect):
            self._combine_texts(shape, members)
            return
        columns = columns_of(pl.Schema(shape))
        ones = [replace(one, print=Print(one.digest, part.height, columns)) for one, part in members]
        together = pl.concat([part for _, part in members])
        self.parts.append((Part(together, [part.height for _, part in members]), ones))

    def _combine_texts(self, dialect: delimited.Dialect, members: list[tuple[Found, bytes]]) -> None:
        frame, rows, faults = delimited.parse_together([body for _, body in members], dialect)
        columns, told = tuple(Column(name, "String", "text") for name in dialect.names), dialect.told()
        self.found += [replace(members[place][0], print=fault) for place, fault in faults.items()]
        good = [place for place in range(len(members)) if place not in faults]
        ones = [
            replace(members[place][0], print=Print(members[place][0].digest, rows[place], columns, dialect=told))
            for place in good
        ]
        self.parts.append((Part(frame, [rows[place] for place in good]), ones))

    def _keep(self) -> None:
        """Write the cells of all parts as one pack, and say where those of each file lie."""
        members = [one.digest for _, ones in self.parts for one in ones]
        if not members:
            return
        parts = [part for part, _ in self.parts]
        hashed = fingerprints(parts, self.store.policy)
        pack, offset = self.store.keep_cells(members, hashed), 0
        for (part, ones), cells, told in zip(self.parts, hashed, statistics(parts), strict=True):
            start = 0
            for one, rows, columns in zip(ones, part.rows, told, strict=True):
                block = (pack, offset, part.frame.height, start)
                self.found.append(replace(one, print=replace(one.print, block=block, bounds=tuple(columns))))
                start += rows
            offset += cells.nbytes


def _read_large(storage: Storage, files: list[tuple[File, str]]) -> Iterator[Found]:
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
    sha, first, state = hashlib.sha256(), b"", _Encoding()
    while chunk := handle.read(_CHUNK):
        sha.update(chunk)
        first = first or chunk
        if of != "parquet":
            state.feed(chunk)
    if of == "parquet":
        return sha.hexdigest(), {}
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
            told = bounds.of_parquet(path, [column.name for column in columns], types)
            return Print(name, pq.read_metadata(path).num_rows, columns, bounds=tuple(one.written() for one in told))
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
