"""Coarsening an attribute release: buckets are merged while that improves the trade over what is really released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from privacy.minimize.evaluate.encoding import cells
from privacy.minimize.learn.criterion import Counts, Criterion
from privacy.minimize.learn.generalize import Generalization
from privacy.minimize.learn.sample import Sample
from privacy.minimize.learn.tree import Node

__all__ = ["Trade", "coarsened", "enlarged", "leaf_shares"]

_FREE = 1e-9
"""A loss this small is rounding: what can be merged for nothing is merged."""
_PURITY = 0.05
"""Weight of the Gini impurity beside the expected error: it tells merges apart that change no decision."""


@dataclass(frozen=True)
class Trade:
    """What a combination of buckets costs: expected errors of the task, and personal values guessed right.

    Parameters
    ----------
    criterion
        Says which variables there are, and how leakage is averaged.
    exchange
        Weight of what is guessed right, in [0, 1].
    """

    criterion: Criterion
    exchange: float

    def mass(self, counts: Counts) -> Counts:
        """Return the cost of each combination, from expected target and personal counts of shape (..., width)."""
        starts = np.cumsum([0, *self.criterion.sizes[:-1]])
        total = self.criterion.total(counts)
        largest = np.maximum.reduceat(counts, starts, axis=-1)
        squares = np.add.reduceat(counts * counts, starts, axis=-1)
        of_targets = slice(len(self.criterion.targets))
        errors = total - largest[..., of_targets].mean(axis=-1)
        impure = total - squares[..., of_targets].mean(axis=-1) / np.maximum(total, 1e-300)
        guessed = self._guessed(largest[..., len(self.criterion.targets) :])
        return (1 - self.exchange) * (errors + _PURITY * impure) + self.exchange * guessed

    def _guessed(self, largest: Counts) -> Counts:
        if not self.criterion.personal:
            return largest.sum(axis=-1)
        if self.criterion.worst:
            return largest.max(axis=-1)
        return np.average(largest, axis=-1, weights=self.criterion.weights)


@dataclass(frozen=True)
class _Cells:
    """Combinations of buckets that occur: their buckets, their expected counts, their support."""

    buckets: npt.NDArray[np.intp]
    counts: npt.NDArray[np.float64]
    support: npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Merge:
    """Two buckets of a column, and what having one instead saves."""

    worth: float
    column: int
    one: int
    other: int


def coarsened(  # noqa: PLR0913 - a start, its data, and two limits
    found: Generalization,
    sample: Sample,
    shares: Sequence[npt.NDArray[np.float64]],
    trade: Trade,
    floor: float = 0,
    *,
    improving: bool = True,
) -> Generalization:
    """Merge buckets, best first, until no merge improves the trade and no released combination is too small.

    A tree prices its leaves; what an attribute release tells is the combination of buckets, which no leaf knows of.
    Here the price is that of the combinations.

    Parameters
    ----------
    found
        Where to start; its tree is not released.
    shares
        Of each target, the expected share of each class, one row per record; smooth ones, for the classes of single
        records make every rare combination look certain.
    floor
        Least support of a combination, in the layout's units.
    improving
        False to merge for the floor alone.
    """
    told = _cells(found, sample, shares)
    buckets = [column.copy() for column in found.buckets]
    while merge := _next(told, sample, trade, floor, improving=improving):
        told = _merged(told, merge)
        _renumber(buckets[merge.column], merge)
    return Generalization(found.layout, tuple(buckets))


def enlarged(found: Generalization, sample: Sample, criterion: Criterion, floor: float) -> Generalization:
    """Merge buckets until every released combination has the support ``floor``; of equal effect, the cheapest.

    Classes are expected as in the leaves of the tree that the generalization comes from.
    """
    if found.tree is None:
        raise TypeError("the floor is kept by the expectations of a tree")
    shares = leaf_shares(found.tree, sample)
    return coarsened(found, sample, shares, Trade(criterion, float(criterion.alpha)), floor, improving=False)


def leaf_shares(tree: Node, sample: Sample) -> list[npt.NDArray[np.float64]]:
    """Return class shares of each record's leaf, one table per target."""
    targets = sample.layout.targets
    counts = np.array([leaf.counts[: sum(targets)] for leaf in tree.leaves()])
    parts = np.split(counts, np.cumsum(targets)[:-1], axis=1)
    leaf = tree.route(list(sample.columns))
    return [(part / part.sum(axis=1, keepdims=True))[leaf] for part in parts]


def _cells(found: Generalization, sample: Sample, shares: Sequence[npt.NDArray[np.float64]]) -> _Cells:
    weights = np.ones(sample.rows) if sample.weights is None else sample.weights.astype(np.float64)
    support = weights if sample.support is None else sample.support
    released = [buckets[codes] for buckets, codes in zip(found.buckets, sample.columns, strict=True)]
    found_cells = cells(released, sample.rows)
    cell, size = found_cells.number, found_cells.count
    distinct = np.zeros((size, len(released)), dtype=np.intp)
    distinct[cell] = np.column_stack(released)
    counts = [np.bincount(cell, weights * share, size) for table in shares for share in table.T]
    for number, attribute in enumerate(sample.layout.personal):
        key = cell * attribute.size + sample.personal(number)
        counts += list(np.bincount(key, weights, size * attribute.size).reshape(size, -1).T)
    return _Cells(distinct, np.column_stack(counts), np.bincount(cell, support, size))


def _next(told: _Cells, sample: Sample, trade: Trade, floor: float, *, improving: bool) -> _Merge | None:
    """Return the merge of most worth that improves the trade or, failing that, the cheapest for too small cells."""
    small = told.buckets[told.support < floor]
    if not (improving or len(small)):
        return None
    found = sorted(_merges(told, sample, trade), key=lambda merge: -merge.worth)
    if improving and found and found[0].worth > -_FREE:
        return found[0]
    return next((merge for merge in found if np.isin(small[:, merge.column], (merge.one, merge.other)).any()), None)


def _merges(told: _Cells, sample: Sample, trade: Trade) -> Iterator[_Merge]:
    costs = trade.mass(told.counts)
    for column in np.flatnonzero(told.buckets.max(axis=0)).tolist():
        rest = cells(list(np.delete(told.buckets, column, axis=1).T), len(told.buckets)).number
        numbers = range(int(told.buckets[:, column].max()) + 1)
        members = [np.flatnonzero(told.buckets[:, column] == bucket) for bucket in numbers]
        ordered = sample.layout.codings[column].kind == "interval"
        for one, other in pairwise(numbers) if ordered else combinations(numbers, 2):
            _, left, right = np.intersect1d(rest[members[one]], rest[members[other]], return_indices=True)
            first, second = members[one][left], members[other][right]
            together = trade.mass(told.counts[first] + told.counts[second])
            yield _Merge(float((costs[first] + costs[second] - together).sum()), column, one, other)


def _merged(told: _Cells, merge: _Merge) -> _Cells:
    buckets = told.buckets.copy()
    _renumber(buckets[:, merge.column], merge)
    merged = cells(list(buckets.T), len(buckets))
    distinct = np.zeros((merged.count, buckets.shape[1]), dtype=np.intp)
    distinct[merged.number] = buckets
    order = np.argsort(merged.number, kind="stable")
    starts = np.searchsorted(merged.number[order], np.arange(merged.count))
    counts, support = (np.add.reduceat(part[order], starts, axis=0) for part in (told.counts, told.support))
    return _Cells(distinct, counts, support)


def _renumber(buckets: npt.NDArray[np.intp], merge: _Merge) -> None:
    buckets[buckets == merge.other] = merge.one
    buckets[buckets > merge.other] -= 1
