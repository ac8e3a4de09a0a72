"""Sorted row fingerprints of any table under any projection: from kept cells, from kept rows, or by reading."""

from __future__ import annotations

import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from dedup.lake.files.storage import Storage
from dedup.lake.files.tables import Table
from dedup.lake.fingerprints.entropies import SAMPLE_ROWS, entropy
from dedup.lake.fingerprints.equality import LANES
from dedup.lake.fingerprints.external_sort import Sorter
from dedup.lake.fingerprints.lanes import Lane, sort_distinct
from dedup.lake.fingerprints.rows import Sample, row_lanes, salted
from dedup.lake.fingerprints.store import Store

__all__ = ["Projector", "Rows"]

Columns = tuple[str, ...]
_CHUNK = 1 << 20


class Rows:
    """The distinct rows of a table under a projection.

    Parameters
    ----------
    lanes
        Both lanes in the order of the files, or both sorted.
    """

    def __init__(self, lanes: Sequence[np.ndarray] | Sequence[Lane]) -> None:
        self._lanes = lanes

    @cached_property
    def low(self) -> Lane:
        """The first lane."""
        return _sorted(self._lanes[0])

    @cached_property
    def high(self) -> Lane:
        """The second lane, sorted when it is first asked for."""
        return _sorted(self._lanes[1])

    @property
    def bytes(self) -> int:
        """Memory taken, about."""
        return sum(2 * lane.nbytes for lane in self._lanes if isinstance(lane, np.ndarray))


def _sorted(lane: np.ndarray | Lane) -> Lane:
    if isinstance(lane, Lane):
        return lane
    values, counts = sort_distinct(lane)
    return Lane(len(values), values, counts)


