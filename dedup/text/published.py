"""Published documents, indexed so that new ones are held against them without reading them all.

The index of a set of documents lies in a folder of its own, named by what it was made of:

- ``digests``: the documents' normal forms, by hash; finds exact duplicates;
- ``shingles``: every shingle that occurs, with the documents that hold it;
- ``sets``: the shingles of each document, read only where two documents are to be compared.

A document of n shingles of its own reaches the threshold only with documents that hold one of any
n - ceil(t n) + 1 of them (the prefix filter of `dedup.text.join`); the rarest are looked up, and most of what is new
occurs nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from dedup.text.documents import Documents
from dedup.text.join import ROUNDING, prefix_lengths
from dedup.text.lookup import Column, Lookup, Reads
from dedup.text.own import Own
from dedup.text.ragged import budgeted, owners, places, spans
from dedup.text.similarity import Block, Pairs, overlaps
from warehouse.engines import Engine, LocalEngine
from warehouse.stages import Services

__all__ = ["COLUMNS", "DIGESTS", "IDS", "META", "SHINGLES", "Published"]

META, IDS = "index.json", "ids.arrow"
DIGESTS, SHINGLES = "digests", "shingles"
COLUMNS = {
    "digests-document": "u4",
    "documents-digests": "u8",
    "shingles-starts": "i8",
    "shingles-documents": "u4",
    "sets": "u8",
    "sets-starts": "i8",
    "guards": "u8",
    "common": "u8",
    "common-counts": "i8",
}
"""Files of an index besides those of its two lookups, with the type of their numbers.

``digests-*`` lie beside the keys of the lookup of digests, ``shingles-starts`` beside those of shingles; the others
by document (``guards``, ``sets-starts``) or by what these starts say; ``common`` begins with the most frequent.
"""

_AT_ONCE = 1024
_MATCHES_AT_ONCE = 1_000_000
_VALUES_IN_BLOCK = 4_000_000
_LEAST_COST = _VALUES_IN_BLOCK // 65_000
_TASK = "compare with published"


@dataclass(frozen=True, slots=True)
class _Sought:
    """The elements of some new documents by which published ones are looked up."""

    documents: np.ndarray
    sizes: np.ndarray
    guards: np.ndarray
    starts: np.ndarray
    frequency: np.ndarray


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Pairs of a new and a published document, and where the published one's shingles lie."""

    later: np.ndarray
    earlier: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray


class Published:
    """The index of published documents, numbered in order of their ids.

    Parameters
    ----------
    folder
        As `dedup.text.indexing` writes it.
    """

    def __init__(self, folder: Path) -> None:
        self.reads = Reads()
        meta = json.loads((folder / META).read_text())
        self.documents: int = meta["documents"]
        self.compared: int = meta["compared"]
        self.folder = folder
        self._digests = Lookup(folder, DIGESTS, self.reads)
        self._shingles = Lookup(folder, SHINGLES, self.reads)
        self._columns = {name: Column(folder, name, of, self.reads) for name, of in COLUMNS.items()}

    def ids(self, numbers: np.ndarray) -> pl.Series:
        """Return the ids of documents."""
        return pl.scan_ipc(self.folder / IDS).select(pl.col("id").gather(numbers)).collect().to_series()

    def exact(self, documents: Documents) -> Pairs:
        """Return the documents (``later``) that repeat a published one (``earlier``)."""
        later, positions = self._digests.find(documents.digests[:, 0])
        earlier = self._columns["digests-document"].take(positions).astype(np.int64)
        same = self._digests_of(earlier)[:, 1] == documents.digests[later, 1]
        return Pairs(later[same], earlier[same], np.ones(int(same.sum())))

    def common(self, least: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the shingles that more than ``least`` documents hold, ascending, and how many do.

        Parameters
        ----------
        least
            At least half of the setting ``common_least``: rarer ones are not listed.
        """
        counts = self._columns["common-counts"]
        many = 0
        for start in range(0, len(counts), _AT_ONCE):
            above = int((counts.take(slice(start, start + _AT_ONCE)) > least).sum())
            many += above
            if above < _AT_ONCE:
                break
        shingles = self._columns["common"].take(slice(many))
        order = np.argsort(shingles)
        return shingles[order], counts.take(slice(many))[order]

    def sketches(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return digests, guards, sizes and shingles of documents, as `dedup.text.shingles.Sketch` holds them."""
        starts = self._columns["sets-starts"].take(numbers)
        sizes = self._columns["sets-starts"].take(numbers + 1) - starts
        return (
            self._digests_of(numbers),
            self._columns["guards"].take(numbers),
            sizes,
            self._columns["sets"].take(spans(starts, sizes)),
        )  # fmt: skip

    def _digests_of(self, numbers: np.ndarray) -> np.ndarray:
        positions = spans(2 * numbers, np.full(len(numbers), 2))
        return self._columns["documents-digests"].take(positions).reshape(-1, 2)

    def frequency(self, shingles: np.ndarray) -> np.ndarray:
        """Return in how many documents each of ``shingles`` occurs."""
        return self._occurrences(shingles)[1]

    def _occurrences(self, shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the documents with each shingle are listed, and how many they are."""
        starts, frequency = np.zeros(len(shingles), np.int64), np.zeros(len(shingles), np.int64)
        which, positions = self._shingles.find(shingles)
        offsets = self._columns["shingles-starts"]
        starts[which] = offsets.take(positions)
        frequency[which] = offsets.take(positions + 1) - starts[which]
        return starts, frequency

    def near(self, documents: Documents, compared: np.ndarray, own: Own, threshold: float, services: Services) -> Pairs:
        """Return the documents of ``compared`` that reach the threshold with a published one: the first such.

        Parameters
        ----------
        own
            Boilerplate of published and new documents together.
        """
        engine, progress = services.engine or LocalEngine(), services.progress
        found = [Pairs.none()]
        progress.start(_TASK, len(compared), "texts")
        for numbers in documents.shingles.batches(compared, _AT_ONCE):
            sought = self._sought(documents, numbers, own, threshold)
            candidates = self._candidates(sought, threshold)
            pairs = [self._measured(documents, some, own, threshold, engine) for some in candidates]
            best = Pairs.joined([Pairs.none(), *pairs])
            order = np.lexsort((best.earlier, best.later))
            _, first = np.unique(best.later[order], return_index=True)
            found.append(best.take(order[first]))
            progress.advance(_TASK, len(numbers), removed=sum(len(part.later) for part in found))
        progress.finish(_TASK)
        return Pairs.joined(found)

    def _sought(self, documents: Documents, numbers: np.ndarray, own: Own, threshold: float) -> _Sought:
        """Return, per document, as many of its rarest shingles as a similar one must share one of."""
        sizes, values = own.shingles(documents.shingles.sizes[numbers], documents.shingles.read(numbers))
        starts, frequency = self._occurrences(values)
        order = np.argsort(frequency, kind="stable")
        order = order[np.argsort(owners(sizes)[order].astype(np.uint16), kind="stable")]
        owner = owners(sizes)
        chosen = (places(sizes) < prefix_lengths(sizes, threshold)[owner]) & (frequency[order] > 0)
        owner, order = owner[chosen], order[chosen]
        guards = documents.guards[numbers]
        return _Sought(numbers[owner], sizes[owner], guards[owner], starts[order], frequency[order])

    def _candidates(self, sought: _Sought, threshold: float) -> Iterator[_Candidates]:
        """Yield pairs whose guards agree, and of which the published one is not too small."""
        for cut in budgeted(sought.frequency, _MATCHES_AT_ONCE):
            times = sought.frequency[cut]
            holders = self._columns["shingles-documents"].take(spans(sought.starts[cut], times)).astype(np.int64)
            packed, first = np.unique((np.repeat(sought.documents[cut], times) << 32) | holders, return_index=True)
            later, earlier = packed >> 32, packed & 0xFFFFFFFF
            agree = self._columns["guards"].take(earlier) == np.repeat(sought.guards[cut], times)[first]
            later, earlier, least = later[agree], earlier[agree], np.repeat(sought.sizes[cut], times)[first][agree]
            starts = self._columns["sets-starts"].take(earlier)
            sizes = self._columns["sets-starts"].take(earlier + 1) - starts
            enough = sizes >= threshold * least - ROUNDING
            yield _Candidates(later[enough], earlier[enough], starts[enough], sizes[enough])

    def _measured(self, documents: Documents, pairs: _Candidates, own: Own, threshold: float, engine: Engine) -> Pairs:
        together: list[np.ndarray] = []
        blocks = self._blocks(documents, pairs, own, together)
        shared = np.concatenate([np.zeros(0, np.int64), *engine.map_chunks(overlaps, blocks, 1)])
        total = np.concatenate([np.zeros(0, np.int64), *together])
        similarity = shared / np.maximum(total - shared, 1)
        near = similarity >= threshold
        return Pairs(pairs.later[near], pairs.earlier[near], similarity[near])

    def _blocks(
        self, documents: Documents, pairs: _Candidates, own: Own, together: list[np.ndarray]
    ) -> Iterator[Block]:
        """Yield the sets of both sides, and set aside how many elements both have together."""
        of_new = documents.shingles.sizes[pairs.later]
        costs = np.maximum(of_new + pairs.sizes, _LEAST_COST)
        for cut in budgeted(costs, _VALUES_IN_BLOCK):
            later, guards = pairs.later[cut], documents.guards[pairs.later[cut]]
            left = own.elements(of_new[cut], documents.shingles.read(later), guards)
            positions = spans(pairs.starts[cut], pairs.sizes[cut])
            right = own.elements(pairs.sizes[cut], self._columns["sets"].take(positions), guards)
            together.append(left[0] + right[0])
            yield Block(*left, *right)
