"""Small files: those of one shape are parsed and hashed together, for there the cost of a call is what counts."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dedup.lake.files import delimited
from dedup.lake.files.compression import codec, unpacked
from dedup.lake.files.faults import NotATable
from dedup.lake.files.frames import columns_of, content_frame, footer_of, leaf_frame, naming_faults
from dedup.lake.files.scripts import unicode
from dedup.lake.files.storage import File, Storage
from dedup.lake.files.tables import Column, Found, Print
from dedup.lake.fingerprints.small_tables import Part, fingerprints, statistics
from dedup.lake.fingerprints.store import Store
from dedup.text.ragged import budgeted

__all__ = ["TEXT_CELLS", "read_together"]

_CELL_BYTES = 16
TEXT_CELLS = 8
"""Bytes of cell fingerprints for one of text, at most about: n bytes of CSV or JSON lines have n / 2 cells."""
Content = tuple[Found, bytes]


def read_together(
    storage: Storage, store: Store, keep: int, batches: list[list[tuple[File, str]]]
) -> Iterator[list[Found]]:
    """Yield what is in the files of each batch, given with their formats; their cells are kept.

    Parameters
    ----------
    keep
        Bytes of cell fingerprints that a file may have at most; of one that has more the print is None.
    """
    for batch in batches:
        yield _Batch(storage, store, keep).read(batch)


class _Batch:
    """Small files that are read together."""

    def __init__(self, storage: Storage, store: Store, keep: int) -> None:
        self.storage = storage
        self.store = store
        self.keep = keep
        self.found: list[Found] = []
        self.parts: list[tuple[Part, tuple[Column, ...], dict[str, Any], list[Found]]] = []

    def read(self, batch: list[tuple[File, str]]) -> list[Found]:
        opened = [content for file, of in batch if (content := self._opened(file, of))]
        fresh = list(self._unpacked(self._unknown(opened)))
        for contents in self._runs([content for content in fresh if content[0].format == "parquet"]):
            self._combine_frames(contents, _parquet_frames([content for _, content in contents]))
            self._keep()
        lines = [content for content in fresh if content[0].format == "jsonl"]
        self._combine_frames(lines, [_frame("jsonl", content) for _, content in lines])
        self._combine_texts([content for content in fresh if content[0].format == "csv"])
        self._keep()
        return self.found

    def _opened(self, file: File, of: str) -> Content | None:
        try:
            with naming_faults():
                content = self.storage.read(file)
        except NotATable as fault:
            self.found.append(Found(file, of, fault))
            return None
        one = Found(file, of, None, hashlib.sha256(content).hexdigest(), len(content))
        if content:
            return one, content
        self.found.append(replace(one, print=NotATable("empty", "0 bytes")))
        return None

    def _unknown(self, contents: list[Content]) -> list[Content]:
        known: dict[tuple[str, str], Print | NotATable] = {}
        for of in {one.format for one, _ in contents}:
            prints = self.store.prints(of, {one.digest for one, _ in contents if one.format == of})
            known |= {(of, name): print_ for name, print_ in prints.items()}
        self.found += [
            replace(one, print=known[key]) for one, _ in contents if (key := (one.format, one.digest)) in known
        ]
        return [(one, content) for one, content in contents if (one.format, one.digest) not in known]

    def _unpacked(self, contents: list[Content]) -> Iterator[Content]:
        """Yield what compressed files hold; those that together hold too much are found to have no print."""
        room = self.keep // TEXT_CELLS
        for one, content in contents:
            if one.format == "parquet" or not codec(content):
                yield one, content
                continue
            try:
                with naming_faults(), unpacked(io.BytesIO(content)) as stream:
                    text = stream.read(room + 1)
            except NotATable as fault:
                self.found.append(replace(one, print=fault))
                continue
            if len(text) > room:
                self.found.append(one)
            else:
                room -= len(text)
                yield one, text

    def _runs(self, contents: list[Content]) -> Iterator[list[Content]]:
        """Cut Parquet files into runs whose cells fit together; well-packed files may hold more than their size says.

        Files that have too many cells of their own are found to have no print.
        """
        fitting, costs = [], []
        for one, content in contents:
            try:
                footer = footer_of(content)
            except NotATable as fault:
                self.found.append(replace(one, print=fault))
                continue
            cost = footer.num_rows * footer.num_columns * _CELL_BYTES
            if cost > self.keep:
                self.found.append(one)
            else:
                fitting.append((one, content))
                costs.append(cost)
        for cut in budgeted(np.array(costs, np.int64), self.keep):
            yield fitting[cut]

    def _combine_frames(self, contents: list[Content], frames: list[pl.DataFrame | NotATable]) -> None:
        together: dict[Any, list[tuple[Found, pl.DataFrame]]] = defaultdict(list)
        for (one, _), frame in zip(contents, frames, strict=True):
            if isinstance(frame, NotATable):
                self.found.append(replace(one, print=frame))
            else:
                together[tuple(frame.schema.items())].append((one, frame))
        for shape, members in together.items():
            columns = columns_of(pl.Schema(shape))
            frames = [frame for _, frame in members]
            part = Part(pl.concat(frames), [frame.height for frame in frames])
            self.parts.append((part, columns, {}, [one for one, _ in members]))

    def _combine_texts(self, contents: list[Content]) -> None:
        together: dict[delimited.Dialect, list[Content]] = defaultdict(list)
        for one, content in contents:
            try:
                text, script = unicode(content)
                dialect = delimited.sniff(text, script)
            except NotATable as fault:
                self.found.append(replace(one, print=fault))
            else:
                head = len(delimited.first_record(text)) if dialect.header else 0
                together[dialect].append((one, text[head:]))
        for dialect, members in together.items():
            self._parse(dialect, members)

    def _parse(self, dialect: delimited.Dialect, members: list[Content]) -> None:
        frame, rows, faults = delimited.parse_together([body for _, body in members], dialect)
        columns = tuple(Column(name, "String", "text") for name in dialect.names)
        self.found += [replace(members[place][0], print=fault) for place, fault in faults.items()]
        good = [place for place in range(len(members)) if place not in faults]
        part = Part(frame, [rows[place] for place in good])
        self.parts.append((part, columns, dialect.told(), [members[place][0] for place in good]))

    def _keep(self) -> None:
        """Write the cells of all parts as one pack, and say where those of each file lie."""
        members = [one.digest for *_, ones in self.parts for one in ones]
        if not members:
            return
        parts = [part for part, *_ in self.parts]
        hashed = fingerprints(parts, self.store.policy)
        pack, offset = self.store.keep_cells(members, hashed), 0
        for (part, columns, dialect, ones), cells, told in zip(self.parts, hashed, statistics(parts), strict=True):
            start = 0
            for one, rows, bounds in zip(ones, part.rows, told, strict=True):
                block = (pack, offset, part.frame.height, start)
                print_ = Print(one.digest, rows, columns, block, tuple(bounds), dialect)
                self.found.append(Found(one.file, one.format, print_, one.digest, one.bytes_read))
                start += rows
            offset += cells.nbytes
        self.parts = []


def _parquet_frames(contents: list[bytes]) -> list[pl.DataFrame | NotATable]:
    """Read Parquet files in one call; one by one if some file is bad."""
    try:
        with naming_faults():
            frames = pl.collect_all([pl.scan_parquet(io.BytesIO(content)) for content in contents])
            return [leaf_frame(frame) for frame in frames]
    except NotATable:
        return [_frame("parquet", content) for content in contents]


def _frame(of: str, content: bytes) -> pl.DataFrame | NotATable:
    try:
        with naming_faults():
            return leaf_frame(content_frame(of, content))
    except NotATable as fault:
        return fault