@dataclass
class Projector:
    """Gives the rows of tables under projections, holding no more of them than it may.

    Parameters
    ----------
    memory
        Bytes that fingerprints may take.
    cells_kept
        False if the tables were read under another policy than the store's, and their cells are not its.
    """

    storage: Storage
    store: Store
    tables: Sequence[Table]
    memory: int
    cells_kept: bool = True
    _held: OrderedDict[tuple[int, Columns], Rows] = field(default_factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)

    def rows(self, table: int, columns: Columns) -> Rows:
        """Return the rows of one table, by its number."""
        key = (table, columns)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        found = self._from_cells(table, columns) if self.has_cells(table) else self._from_rows(table, columns)
        self._hold(key, found)
        return found

    def has_cells(self, table: int) -> bool:
        """Tell whether the cells of all files of a table were kept."""
        return self.cells_kept and all(found.block for found in self.tables[table].prints)

    def cells(self, table: int) -> np.ndarray:
        """Return the first lane of a table's kept cells, shape (columns, rows): its sum is that of the rows."""
        found = self.tables[table]
        parts = []
        for print_, keys in zip(found.prints, found.partitions, strict=True):
            pack, offset, height, start = print_.block  # type: ignore[misc] - callers ask only where cells were kept
            places, constants = {column.name: place for place, column in enumerate(print_.columns)}, dict(keys)
            kept = self.store.array(pack, offset, (len(places), len(LANES), height))[:, 0, start : start + print_.rows]
            rows = [
                kept[places[column.name]]
                if column.name in places
                else np.full(print_.rows, salted(column.name, constants.get(column.name), self.store.policy, 0))
                for column in found.columns
            ]
            parts.append(np.stack(rows))
        return np.concatenate(parts, axis=1)

    def warm(self, tables: Iterable[int], columns: Columns) -> None:
        """Get the rows of many small tables ready at once, as far as they fit into the memory."""
        blocks: dict[tuple[str, int, int], list[int]] = {}
        for number in tables:
            table = self.tables[number]
            if (number, columns) not in self._held and len(table.files) == 1 and table.prints[0].block:
                blocks.setdefault(table.prints[0].block[:3], []).append(number)
        for numbers in blocks.values():
            prints = [self.tables[number].prints[0] for number in numbers]
            first = min(found.block[3] for found in prints)  # type: ignore[index] - chosen for having one
            last = max(found.block[3] + found.rows for found in prints)  # type: ignore[index]
            if self._bytes + (last - first) * 8 * 2 * len(LANES) > self.memory:
                return
            summed = self._summed(numbers[0], 0, columns, first, last)
            for number, found in zip(numbers, prints, strict=True):
                start = found.block[3] - first  # type: ignore[index]
                self._hold((number, columns), Rows([lane[start : start + found.rows] for lane in summed]))

    def forget(self) -> None:
        """Let go of all rows held."""
        self._held.clear()
        self._bytes = 0

    def sort_large(self, table: int, projections: Sequence[Columns]) -> int:
        """Read a table once and keep its sorted rows under projections not kept yet; return the bytes of its files."""
        found, key = self.tables[table], self.tables[table].content_key
        widest = sorted(projections, key=len, reverse=True)
        left = [columns for columns in widest if self.store.sorted_rows(key, columns) is None]
        if not left:
            return 0
        self.store.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.store.folder, prefix=".sort-") as name:
            folder = Path(name)
            memory = self.memory // (len(left) * len(LANES))
            sorters = [Sorter(folder, str(number), memory) for number in range(len(left) * len(LANES))]
            sample = Sample(min(2**64 - 1, 2**64 * 2 * SAMPLE_ROWS // max(found.rows, 1)))
            for batch in row_lanes(self.storage, found, left, self.store.policy, sample):
                for sorter, lane in zip(sorters, batch, strict=True):
                    sorter.add(lane)
            for place, columns in enumerate(left):
                path, ours = folder / f"{place}.rows", sorters[place * len(LANES) : (place + 1) * len(LANES)]
                with path.open("wb") as target:
                    lanes = [_write(sorter, target, folder) for sorter in ours]
                self.store.keep_sorted_rows(key, columns, path, lanes)
            self._keep_entropy(table, left[0], sample)
        return found.bytes

    def _keep_entropy(self, table: int, columns: Columns, sample: Sample) -> None:
        """Keep the entropy of a table's columns if a sample taken on the way holds enough of its rows."""
        head = self.rows(table, columns).low.head(SAMPLE_ROWS)
        if len(columns) == len(self.tables[table].columns) and len(head) and head[-1] <= sample.last:
            cells = pl.concat(sample.cells).to_numpy().T
            self.store.keep_entropy(self.tables[table].content_key, entropy(cells[:, cells.sum(axis=0) <= head[-1]]))

    def _from_rows(self, table: int, columns: Columns) -> Rows:
        key = self.tables[table].content_key
        if self.store.sorted_rows(key, columns) is None:
            self.sort_large(table, [columns])
        return Rows(self.store.sorted_rows(key, columns))  # type: ignore[arg-type] - just made

    def _from_cells(self, table: int, columns: Columns) -> Rows:
        found = self.tables[table]
        parts = [
            self._summed(table, place, columns, print_.block[3], print_.block[3] + print_.rows)  # type: ignore[index]
            for place, print_ in enumerate(found.prints)
        ]
        return Rows([np.concatenate([part[lane] for part in parts]) for lane in range(len(LANES))])

    def _summed(self, table: int, file: int, columns: Columns, first: int, last: int) -> np.ndarray:
        """Return both lanes of rows ``first`` to ``last`` of the block that a file stands in, shape (lanes, rows)."""
        found, constants = self.tables[table].prints[file], dict(self.tables[table].partitions[file])
        pack, offset, height, _ = found.block  # type: ignore[misc] - callers ask only where cells were kept
        places = {column.name: place for place, column in enumerate(found.columns)}
        cells = self.store.array(pack, offset, (len(found.columns), len(LANES), height))
        known = [places[name] for name in columns if name in places]
        if len(known) == len(places):
            total = np.add.reduce(cells[:, :, first:last], axis=0)
        else:
            total = np.zeros((len(LANES), last - first), np.uint64)
            for place in known:
                total += cells[place, :, first:last]
        for name in columns:
            if name not in places:
                for lane in range(len(LANES)):
                    total[lane] += salted(name, constants.get(name), self.store.policy, lane)
        return total

    def _hold(self, key: tuple[int, Columns], rows: Rows) -> None:
        self._held[key] = rows
        self._bytes += rows.bytes
        while self._bytes > self.memory and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].bytes


def _write(sorter: Sorter, target: IO[bytes], folder: Path) -> tuple[int, int, int]:
    """Write a sorted lane; return its size, where its hashes begin, and where its counts do (-1 for none)."""
    at, size, repeats = target.tell(), 0, False
    with tempfile.TemporaryFile(dir=folder) as aside:
        for values, counts in sorter.ordered():
            target.write(np.ascontiguousarray(values).data)
            if counts is not None and not repeats:
                repeats = True
                _write_ones(aside, size)
            if repeats:
                aside.write((np.ones(len(values), np.uint64) if counts is None else counts).data)
            size += len(values)
        counts_at = target.tell() if repeats else -1
        aside.seek(0)
        shutil.copyfileobj(aside, target, _CHUNK)
    return size, at, counts_at


def _write_ones(target: IO[bytes], count: int) -> None:
    ones = np.ones(min(count, _CHUNK), np.uint64)
    for start in range(0, count, _CHUNK):
        target.write(ones[: count - start].data)
