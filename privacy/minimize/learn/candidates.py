"""The questions that a node may be split by, and the best of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.criterion import Criterion
from privacy.minimize.learn.layout import Layout, Split

__all__ = ["Candidates", "Found", "Limits", "alternate_order"]

_TIE = 1e-12
"""Gains closer than this are equal; the first candidate is taken."""


@dataclass(frozen=True)
class Found:
    """A split and what it gains."""

    gain: Any
    split: Split


@dataclass(frozen=True)
class Limits:
    """What questions may be put.

    Parameters
    ----------
    least
        Least support of a side.
    never
        Columns that no question may be put to.
    as_coded
        Break ties between names by their codes, as the authors' code does, instead of keeping equal names together.
    """

    least: float = 1
    never: Collection[int] = ()
    as_coded: bool = False


@dataclass(frozen=True)
class _Run:
    """An order of a column's bins; the candidates are its prefixes.

    ``ends`` is True where a prefix may end: between bins that differ and are both there.
    """

    column: int
    order: npt.NDArray[np.intp]
    ends: npt.NDArray[np.bool_]


class Candidates:
    """All admissible splits of a node.

    Ordered columns are cut between neighbours, missing values going either way. Columns of names are cut in two
    orders (PAT, order 0 and 1): by mean target, and alternating between halves that the first personal attribute
    tells apart. With more than two classes the mean target is the first principal component of the class shares
    (Coppersmith et al. 1999).

    Parameters
    ----------
    personal_scores
        A number for each value of the first personal attribute, by which order 1 sorts.
    """

    def __init__(
        self,
        layout: Layout,
        criterion: Criterion,
        limits: Limits,
        personal_scores: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._layout = layout
        self._criterion = criterion
        self._limits = limits
        self._columns = [column for column in range(len(layout.codings)) if column not in limits.never]
        self._scores = personal_scores

    def best(self, pairs: npt.NDArray[np.float64], rows: float) -> Found | None:
        """Return the split of most gain, or None if none is admissible; of equal ones the first.

        Parameters
        ----------
        pairs
            Pair counts of the node.
        rows
            Weight of the whole sample.
        """
        return next(iter(self.ranked(pairs, rows)), None)

    def ranked(self, pairs: npt.NDArray[np.float64], rows: float) -> Iterator[Found]:
        """Yield all admissible splits, most gain first."""
        runs = [run for column in self._columns for run in self._runs(column, pairs)]
        if not runs:
            return
        left, places = self._prefixes(runs, pairs)
        if not len(places):
            return
        totals = self._layout.totals(pairs)[:-1]
        gains = self._criterion.gain(self._criterion.cast(totals), self._criterion.cast(left), rows)
        while len(places):
            number = int(np.argmax(gains >= gains.max() - _TIE))
            run, place = places[number]
            yield Found(gains[number], self._split(runs[run], place, pairs))
            gains, places = np.delete(gains, number), np.delete(places, number, axis=0)

    def _prefixes(
        self, runs: Sequence[_Run], pairs: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
        """Return counts left of each admissible cut, and the run and place that it is."""
        lengths = [len(run.order) for run in runs]
        first = np.cumsum([0, *lengths[:-1]])
        order = np.concatenate([run.order + self._layout.starts[run.column] for run in runs])
        sums = np.cumsum(pairs[order], axis=0)
        before = np.vstack([np.zeros(sums.shape[1]), sums])[first]
        run_of = np.repeat(np.arange(len(runs)), lengths)
        left = sums - before[run_of]
        support = self._layout.totals(pairs)[-1]
        fits = (left[:, -1] >= self._limits.least) & (support - left[:, -1] >= self._limits.least)
        kept = np.flatnonzero(np.concatenate([run.ends for run in runs]) & fits)
        return left[kept, :-1], np.column_stack([run_of[kept], kept - first[run_of[kept]]])

    def _split(self, run: _Run, place: int, pairs: npt.NDArray[np.float64]) -> Split:
        left = np.zeros(self._layout.codings[run.column].bins, dtype=bool)
        left[run.order[: place + 1]] = True
        return Split(run.column, left, pairs[self._layout.of(run.column), -1] > 0)

    def _runs(self, column: int, pairs: npt.NDArray[np.float64]) -> Iterator[_Run]:
        part = pairs[self._layout.of(column)]
        present = part[:, -1] > 0
        if self._layout.codings[column].kind == "map":
            yield from self._named_runs(column, part, present)
            return
        order = np.arange(len(part))
        yield _Run(column, order, present)
        if self._layout.codings[column].missing and present[-1]:
            yield _Run(column, np.roll(order, 1), np.roll(present, 1))

    def _named_runs(self, column: int, part: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]) -> Iterator[_Run]:
        there = np.flatnonzero(present)
        if len(there) < 2:  # noqa: PLR2004 - a cut needs two sides
            return
        means = _mean_target(part[there, : sum(self._layout.targets)], self._layout.targets)
        order = np.argsort(means, kind="stable")
        yield self._named_run(column, there[order], means[order])
        if self._scores is not None:
            first = part[there][:, self._first_personal]
            personal = first @ self._scores / first.sum(axis=1)
            yield self._alternating_run(column, there, means, personal, part[there, -1])

    def _alternating_run(
        self,
        column: int,
        there: npt.NDArray[np.intp],
        means: npt.NDArray[np.float64],
        personal: npt.NDArray[np.float64],
        support: npt.NDArray[np.float64],
    ) -> _Run:
        """Return the run of order 1; names that look alike take one place in it, whatever they are called."""
        if self._limits.as_coded or np.diff(np.sort(personal)).all():
            return _Run(column, there[alternate_order(means, personal)], np.ones(len(there), dtype=bool))
        sorting = np.lexsort((support, personal, means))
        looks = np.column_stack([means, personal, support])[sorting]
        new = np.append(True, (np.diff(looks, axis=0) != 0).any(axis=1))
        place = np.argsort(alternate_order(looks[new, 0], looks[new, 1]))[np.cumsum(new) - 1]
        order = np.argsort(place, kind="stable")
        return _Run(column, there[sorting[order]], np.append(np.diff(place[order]) != 0, True))

    @property
    def _first_personal(self) -> slice:
        start = sum(self._layout.targets)
        return slice(start, start + self._layout.personal[0].size)

    def _named_run(self, column: int, order: npt.NDArray[np.intp], scores: npt.NDArray[np.float64]) -> _Run:
        ends = np.ones(len(order), dtype=bool)
        if not self._limits.as_coded:
            ends[:-1] = np.diff(scores) > _TIE
        return _Run(column, order, ends)


def alternate_order(targets: npt.NDArray[np.float64], personal: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return names in PAT's order 1: halves by personal score, each by mean target, interleaved, upper half first.

    Parameters
    ----------
    targets
        Mean target of each name.
    personal
        Mean score of the first personal attribute of each name; the lower half has floor(n / 2) names.

    Examples
    --------
    >>> order = alternate_order(np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([1.8, 1.2, 1.6, 1.4, 1.0]))
    >>> "".join("abcde"[place] for place in order)
    'abced'
    """
    by_personal = np.lexsort((targets, personal))
    low, high = np.split(by_personal, [len(targets) // 2])
    order = np.empty(len(targets), dtype=np.intp)
    order[0::2] = high[np.argsort(targets[high], kind="stable")]
    order[1::2] = low[np.argsort(targets[low], kind="stable")]
    return order


def _mean_target(counts: npt.NDArray[np.float64], sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return one number per name: the share of the second class, or the first principal component of all shares."""
    weights = counts[:, : sizes[0]].sum(axis=1)
    shares = counts / weights[:, None]
    if tuple(sizes) == (2,):
        return shares[:, 1]
    centred = shares - np.average(shares, axis=0, weights=weights)
    direction = np.linalg.eigh(centred.T @ (weights[:, None] * centred))[1][:, -1]
    scores = centred @ direction
    return np.round(scores * (np.sign(direction[np.argmax(np.abs(direction))]) or 1), 9)
