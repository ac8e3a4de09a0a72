"""Coarsening an attribute release: buckets are merged while that improves the trade over what is really released."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy.minimize.evaluate.encoding import cells
from privacy.minimize.learn.columns import Codes
from privacy.minimize.learn.criterion import Counts, Criterion
from privacy.minimize.learn.generalize import Generalization, Tally
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.layout import Layout
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
        of_targets = slice(len(self.criterion.targets))
        classes = counts[..., : sum(self.criterion.targets)]
        squares = np.add.reduceat(classes * classes, starts[of_targets], axis=-1)
        errors = total - largest[..., of_targets].mean(axis=-1)
        impure = total - squares.mean(axis=-1) / np.maximum(total, 1e-300)
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


@dataclass(frozen=True)
class _Merges:
    """Pairs of buckets of a column, in order, and what each saves."""

    column: int
    one: Codes
    other: Codes
    worth: npt.NDArray[np.float64]

    def best(self) -> _Merge:
        place = int(self.worth.argmax())
        return _Merge(float(self.worth[place]), self.column, int(self.one[place]), int(self.other[place]))

    def of(self, buckets: Codes) -> _Merges:
        kept = np.isin(self.one, buckets) | np.isin(self.other, buckets)
        return _Merges(self.column, self.one[kept], self.other[kept], self.worth[kept])


def coarsened(
    found: Generalization,
    sample: Sample,
    shares: Sequence[npt.NDArray[np.float64]],
    trade: Trade,
    floor: float = 0,
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
    """
    return _coarsened(found, _cells(found, sample, shares), trade, floor, improving=True)


def enlarged(found: Generalization, tally: Tally, criterion: Criterion, floor: float) -> Generalization:
    """Merge buckets until every released combination has the support ``floor``; of equal effect, the cheapest.

    Classes are expected as in the leaves of the tree that the generalization comes from.

    Parameters
    ----------
    tally
        The combinations of its buckets.
    """
    if found.tree is None:
        raise TypeError("the floor is kept by the expectations of a tree")
    first = [np.unique(column, return_index=True)[1] for column in found.buckets]
    bins = [places[codes] for places, codes in zip(first, tally.buckets.T, strict=True)]
    shares = leaf_shares(found.tree, found.layout, bins)
    counts = np.hstack([*(tally.weight[:, None] * table for table in shares), tally.personal])
    told = _Cells(tally.buckets, counts, tally.support)
    return _coarsened(found, told, Trade(criterion, float(criterion.alpha)), floor, improving=False)


def leaf_shares(tree: Node, layout: Layout, columns: Sequence[Codes]) -> list[npt.NDArray[np.float64]]:
    """Return class shares of each record's leaf, one table per target."""
    counts = np.array([leaf.counts[: sum(layout.targets)] for leaf in tree.leaves()])
    parts = np.split(counts, np.cumsum(layout.targets)[:-1], axis=1)
    leaf = tree.route(list(columns))
    return [(part / part.sum(axis=1, keepdims=True))[leaf] for part in parts]


def _coarsened(found: Generalization, told: _Cells, trade: Trade, floor: float, *, improving: bool) -> Generalization:
    buckets = [column.copy() for column in found.buckets]
    while merge := _next(told, found.layout, trade, floor, improving=improving):
        told = _merged(told, merge)
        _renumber(buckets[merge.column], merge)
    return Generalization(found.layout, tuple(buckets))


def _cells(found: Generalization, sample: Sample, shares: Sequence[npt.NDArray[np.float64]]) -> _Cells:
    tally, there = InMemory(sample).tally(found), found.cells(sample)
    weights = np.ones(sample.rows) if sample.weights is None else sample.weights
    classes = [np.bincount(there.number, weights * share, there.count) for table in shares for share in table.T]
    return _Cells(tally.buckets, np.column_stack([*classes, tally.personal]), tally.support)


def _next(told: _Cells, layout: Layout, trade: Trade, floor: float, *, improving: bool) -> _Merge | None:
    """Return the merge of most worth that improves the trade or, failing that, the cheapest for too small cells."""
    small = told.buckets[told.support < floor]
    if not (improving or len(small)):
        return None
    found = list(_merges(told, layout, trade))
    best = _best(found)
    if improving and best and best.worth > -_FREE:
        return best
    return _best(merges.of(small[:, merges.column]) for merges in found)


def _best(found: Iterable[_Merges]) -> _Merge | None:
    """Return the merge of most worth, of equal ones the first."""
    return max((merges.best() for merges in found if merges.worth.size), key=lambda merge: merge.worth, default=None)


def _merges(told: _Cells, layout: Layout, trade: Trade) -> Iterator[_Merges]:
    costs = trade.mass(told.counts)
    for column in np.flatnonzero(told.buckets.max(axis=0)).tolist():
        own, ordered = told.buckets[:, column], layout.codings[column].kind == "interval"
        width = int(own.max()) + 1
        worth = np.zeros(width * width)
        for first, second in _alike(told.buckets, column, ordered=ordered):
            together = trade.mass(told.counts[first] + told.counts[second])
            worth += np.bincount(own[first] * width + own[second], costs[first] + costs[second] - together, len(worth))
        one, other = (np.arange(width - 1), np.arange(1, width)) if ordered else np.triu_indices(width, 1)
        yield _Merges(column, one, other, worth[one * width + other])


def _alike(buckets: npt.NDArray[np.intp], column: int, *, ordered: bool) -> Iterator[tuple[Codes, Codes]]:
    """Yield, place by place, two cells that are one but for their buckets of a column: neighbours, if ordered."""
    own, rest = buckets[:, column], cells(list(np.delete(buckets, column, axis=1).T), len(buckets)).number
    order = np.lexsort((own, rest))
    own, rest = own[order], rest[order]
    for apart in range(1, 2 if ordered else int(own.max()) + 1):
        same = rest[apart:] == rest[:-apart]
        if not same.any():
            return
        if ordered:
            same &= own[apart:] == own[:-apart] + 1
        yield order[:-apart][same], order[apart:][same]


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
