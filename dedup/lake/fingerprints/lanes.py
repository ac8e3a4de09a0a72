"""Sorted row fingerprints, one lane of 64 bits at a time, and what two of them say of each other.

If every row of a child is in a parent, both lanes of the child are in those of the parent: no edge is ever lost. A
row that is missing passes a lane only if its hash collides with one of the parent's n, so it passes both with a
probability of (n / 2^64)^2: 2^-68 for a parent of a billion rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["Lane", "aligned", "contained", "distinct", "missing", "multiset_contained", "sort_distinct"]

_CHUNK = 1 << 18
_SPARSE, _FEW = 8, 4096
_SHORT = 1 << 10
"""Shorter arrays are sorted by numpy, which costs less to call; longer ones by polars, whose one thread is faster."""
Values = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of a table's rows under a projection: distinct hashes in ascending order, and how often each occurs.

    Parameters
    ----------
    values
        The hashes, uint64; None if they lie in a file.
    counts
        How often each occurs; None if all occur once.
    file
        Path, offset of the hashes and offset of the counts (-1 for None), in bytes.
    """

    size: int
    values: np.ndarray | None = None
    counts: np.ndarray | None = None
    file: tuple[Path, int, int] | None = None

    @property
    def repeats(self) -> bool:
        """True if some row occurs more than once."""
        return self.counts is not None or (self.file is not None and self.file[2] >= 0)

    def chunks(self) -> Iterator[Values]:
        """Yield hashes and counts in order; those of a file a few megabytes at a time."""
        if self.file is None:
            yield self.values, self.counts  # type: ignore[misc] - one of the two is there
            return
        path, at, counts_at = self.file
        for start in range(0, max(self.size, 1), _CHUNK):
            count = min(_CHUNK, self.size - start)
            values = np.fromfile(path, np.uint64, count, offset=at + start * 8)
            counts = np.fromfile(path, np.uint64, count, offset=counts_at + start * 8) if counts_at >= 0 else None
            yield values, counts

    def head(self, most: int) -> np.ndarray:
        """Return the smallest hashes: a uniform sample of the distinct rows, the same in every run."""
        if self.file is None:
            return self.values[:most]  # type: ignore[index] - one of the two is there
        return np.fromfile(self.file[0], np.uint64, min(most, self.size), offset=self.file[1])


def sort_distinct(values: np.ndarray | pl.Series) -> Values:
    """Return distinct values in ascending order with their counts."""
    if len(values) < _SHORT:
        return distinct(np.sort(values))
    return distinct(pl.Series(values).sort(multithreaded=False).to_numpy())


def distinct(ordered: np.ndarray, counts: np.ndarray | None = None) -> Values:
    """Return the distinct values of a sorted array, and how often each occurs: None if each does once.

    Parameters
    ----------
    counts
        How often each of ``ordered`` counts; once by default.

    Examples
    --------
    >>> [part.tolist() for part in distinct(np.array([3, 3, 7], np.uint64))]
    [[3, 7], [2, 1]]
    """
    if len(ordered) < 2:  # noqa: PLR2004 - two values are the least that can be equal
        return ordered, counts
    new = ordered[1:] != ordered[:-1]
    if new.all():
        return ordered, counts
    starts = np.concatenate(([0], np.flatnonzero(new) + 1))
    if counts is None:
        return ordered[starts], np.diff(np.append(starts, len(ordered))).astype(np.uint64)
    return ordered[starts], np.add.reduceat(counts, starts)


def aligned(child: Lane, parent: Lane) -> Iterator[tuple[Values, Values]]:
    """Yield what both lanes hold of one range of hashes after another, a few megabytes at a time."""
    children, parents = child.chunks(), parent.chunks()
    c, p = next(children, None), next(parents, None)
    more_c, more_p = next(children, None), next(parents, None)
    while c is not None and p is not None:
        ends = [part[0][-1] for part, more in ((c, more_c), (p, more_p)) if more is not None and len(part[0])]
        if not ends:
            yield c, p
            return
        limit = min(ends)
        (low_c, c), (low_p, p) = _cut(c, limit), _cut(p, limit)
        yield low_c, low_p
        if more_c is None and not len(c[0]):
            return
        if more_c is not None and not len(c[0]):
            c, more_c = more_c, next(children, None)
        if more_p is not None and not len(p[0]):
            p, more_p = more_p, next(parents, None)


def _cut(part: Values, limit: np.uint64) -> tuple[Values, Values]:
    """Cut after the last value that is at most ``limit``."""
    values, counts = part
    place = int(np.searchsorted(values, limit, side="right"))
    if counts is None:
        return (values[:place], None), (values[place:], None)
    return (values[:place], counts[:place]), (values[place:], counts[place:])


def contained(child: Lane, parent: Lane) -> bool:
    """Tell whether every hash of the child is one of the parent's; ends at the first that is not."""
    if child.size > parent.size:
        return False
    if child.values is not None and parent.values is not None:
        return _all_found(child.values, parent.values)
    return all(_all_found(c[0], p[0]) for c, p in aligned(child, parent))


def multiset_contained(child: Lane, parent: Lane) -> bool:
    """Tell whether the parent holds every hash of the child at least as often."""
    if child.size > parent.size:
        return False
    for (values, counts), (others, times) in aligned(child, parent):
        place, found = _found(values, others)
        if not found.all():
            return False
        if counts is not None and (counts > (times[place] if times is not None else np.uint64(1))).any():
            return False
    return True


def missing(child: Lane, parent: Lane) -> Iterator[np.ndarray]:
    """Yield the hashes of the child that are none of the parent's, in ascending order."""
    for (values, _), (others, _) in aligned(child, parent):
        yield values[~_found(values, others)[1]]


def _all_found(values: np.ndarray, others: np.ndarray) -> bool:
    """Tell whether all values are among the others, both being distinct and sorted; merging beats looking up."""
    if len(values) * _SPARSE < len(others) or len(others) < _FEW:
        return bool(_found(values, others)[1].all())
    both = np.concatenate([values, others])
    both.sort(kind="stable")
    return np.count_nonzero(both[1:] == both[:-1]) == len(values)


def _found(values: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each value the place where it would stand among ``others``, and whether it does."""
    if not len(others):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(others, values), len(others) - 1)
    return place, others[place] == values
