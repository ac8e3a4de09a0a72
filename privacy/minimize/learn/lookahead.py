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
    """

    def __init__(self, scouts: Sample, least: float, never: Sequence[int] = ()) -> None:
        self._scouts = scouts
        self._layout: Layout = scouts.layout
        self._least = least
        self._columns = [column for column in range(len(self._layout.codings)) if column not in set(never)]
        self._classes = self._layout.targets[0]
        self._looks = 0

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
        target = self._scouts.targets[0].take(rows)
        weights = None if self._scouts.weights is None else self._scouts.weights.take(rows)
        found = _strongest(groups, _Target(target, self._classes, weights))
        if found is None:
            return None
        worth = found.synergy * float(self._layout.totals(part.pairs)[: self._classes].sum()) / whole
        if worth <= gain:
            return None
        split = self._first_split(found.columns, groups, rows, part)
        return Found(worth, split) if split else None

    def _group(self, column: int, rows: Rows) -> npt.NDArray[np.intp]:
        """Return a few groups of a column's bins, one per row: quantiles, or the commonest names and the rest."""
        codes = self._scouts.columns[column].take(rows)
        counts = np.bincount(codes, minlength=self._layout.codings[column].bins)
        if self._layout.codings[column].kind == "interval":
            there = np.flatnonzero(counts)
            groups = np.zeros(len(counts), dtype=np.intp)
            groups[there] = quantile_codes(counts[there].tolist(), _GROUPS)
            return groups[codes]
        common = np.argsort(-counts, kind="stable")[: _GROUPS - 1]
        groups = np.full(len(counts), len(common), dtype=np.intp)
        groups[common] = np.arange(len(common))
        return groups[codes]

    def _first_split(
        self, columns: tuple[int, ...], groups: dict[int, npt.NDArray[np.intp]], rows: Rows, part: Part
    ) -> Found | Split | None:
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
        weights = None if self._scouts.weights is None else self._scouts.weights.take(rows)
        bins = self._layout.codings[column].bins
        codes = self._scouts.columns[column].take(rows).astype(np.intp)
        key = (codes * size + cells) * self._classes + self._scouts.targets[0].take(rows)
        table = np.bincount(key, weights, bins * size * self._classes).reshape(bins, size, self._classes)
        present = part.pairs[self._layout.of(column), -1] > 0
        order = self._order(column, table, present)
        prefix = np.cumsum(table[order], axis=0)[:-1]
        support = np.cumsum(part.pairs[self._layout.of(column), -1][order])
        fits = (support[:-1] >= self._least) & (support[-1] - support[:-1] >= self._least)
        if not fits.any():
            return None
        gains = np.where(fits, _mass(table.sum(axis=0)) - _mass(prefix) - _mass(table.sum(axis=0) - prefix), -np.inf)
        place = int(np.argmax(gains))
        left = np.zeros(bins, dtype=bool)
        left[order[: place + 1]] = True
        return float(gains[place]), Split(column, left, present)

    def _order(self, column: int, table: Table, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
        """Return the bins that are there: as they are, or names by the direction in which their cells differ most."""
        there = np.flatnonzero(present)
        if self._layout.codings[column].kind == "interval":
            return there
        sizes = table[there].sum(axis=2)
        shares = (table[there] / np.maximum(sizes, 1)[..., None])[..., 1:]
        means = table[there].sum(axis=0)[:, 1:] / np.maximum(sizes.sum(axis=0), 1)[:, None]
        profile = (np.sqrt(sizes)[..., None] * (shares - means)).reshape(len(there), -1)
        scores = np.linalg.svd(profile, full_matrices=False)[0][:, 0] / np.sqrt(np.maximum(sizes.sum(axis=1), 1))
        return there[np.argsort(np.round(scores * (np.sign(scores[np.argmax(np.abs(scores))]) or 1), 9), kind="stable")]


@dataclass(frozen=True)
class _Target:
    classes: npt.NDArray[Any]
    size: int
    weights: npt.NDArray[np.int64] | None

    def explained(self, cells: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.float64]:
        """Return the share of the rows' impurity that cells explain, corrected for chance.

        Parameters
        ----------
        cells
            Shape (ways of dividing the rows, rows).
        size
            Most cells of a way.
        """
        ways = len(cells)
        keys = cells + np.arange(ways)[:, None] * size + self.classes.astype(np.intp) * (ways * size)
        weights = None if self.weights is None else np.tile(self.weights, ways)
        table = np.bincount(keys.ravel(), weights, ways * size * self.size).reshape(self.size, ways, size)
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
    clear = (
        found
        for found in _interactions(groups, target)
        if found.synergy > target.impurity * (_SLIGHT + _chance(len(found.columns), len(target.classes)))
    )
    return max(clear, key=lambda found: found.synergy, default=None)


def _chance(columns: int, rows: int) -> float:
    return float(_DEVIATIONS * np.sqrt(2 * min(_GROUPS**columns, rows)) / rows)


def _interactions(groups: dict[int, npt.NDArray[np.intp]], target: _Target) -> Iterator[_Interaction]:
    names = list(groups)
    codes = np.array([groups[name] for name in names])
    alone = np.maximum(target.explained(codes, _GROUPS), 0)
    best = np.zeros(len(names))
    for first in range(len(names) - 1):
        together = target.explained(codes[first] * _GROUPS + codes[first + 1 :], _GROUPS**2)
        synergies = together - alone[first] - alone[first + 1 :]
        best[first + 1 :] = np.maximum(best[first + 1 :], synergies)
        best[first] = max(best[first], synergies.max())
        for other, synergy in enumerate(synergies.tolist(), start=first + 1):
            yield _Interaction(synergy, (names[first], names[other]))
    tried = sorted(np.argsort(-best, kind="stable")[:_WIDE].tolist())
    for first, second in combinations(tried[:-1], 2):
        others = [other for other in tried if other > second]
        cells = (codes[first] * _GROUPS + codes[second]) * _GROUPS + codes[others]
        synergies = target.explained(cells, _GROUPS**3) - alone[first] - alone[second] - alone[others]
        for other, synergy in zip(others, synergies.tolist(), strict=True):
            yield _Interaction(synergy, (names[first], names[second], names[other]))


def _mass(table: Table) -> Table:
    totals = table.sum(axis=-1)
    return (totals - (table**2).sum(axis=-1) / np.maximum(totals, 1)).sum(axis=-1)
