"""MinHash with banding: pairs that may be similar, in less memory than prefixes take; some are missed, at a known rate.

Each document gets ``bands`` keys, each made of the smallest values of ``rows`` hash functions over its elements. Two
documents of Jaccard similarity s share a key with probability 1 - (1 - s**rows)**bands.

Sources: Broder 1997, *On the resemblance and containment of documents*; Leskovec, Rajaraman & Ullman, *Mining of
Massive Datasets*, section 3.4.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil, log
from pathlib import Path

import numpy as np

from dedup.text.hashing import mix
from dedup.text.join import Postings, Probes, sorted_postings
from dedup.text.ragged import budgeted, listed, starts_of
from dedup.text.store import SetStore
from warehouse.engines import Engine

__all__ = ["Banding", "band_probes"]

_MOST_HASHES = 128
_AT_ONCE = 4096
_VALUES_AT_ONCE = 1 << 16

Sets = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Banding:
    """A number of keys per document, and of hash functions in each."""

    bands: int
    rows: int

    def probability(self, similarity: float) -> float:
        """Return the probability that two documents of this similarity share a key.

        Examples
        --------
        >>> round(Banding(14, 8).probability(0.8), 3)
        0.924
        """
        return 1 - (1 - similarity**self.rows) ** self.bands

    @classmethod
    def reaching(cls, recall: float, threshold: float) -> Banding:
        """Return the most selective banding of at most 128 hash functions with this ``recall`` at the threshold.

        Where none has it, as for very small thresholds, 128 keys of one function.

        Examples
        --------
        >>> Banding.reaching(0.98, 0.8)
        Banding(bands=17, rows=7)
        """
        for rows in range(_MOST_HASHES, 0, -1):
            bands = _bands_needed(recall, threshold**rows)
            if bands * rows <= _MOST_HASHES:
                return cls(bands, rows)
        return cls(_MOST_HASHES, 1)


def _bands_needed(recall: float, agreement: float) -> int:
    """Return how many keys, each shared with probability ``agreement``, make it likely enough that one is."""
    if agreement >= 1:
        return 1
    return ceil(log(1 - recall) / np.log1p(-agreement)) if agreement > 0 else _MOST_HASHES + 1


def band_keys(chunk: Iterable[Sets], banding: Banding) -> list[np.ndarray]:
    """Return, for each ``(sizes, elements)``, the documents' keys, shape (bands, documents); no set may be empty."""
    return [_keys(sizes, elements, banding) for sizes, elements in chunk]


def _keys(sizes: np.ndarray, elements: np.ndarray, banding: Banding) -> np.ndarray:
    """Hash with x -> a x + c modulo 2**64, a odd, over elements that are random 63-bit numbers already."""
    numbers = np.arange(banding.bands * banding.rows, dtype=np.uint64)
    factors, offsets = mix(2 * numbers) | np.uint64(1), mix(2 * numbers + np.uint64(1))
    keys = np.empty((banding.bands, len(sizes)), np.uint64)
    for cut in budgeted(sizes, _VALUES_AT_ONCE):
        starts = starts_of(sizes)
        part = elements[starts[cut.start] : starts[cut.stop]]
        begin = starts[cut] - starts[cut.start]
        for band in range(banding.bands):
            key = np.full(len(begin), np.uint64(band))
            for row in range(band * banding.rows, (band + 1) * banding.rows):
                key = mix(key ^ np.minimum.reduceat(part * factors[row] + offsets[row], begin))
            keys[band, cut] = key
    return keys


def band_probes(store: SetStore, banding: Banding, engine: Engine, folder: Path) -> Probes:
    """Yield batches of documents with the keys that they share with others, as `dedup.text.join.prefixes` does.

    Parameters
    ----------
    store
        Sets of the documents, numbered in order of preference.
    folder
        Folder for a temporary file: 8 bytes per key.
    """
    everyone = np.flatnonzero(store.sizes)
    if not everyone.size:
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        keys = np.memmap(file, np.uint64, "w+", shape=(banding.bands, len(everyone)))
        done = 0
        for part in engine.map_chunks(partial(band_keys, banding=banding), _sets(store, everyone), 1):
            keys[:, done : done + part.shape[1]] = part
            done += part.shape[1]
        for band in keys:
            _drop_single(band)
        for start in range(0, len(everyone), _AT_ONCE):
            numbers = everyone[start : start + _AT_ONCE]
            yield numbers, _postings(numbers, store.sizes[numbers], keys[:, start : start + _AT_ONCE])


def _sets(store: SetStore, numbers: np.ndarray) -> Iterator[Sets]:
    for some in store.batches(numbers, _AT_ONCE):
        yield store.sizes[some], store.read(some)


def _drop_single(keys: np.ndarray) -> None:
    """Put 0 in the place of the keys that only one document has."""
    ascending = np.sort(keys)
    keys[~listed(keys, np.unique(ascending[1:][ascending[1:] == ascending[:-1]]))] = 0


def _postings(numbers: np.ndarray, sizes: np.ndarray, keys: np.ndarray) -> Postings:
    """Return shared keys as postings; a key says nothing of how many elements follow, so all may."""
    band, place = np.nonzero(keys)
    return sorted_postings(keys[band, place], numbers[place], sizes[place], sizes[place])
