"""Permutations and draws that depend on nothing but their key: not on library versions, not on the number of ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.ids import digest

__all__ = ["copies", "permutation", "ranking"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def permutation(size: int, *key: Any) -> NDArray[np.int64]:
    """Return 0 ... ``size`` - 1 in the order that ``key`` (JSON values) draws.

    Each index gets a 64-bit number by SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014); the order is that of the numbers.

    Examples
    --------
    >>> permutation(5, 7, "epoch", 0).tolist() == permutation(5, 7, "epoch", 0).tolist()
    True
    """
    return np.argsort(_numbers(size, key), kind="stable")


def ranking(weights: NDArray[np.float64], *key: Any) -> NDArray[np.int64]:
    """Return every index once, the heavier ones likely to come early; those that weigh nothing come last.

    Drawing one after the other without replacement, in proportion to the weights that are left (Efraimidis and
    Spirakis, "Weighted random sampling with a reservoir", 2006: order by u ** (1 / w)).

    Examples
    --------
    >>> ranking(np.array([0.0, 1.0, 1e9]), 0).tolist()
    [2, 1, 0]
    """
    drawn = (_numbers(len(weights), key) >> np.uint64(11)).astype(np.float64) + 0.5
    with np.errstate(divide="ignore"):
        waits = np.log(-np.log(drawn / 2**53)) - np.log(weights)
    return np.lexsort((drawn, waits))


def copies(weights: NDArray[np.float64], *key: Any) -> NDArray[np.int64]:
    """Return how often each row is drawn, ``len(weights)`` draws in all, in proportion to the weights.

    Systematic resampling (Kitagawa, "Monte Carlo filter and smoother", 1996): the count of a row differs from its
    expectation by less than one.

    Examples
    --------
    >>> copies(np.array([3.0, 0.0, 1.0, 0.0]), 0).tolist()
    [3, 0, 1, 0]
    """
    ends = np.cumsum(weights) * (len(weights) / weights.sum())
    ends[-1] = len(weights)
    reached = np.floor(ends + _word(key) / 2**64)
    return np.diff(np.minimum(reached, len(weights)), prepend=0.0).astype(np.int64)


def _numbers(size: int, key: tuple[Any, ...]) -> NDArray[np.uint64]:
    numbers = np.uint64(_word(key)) + np.arange(1, size + 1, dtype=np.uint64) * _GOLDEN
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIX[0]
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _MIX[1]
    return numbers ^ (numbers >> np.uint64(31))


def _word(key: tuple[Any, ...]) -> int:
    return int(digest(list(key))[:16], 16)
