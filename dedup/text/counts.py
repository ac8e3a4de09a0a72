"""How many documents hold a hash: a table of fixed size that may overstate, and exact counts where they matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from dedup.text.ragged import listed

__all__ = ["Counts", "common", "occurrences"]

_MOST = np.iinfo(np.uint16).max
_SMALLEST = 16
_SIZE = 1 << 27


class Counts:
    """Counts of hashes by bucket: never too low (up to a greatest value), too high where hashes share a bucket.

    Parameters
    ----------
    expected
        Number of hashes to come; the table has twice as many buckets, as far as ``size`` allows.
    most
        Greatest value counted: 65,535 or 255.
    size
        Bytes that the table may take, a power of two.
    """

    def __init__(self, expected: int, most: int = _MOST, size: int = _SIZE) -> None:
        of = np.min_scalar_type(most)
        largest = (size // of.itemsize).bit_length() - 1
        bits = min(max(int(2 * expected).bit_length(), _SMALLEST), largest)
        self._most = most
        self._mask = np.uint64((1 << bits) - 1)
        self._table = np.zeros(1 << bits, of)

    def add(self, hashes: np.ndarray) -> None:
        """Count one more document for each of ``hashes``."""
        buckets, times = np.unique(hashes & self._mask, return_counts=True)
        self._table[buckets] = np.minimum(self._table[buckets] + times, self._most)

    def of(self, hashes: np.ndarray) -> np.ndarray:
        """Return the counts of ``hashes``."""
        return self._table[hashes & self._mask]


def common(batches: Callable[[], Iterable[np.ndarray]], expected: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes that occur more than ``limit`` times, in ascending order, and how often each does, exactly.

    Parameters
    ----------
    batches
        Gives the hashes of all documents, each document's distinct; called twice.
    expected
        Number of hashes altogether.
    """
    rough = Counts(expected)
    for hashes in batches():
        rough.add(hashes)
    seen, times = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for hashes in batches():
        found, counts = np.unique(hashes[rough.of(hashes) > min(limit, _MOST - 1)], return_counts=True)
        seen, where = np.unique(np.concatenate((seen, found)), return_inverse=True)
        times = np.bincount(where, np.concatenate((times, counts)), len(seen)).astype(np.int64)
    return seen[times > limit], times[times > limit]


def occurrences(batches: Iterable[np.ndarray], hashes: np.ndarray) -> np.ndarray:
    """Return how often each of ``hashes``, which ascend, occurs in ``batches``."""
    times = np.zeros(len(hashes), np.int64)
    for values in batches:
        found, counts = np.unique(values[listed(values, hashes)], return_counts=True)
        times[np.searchsorted(hashes, found)] += counts
    return times
