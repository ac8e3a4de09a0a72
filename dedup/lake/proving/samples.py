"""Refutation by samples of rows that are taken once per table.

The sample of a child is its k smallest row hashes: a uniform sample of its distinct rows without replacement, the same
whatever it is compared with. A sampled row that the parent lacks refutes the edge for certain; of n distinct rows, m of
them missing, the edge survives with probability C(n - m, k) / C(n, k). Candidates come from the rarest sampled row of
each child, looked up in lists of the tables that hold it, so that pairs without a row in common never come up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dedup.lake.fingerprints.lanes import Lane
from dedup.text.ragged import budgeted, spans

__all__ = ["SAMPLE_ROWS", "Postings", "postings", "survival"]

SAMPLE_ROWS = 16
"""Rows sampled of each child."""
_COMMON = 256
"""A row in more tables than this tells nothing about near-containment."""
_PAIRS = 1 << 20
"""Pairs looked at together, about."""


@dataclass(frozen=True)
class Postings:
    """Which tables hold which sampled rows.

    Parameters
    ----------
    samples
        Numbers of the sampled rows of each child, rarest first, shape (children, k); rows of small children repeat.
    starts
        Where the list of each row begins in ``holders``.
    holders
        Places of parents, ascending within each list.
    """

    samples: np.ndarray
    starts: np.ndarray
    holders: np.ndarray
    parents: int

    def candidates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return places of children and parents such that the parent holds every sampled row of the child."""
        rarest = self.samples[:, 0]
        counts = self.starts[rarest + 1] - self.starts[rarest]
        children = np.repeat(np.arange(len(self.samples)), counts)
        parents = self.holders[spans(self.starts[rarest], counts)]
        return self.holding(children, parents)

    def holding(self, children: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return those of some pairs in which the parent holds every sampled row of the child."""
        for place in range(self.samples.shape[1]):
            found = self._held(self.samples[children, place], parents)
            children, parents = children[found], parents[found]
        return children, parents

    def shared(self, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return pairs that share a sampled row, and the share of it, from ``least`` on.

        A parent that holds that share of k rows holds one of the k - least k + 1 rarest, so only those are looked up;
        rows in very many tables are left aside.
        """
        k = self.samples.shape[1]
        rare = self.samples[:, : k - math.ceil(least * k) + 1]
        counts = self.starts[rare + 1] - self.starts[rare]
        counts = np.where(counts > _COMMON, 0, counts)
        found = [
            self._shared(np.arange(cut.start, cut.stop), rare[cut], counts[cut], least)
            for cut in budgeted(counts.sum(axis=1), _PAIRS)
        ]
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))  # type: ignore[return-value]

    def _shared(
        self, children: np.ndarray, rare: np.ndarray, counts: np.ndarray, least: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        owner = np.repeat(np.repeat(children, rare.shape[1]), counts.ravel())
        held = self.holders[spans(self.starts[rare.ravel()], counts.ravel())]
        pairs = np.unique(owner * self.parents + held)
        children, parents = pairs // self.parents, pairs % self.parents
        times = sum(self._held(self.samples[children, place], parents) for place in range(self.samples.shape[1]))
        share = times / self.samples.shape[1]
        keep = share >= least
        return children[keep], parents[keep], share[keep]

    def _held(self, rows: np.ndarray, parents: np.ndarray) -> np.ndarray:
        """Tell for each pair of a row and a parent whether the parent holds the row."""
        wanted = rows * self.parents + parents
        at = np.minimum(np.searchsorted(self._keys, wanted), max(len(self._keys) - 1, 0))
        return self._keys[at] == wanted if len(self._keys) else np.zeros(len(wanted), bool)

    @cached_property
    def _keys(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts)) * self.parents + self.holders


def postings(heads: Sequence[np.ndarray], parents: Sequence[Callable[[], Lane]]) -> Postings:
    """Look the sampled rows of children up in parents.

    Parameters
    ----------
    heads
        Smallest row hashes of each child, at least one.
    parents
        How to get the first lane of each parent; each is asked for once.
    """
    rows = np.unique(np.concatenate(heads))
    holders, held = [], []
    for place, lane in enumerate(parents):
        found = _held(rows, lane())
        held.append(found)
        holders.append(np.full(len(found), place))
    flat, owner = np.concatenate(held), np.concatenate(holders)
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(len(rows) + 1))
    k = min(SAMPLE_ROWS, max(map(len, heads)))
    samples = np.empty((len(heads), k), np.int64)
    for child, head in enumerate(heads):
        numbers = np.searchsorted(rows, head[:k])
        samples[child] = np.resize(numbers[np.argsort(np.diff(starts)[numbers], kind="stable")], k)
    return Postings(samples, starts, owner[order], len(parents))


def _held(rows: np.ndarray, lane: Lane) -> np.ndarray:
    """Return the places of ``rows`` that a lane holds."""
    found = []
    for values, _ in lane.chunks():
        if not len(values):
            continue
        if len(values) * 4 < len(rows):
            at = np.minimum(np.searchsorted(rows, values), len(rows) - 1)
            found.append(at[rows[at] == values])
        else:
            first = int(np.searchsorted(rows, values[0]))
            last = int(np.searchsorted(rows, values[-1], side="right"))
            at = np.searchsorted(values, rows[first:last])
            found.append(first + np.flatnonzero(values[np.minimum(at, len(values) - 1)] == rows[first:last]))
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def survival(distinct: int, missing: int, sampled: int) -> float:
    """Return the probability that none of the missing rows is among those sampled without replacement.

    Examples
    --------
    >>> round(survival(100, 10, 10), 5)
    0.33048
    """
    if distinct < sampled:
        return float(missing == 0)
    return math.comb(distinct - missing, sampled) / math.comb(distinct, sampled)
