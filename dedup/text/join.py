"""Pairs of sets that may be similar, by prefix, length and position; none that is similar is missed.

If J(A, B) >= t, and both sets are put in one global order, rarest element first, then the first
|A| - ceil(t |A|) + 1 elements of A and the like of B share an element (prefix filter); the smaller is at least t
times the larger (length filter); and what follows the first shared element leaves room for the overlap
t / (1 + t) (|A| + |B|) that J >= t asks for (position filter).

Sources: Chaudhuri, Ganti & Kaushik 2006, *A primitive operator for similarity joins in data cleaning*; Bayardo, Ma &
Srikant 2007, *Scaling up all pairs similarity search*; Xiao, Wang, Lin & Yu 2008, *Efficient similarity joins for
near duplicate detection* (PPJoin).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dedup.text.counts import Counts
from dedup.text.ragged import budgeted, owners, places, spans

__all__ = [
    "ROUNDING",
    "Postings",
    "PrefixIndex",
    "Probes",
    "candidates",
    "matches",
    "prefix_lengths",
    "prefixes",
    "sorted_postings",
]

_MATCHES_AT_ONCE = 2_000_000
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Postings:
    """Prefix elements in ascending order of their hash, with the document and the place they stand at.

    Parameters
    ----------
    hashes
        uint64.
    documents
        Numbers of the documents; uint32, as are the others.
    left
        Elements that follow in the document's order.
    sizes
        Elements of the document.
    """

    hashes: np.ndarray
    documents: np.ndarray
    left: np.ndarray
    sizes: np.ndarray

    def take(self, which: np.ndarray) -> Postings:
        """Return some of the postings, by mask or ascending position."""
        return Postings(self.hashes[which], self.documents[which], self.left[which], self.sizes[which])

    def without(self, documents: np.ndarray) -> Postings:
        """Return the postings of all other documents."""
        return self.take(~np.isin(self.documents, documents))

    @staticmethod
    def merged(parts: list[Postings]) -> Postings:
        """Return all postings of ``parts`` in ascending order of hash."""
        hashes = np.concatenate([part.hashes for part in parts])
        order = np.argsort(hashes, kind="stable")
        columns = (np.concatenate([getattr(p, name) for p in parts])[order] for name in ("documents", "left", "sizes"))
        return Postings(hashes[order], *columns)


Probes = Iterator[tuple[np.ndarray, Postings]]
"""Batches of documents in order of preference, each with the postings by which its members are looked up."""


def prefixes(
    numbers: np.ndarray,
    sizes: np.ndarray,
    values: np.ndarray,
    counts: Counts,
    threshold: float,
) -> Postings:
    """Return the prefix elements of some documents, less those that no other document holds.

    Parameters
    ----------
    numbers, sizes, values
        The documents, at most 65,536; their sizes; their elements, each document's in ascending order.
    counts
        Counts of all elements of all documents.
    """
    rarity = counts.of(values)
    owner = owners(sizes)
    order = np.argsort(rarity, kind="stable")
    order = order[np.argsort(owner[order].astype(np.uint16), kind="stable")]
    place = places(sizes)
    of_owner = sizes[owner]
    within = place < prefix_lengths(of_owner, threshold)
    shared = within & (rarity[order] > 1)
    owner, place = owner[shared], place[shared]
    return sorted_postings(values[order[shared]], numbers[owner], sizes[owner] - place - 1, sizes[owner])


def sorted_postings(hashes: np.ndarray, documents: np.ndarray, left: np.ndarray, sizes: np.ndarray) -> Postings:
    """Return postings in order of their hashes, in as little memory as they take."""
    order = np.argsort(hashes, kind="stable")
    return Postings(hashes[order], *(column[order].astype(np.uint32) for column in (documents, left, sizes)))


def prefix_lengths(sizes: np.ndarray, threshold: float) -> np.ndarray:
    """Return how many elements of a set suffice to meet every set that is similar enough, whichever they are."""
    return sizes - np.ceil(threshold * sizes - ROUNDING) + 1


def matches(probe: Postings, index: Postings) -> np.ndarray:
    """Return how many postings of ``index`` share the hash of each of ``probe``."""
    return np.searchsorted(index.hashes, probe.hashes, "right") - np.searchsorted(index.hashes, probe.hashes, "left")


def candidates(probe: Postings, index: Postings, threshold: float) -> Iterator[np.ndarray]:
    """Yield pairs that pass the filters, each packed as ``probe document << 32 | index document``, index the smaller.

    A yield holds each pair once; further yields may repeat it.
    """
    times = matches(probe, index)
    hit = np.flatnonzero(times)
    first = np.searchsorted(index.hashes, probe.hashes[hit], "left")
    for cut in budgeted(times[hit], _MATCHES_AT_ONCE):
        a = np.repeat(hit[cut], times[hit][cut])
        b = spans(first[cut], times[hit][cut])
        passed = _possible(probe, a, index, b, threshold)
        packed = (probe.documents[a[passed]].astype(np.int64) << 32) | index.documents[b[passed]]
        if packed.size:
            yield np.unique(packed)


def _possible(probe: Postings, a: np.ndarray, index: Postings, b: np.ndarray, threshold: float) -> np.ndarray:
    sizes_a, sizes_b = probe.sizes[a], index.sizes[b]
    long_enough = np.minimum(sizes_a, sizes_b) >= threshold * np.maximum(sizes_a, sizes_b) - ROUNDING
    overlap = threshold / (1 + threshold) * (sizes_a + sizes_b) - ROUNDING
    room = 1 + np.minimum(probe.left[a], index.left[b]) >= overlap
    return long_enough & room & (index.documents[b] < probe.documents[a])


class PrefixIndex:
    """Postings of the documents seen so far, in a few sorted runs of growing size."""

    def __init__(self) -> None:
        self._runs: list[Postings] = []

    def add(self, postings: Postings) -> None:
        """Add the postings of new documents."""
        self._runs.append(postings)
        while len(self._runs) > 1 and len(self._runs[-1].hashes) * 2 >= len(self._runs[-2].hashes):
            self._runs[-2:] = [Postings.merged(self._runs[-2:])]

    def candidates(self, probe: Postings, threshold: float) -> Iterator[np.ndarray]:
        """Yield packed pairs of a probing document and an earlier one; see `candidates`."""
        for run in self._runs:
            yield from candidates(probe, run, threshold)
