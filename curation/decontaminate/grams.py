"""Runs of words as 64-bit numbers, and an index of whose runs they are; all in numpy.

A run's number is a sum of its words' hashes, each times an odd constant of its place, modulo 2^64. Among the ten
million pairs of a large job the chance of one false match is below one in a million.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["GramIndex", "Grams", "gram_index", "grams"]

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_SEED = 20_251_109
_FILTER_BITS = 22


class Grams(NamedTuple):
    """Runs of words: the row each stands in, the word it starts at, and its number."""

    row: Ints
    start: Ints
    key: Hashes


def grams(words: pl.Series, n: int) -> Grams:
    """Return every run of ``n`` words of every row, in order.

    Parameters
    ----------
    words
        Lists of words, one per row.
    """
    lengths = words.list.len().fill_null(0).to_numpy().astype(np.int64)
    flat = words.filter(pl.Series(lengths > 0)).explode()
    tokens = flat.hash(_SEED).to_numpy() if len(flat) else np.empty(0, np.uint64)
    count = max(len(tokens) - n + 1, 0)
    places = np.random.default_rng(_SEED).integers(1, 2**63, n, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    key = np.zeros(count, np.uint64)
    for offset, place in enumerate(places):
        key += tokens[offset : offset + count] * place
    row = np.repeat(np.arange(len(lengths)), lengths)
    start = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    whole = start[:count] + n <= lengths[row[:count]]
    return Grams(row[:count][whole], start[:count][whole], key[whole])


@dataclass(frozen=True)
class GramIndex:
    """Runs of benchmark items, sorted, with the items that hold each.

    Parameters
    ----------
    keys
        Different runs, ascending.
    offsets, items
        Run ``i`` stands in ``items[offsets[i]:offsets[i + 1]]``, ascending.
    sizes
        Number of different runs per item.
    """

    keys: Hashes
    offsets: Ints
    items: Ints
    sizes: Ints
    seen: NDArray[np.bool_]

    def find(self, keys: Hashes) -> tuple[Ints, Ints]:
        """Return the places in ``keys`` that hold an indexed run, and the number of that run."""
        likely = np.flatnonzero(self.seen[keys >> np.uint64(64 - _FILTER_BITS)])
        number = np.searchsorted(self.keys, keys[likely])
        number = np.minimum(number, max(len(self.keys) - 1, 0))
        right = self.keys[number] == keys[likely] if len(self.keys) else np.zeros(0, bool)
        return likely[right], number[right]

    def owners(self, number: Ints) -> tuple[Ints, Ints]:
        """Return, for each of the runs ``number``, each of its items: places in ``number``, and items."""
        counts = self.offsets[number + 1] - self.offsets[number]
        place = np.repeat(np.arange(len(number)), counts)
        within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        return place, self.items[self.offsets[number][place] + within]


def gram_index(words: pl.Series, n: int, without: Hashes | None = None) -> GramIndex:
    """Index the runs of benchmark items.

    Parameters
    ----------
    words
        Lists of words, one per item.
    without
        Runs to leave out.
    """
    found = grams(words, n)
    pairs = np.unique(np.stack([found.key, found.row.astype(np.uint64)], axis=1), axis=0)
    key, item = pairs[:, 0], pairs[:, 1].astype(np.int64)
    keys, counts = np.unique(key, return_counts=True)
    kept = np.ones(len(keys), bool) if without is None else ~np.isin(keys, without)
    item = item[np.repeat(kept, counts)]
    keys, counts = keys[kept], counts[kept]
    seen = np.zeros(2**_FILTER_BITS, bool)
    seen[keys >> np.uint64(64 - _FILTER_BITS)] = True
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return GramIndex(keys, offsets, item, np.bincount(item, minlength=len(words)), seen)
