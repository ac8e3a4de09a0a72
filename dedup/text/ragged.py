"""Lists of different lengths, kept as one flat array: arithmetic on their borders, and what is in a sorted one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["budgeted", "listed", "owners", "places", "spans", "starts_of"]


def starts_of(lengths: np.ndarray) -> np.ndarray:
    """Return where each list begins; one more entry says where the last ends.

    Examples
    --------
    >>> starts_of(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def owners(lengths: np.ndarray) -> np.ndarray:
    """Return, for each element, the number of its list.

    Examples
    --------
    >>> owners(np.array([2, 0, 3])).tolist()
    [0, 0, 2, 2, 2]
    """
    return np.repeat(np.arange(len(lengths)), lengths)


def places(lengths: np.ndarray) -> np.ndarray:
    """Return, for each element, its place within its list.

    Examples
    --------
    >>> places(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.arange(int(lengths.sum())) - np.repeat(starts_of(lengths)[:-1], lengths)


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the flat positions of the lists that begin at ``starts``.

    Examples
    --------
    >>> spans(np.array([7, 1]), np.array([2, 3])).tolist()
    [7, 8, 1, 2, 3]
    """
    return np.repeat(starts, lengths) + places(lengths)


def listed(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Return which values are in ``ascending``; faster than sorting both when that is short."""
    if not ascending.size:
        return np.zeros(len(values), bool)
    return ascending[np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)] == values


def budgeted(costs: np.ndarray, budget: int) -> Iterator[slice]:
    """Cut a sequence into runs whose costs sum to at most ``budget``, or that are a single item.

    Examples
    --------
    >>> [(cut.start, cut.stop) for cut in budgeted(np.array([3, 3, 9, 1, 1]), 6)]
    [(0, 2), (2, 3), (3, 5)]
    """
    totals = np.cumsum(costs, dtype=np.int64)
    start, spent = 0, 0
    while start < len(costs):
        stop = max(int(np.searchsorted(totals, spent + budget, side="right")), start + 1)
        yield slice(start, stop)
        start, spent = stop, int(totals[stop - 1])
