"""Looking ahead: questions that tell nothing alone, and much together with one or two others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.candidates import Found
from privacy.minimize.learn.columns import quantile_codes
from privacy.minimize.learn.growth import Part
from privacy.minimize.learn.layout import Layout, Split
from privacy.minimize.learn.sample import Rows, Sample

__all__ = ["LookAhead"]

_GROUPS = 8
"""Groups into which a column is cut to look for interactions."""
_FEWEST = 200
"""A node of fewer scouts is not looked into."""
_SLIGHT = 0.005
"""Share of the target's impurity that an interaction must explain to be one."""
_DEVIATIONS = 4
"""Standard deviations of chance, about sqrt(2 cells) / rows, that it must explain besides."""
_MOST_LOOKS = 24
"""Nodes looked into, first come first."""
_WIDE = 24
"""Columns of which all triples are tried; of more, those are taken that explain most in pairs."""

Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Interaction:
    """What columns explain of the target together, beyond the sum of what each explains."""

    synergy: float
    columns: tuple[int, ...]


class LookAhead:
    """Finds splits that prepare others, from rows drawn from the sample.

    Greedy growth sees one question at a time, so that an exclusive or of two or three columns looks like noise. Here
    the Gini impurity of the first target within the cells of two and three columns, corrected for its bias in small
    cells, is compared with what the columns explain one by one; where the difference is larger than what the best
    single split gains, the node is split by the column of the interaction that gains most within the cells of the
    others. Pruning undoes what does not pay.

    Parameters
    ----------
    scouts
        Rows drawn from the sample.
    least
        Least support of a side.
    never
        Columns that no question may be put to.

    Attributes
    ----------
    found
        Splits found so far.
    """

    def __init__(self, scouts: Sample, least: float, never: Sequence[int] = ()) -> None:
        self.scouts = scouts
        self._layout: Layout = scouts.layout
        self._least = least
        self._columns = [column for column in range(len(self._layout.codings)) if column not in set(never)]
        self._classes = self._layout.targets[0]
        self._looks = 0
        self.found = 0

    def find(self, part: Part, rows: Rows, gain: float, whole: float) -> Found | None:
        """Return a split that an interaction asks for, or None if there is no better reason than ``gain``.

        Parameters
        ----------
        rows
            The scouts of the part.
        gain
            What the best single split gains, of the purity of the target.
        whole
            Weight of the whole sample.
        """
        if len(rows) < _FEWEST or self._looks >= _MOST_LOOKS:
            return None
        self._looks += 1
        groups = {column: self._group(column, rows) for column in self._columns}
        target = self.scouts.targets[0].take(rows).astype(np.intp)
        weights = None if self.scouts.weights is None else self.scouts.weights.take(rows)
        found = _strongest(groups, _Target(target, self._classes, weights))
        if found is None:
            return None
        worth = found.synergy * float(self._layout.totals(part.pairs)[: self._classes].sum()) / whole
        if worth <= gain:
            return None
        split = self._first_split(found.columns, groups, rows, part)
        if split is None:
            return None
        self.found += 1
        return Found(worth, split)

    def _group(self, column: int, rows: Rows) -> npt.NDArray[np.intp]:
        """Return a few groups of a column's bins, one per row: quantiles, or the commonest names and the rest."""
        codes = self.scouts.columns[column].take(rows)
        counts = np.bincount(codes, minlength=self._layout.codings[column].bins)
        if self._layout.codings[column].kind == "interval":
            there = np.flatnonzero(counts)
            groups = np.zeros(len(counts), dtype=np.intp)
            groups[there] = quantile_codes(counts[there].tolist(), _GROUPS)
            return groups[codes]
        common = np.lexsort((-np.array(self._layout.codings[column].weights), -counts))[: _GROUPS - 1]
        groups = np.full(len(counts), len(common), dtype=np.intp)
        groups[common] = np.arange(len(common))
        return groups[codes]

    def _first_split(
        self, columns: tuple[int, ...], groups: dict[int, npt.NDArray[np.intp]], rows: Rows, part: Part
    ) -> Split | None:
        found = [self._conditional(column, columns, groups, rows, part) for column in columns]
        return max((pair for pair in found if pair), key=lambda pair: pair[0], default=(0, None))[1]

    def _conditional(
        self,
        column: int,
        columns: tuple[int, ...],
        groups: dict[int, npt.NDArray[np.intp]],
        rows: Rows,
        part: Part,
    ) -> tuple[float, Split] | None:
        """Return the best split of a column within the cells of the others, and what it gains there."""
        cells = np.zeros(len(rows), dtype=np.intp)
        for other in columns:
            if other != column:
                cells = cells * _GROUPS + groups[other]
        size = _GROUPS ** (len(columns) - 1)
        weights = None if self.scouts.weights is None else self.scouts.weights.take(rows)
        bins = self._layout.codings[column].bins
        codes = self.scouts.columns[column].take(rows).astype(np.intp)
        key = (codes * size + cells) * self._classes + self.scouts.targets[0].take(rows)
        table = np.bincount(key, weights, bins * size * self._classes).reshape(bins, size, self._classes)
        present = part.pairs[self._layout.of(column), -1] > 0
        order, ends = self._order(column, table, present)
        prefix = np.cumsum(table[order], axis=0)[:-1]
        support = np.cumsum(part.pairs[self._layout.of(column), -1][order])
        fits = ends & (support[:-1] >= self._least) & (support[-1] - support[:-1] >= self._least)
        if not fits.any():
            return None
        gains = np.where(fits, _mass(table.sum(axis=0)) - _mass(prefix) - _mass(table.sum(axis=0) - prefix), -np.inf)
        place = int(np.argmax(gains))
        left = np.zeros(bins, dtype=bool)
        left[order[: place + 1]] = True
        return float(gains[place]), Split(column, left, present)

    def _order(
        self, column: int, table: Table, present: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return the bins that are there, and after which of them (but the last) a cut may be.

        They are as they are, or names by the direction in which their cells differ most, equal ones together.
        """
        there = np.flatnonzero(present)
        if self._layout.codings[column].kind == "interval":
            return there, np.ones(len(there) - 1, dtype=bool)
        sizes = table[there].sum(axis=2)
        shares = (table[there] / np.maximum(sizes, 1)[..., None])[..., 1:]
        means = table[there].sum(axis=0)[:, 1:] / np.maximum(sizes.sum(axis=0), 1)[:, None]
        profile = (np.sqrt(sizes)[..., None] * (shares - means)).reshape(len(there), -1)
        scores = np.linalg.svd(profile, full_matrices=False)[0][:, 0] / np.sqrt(np.maximum(sizes.sum(axis=1), 1))
        scores = np.round(scores * (np.sign(scores[np.argmax(np.abs(scores))]) or 1), 9)
        order = np.argsort(scores, kind="stable")
        return there[order], np.diff(scores[order]) > 0


@dataclass(frozen=True)
class _Target:
    classes: npt.NDArray[np.intp]
    size: int
    weights: npt.NDArray[np.int64] | None

    def explained(self, ways: npt.NDArray[np.intp], size: int, inside: Any = 0) -> npt.NDArray[np.float64]:
        """Return the share of the rows' impurity that cells explain, corrected for chance.

        Parameters
        ----------
        ways
            Ways of dividing the rows, shape (ways, rows).
        size
            Most cells of a way.
        inside
            Number of the group that each row is divided inside of, times the cells of a group; 0 for one group.
        """
        number = len(ways)
        rows = inside + self.classes * (number * size)
        keys = ways + np.arange(number)[:, None] * size
        keys += rows
        weights = None if self.weights is None else np.tile(self.weights, number)
        table = np.bincount(keys.ravel(), weights, number * size * self.size).reshape(self.size, number, size)
        totals = table.sum(axis=0)
        within = (totals - (table**2).sum(axis=0) / np.maximum(totals, 1)) * totals / np.maximum(totals - 1, 1)
        within = np.where(totals > 1, within, self.impurity * totals).sum(axis=1)
        return self.impurity - within / totals.sum(axis=1)

    @cached_property
    def impurity(self) -> float:
        """Gini impurity of all rows."""
        counts = np.bincount(self.classes, self.weights)
        return float(1 - ((counts / counts.sum()) ** 2).sum())


def _strongest(groups: dict[int, npt.NDArray[np.intp]], target: _Target) -> _Interaction | None:
    best: _Interaction | None = None
    for columns, synergies in _interactions(groups, target):
        place = int(np.argmax(synergies))
        least = target.impurity * (_SLIGHT + _chance(len(columns[0]), len(target.classes)))
        if synergies[place] > (best.synergy if best else least) and synergies[place] > least:
            best = _Interaction(float(synergies[place]), columns[place])
    return best


def _chance(columns: int, rows: int) -> float:
    return float(_DEVIATIONS * np.sqrt(2 * min(_GROUPS**columns, rows)) / rows)


def _interactions(
    groups: dict[int, npt.NDArray[np.intp]], target: _Target
) -> Iterator[tuple[list[tuple[int, ...]], npt.NDArray[np.float64]]]:
    """Yield pairs of columns with what they explain together, then triples, a few at a time."""
    names = list(groups)
    codes = np.array([groups[name] for name in names])
    alone = np.maximum(target.explained(codes, _GROUPS), 0)
    best = np.zeros(len(names))
    for first in range(len(names) - 1):
        later = slice(first + 1, None)
        synergies = target.explained(codes[later], _GROUPS**2, codes[first] * _GROUPS) - alone[first] - alone[later]
        best[later] = np.maximum(best[later], synergies)
        best[first] = max(best[first], synergies.max())
        yield [(names[first], other) for other in names[later]], synergies
    tried = sorted(np.argsort(-best, kind="stable")[:_WIDE].tolist())
    pairs = np.array(list(combinations(tried, 2)), dtype=np.intp).reshape(-1, 2)
    ways = codes[pairs[:, 0]] * _GROUPS + codes[pairs[:, 1]]
    for first in tried[:-2]:
        later = slice(int(np.searchsorted(pairs[:, 0], first, side="right")), None)
        together = target.explained(ways[later], _GROUPS**3, codes[first] * _GROUPS**2)
        synergies = together - alone[first] - alone[pairs[later, 0]] - alone[pairs[later, 1]]
        yield [(names[first], names[one], names[other]) for one, other in pairs[later].tolist()], synergies


def _mass(table: Table) -> Table:
    totals = table.sum(axis=-1)
    return (totals - (table**2).sum(axis=-1) / np.maximum(totals, 1)).sum(axis=-1)
