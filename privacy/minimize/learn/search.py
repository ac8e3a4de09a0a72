"""The search for a tree: greedy as published, or the best of several that are pruned by the same criterion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.candidates import Candidates, Found, Limits
from privacy.minimize.learn.criterion import Criterion
from privacy.minimize.learn.growth import InMemory, Part, Source, grow
from privacy.minimize.learn.lookahead import LookAhead
from privacy.minimize.learn.sample import Rows, Sample
from privacy.minimize.learn.tree import Node, Prunings

__all__ = ["Finder", "Search", "criterion_of", "greedy", "looking_ahead"]

_STRICT = 1e-12
_LARGER, _LARGEST = 2, 400
"""Leaves of the trees that are pruned: a multiple of the budget, up to a bound."""
_TRIAL = 8
"""Leaves by which looking ahead is tried."""
_WORTH = 0.01
"""Share of the targets' impurity that looking ahead must save to be worth it."""
_EPS = float(np.finfo(np.float64).eps)
_ZERO = 1e-14
"""Gains above minus this are no loss: rounding."""


def criterion_of(binning: Binning, alpha: float | None = None) -> Criterion:
    """Return the criterion that a search is asked to follow."""
    config, layout = binning.config, binning.layout
    names = [layout.codings[attribute.column].name for attribute in layout.personal]
    return Criterion(
        layout.targets,
        [attribute.size for attribute in layout.personal],
        alpha=config.alpha if alpha is None else alpha,
        weights=[config.leakage_weights.get(name, 1.0) for name in names],
        worst=config.leakage == "worst",
        skip_last=config.compat is not None,
    )


class Search:
    """Finds trees of least criterion over one sample, for any exchange rate and budget.

    The criterion is what the tree costs: the sum over its leaves of |L|/N I(L). Greedy growth is always among the
    trees compared, so that none found costs more.

    Parameters
    ----------
    scouts
        Rows drawn from the sample. Looking ahead is tried on them first, and done on the sample where it pays.
    """

    def __init__(self, source: Source, binning: Binning, scouts: Sample) -> None:
        self._source = source
        self._binning = binning
        self._scouts = scouts

    def with_least(self, rows: int) -> Search:
        """Return the search over the same sample for trees whose leaves may be as small as ``rows``."""
        config = self._binning.config.model_copy(update={"min_samples_leaf": rows})
        return Search(self._source, replace(self._binning, config=config), self._scouts)

    def tree(self, alpha: float, leaves: int) -> Node:
        """Return the best tree found with at most ``leaves`` leaves."""
        if self._published:
            return greedy(self._source, self._binning, criterion_of(self._binning, alpha), leaves)
        return self.trees(alpha, (leaves,))[0]

    def trees(self, alpha: float, budgets: Sequence[int]) -> list[Node]:
        """Return the best tree found for each budget of leaves; trees are grown once and pruned to each."""
        criterion = criterion_of(self._binning, alpha)
        if self._published:
            return [greedy(self._source, self._binning, criterion, leaves) for leaves in budgets]
        most = max(budgets)
        grown = self._grown(criterion, most)
        prunings = [Prunings(tree, criterion.mass, most) for tree in grown]
        return [min((one.best(leaves) for one in prunings), key=lambda found: found[0])[1] for leaves in budgets]

    @property
    def _published(self) -> bool:
        config = self._binning.config
        return config.compat is not None or config.search == "greedy"

    def _grown(self, criterion: Criterion, leaves: int) -> Iterator[Node]:
        """Yield large trees: greedy beyond its budget and, where columns interact, one that looks ahead."""
        size = max(min(_LARGER * leaves, _LARGEST), leaves)
        yield greedy(self._source, self._binning, criterion, size)
        if self._interactions:
            single = Finder(self._source, self._binning, criterion)
            yield looking_ahead(self._source, single, single.ahead(self._scouts), size)

    @cached_property
    def _interactions(self) -> bool:
        """True if looking ahead predicts the targets of the scouts better than greedy growth does."""
        source = InMemory(self._scouts)
        whole = self._binning.layout.totals(self._source.root().pairs)[-1]
        share = self._binning.layout.totals(source.root().pairs)[-1] / whole
        criterion, least = criterion_of(self._binning, 0), self._binning.least * share
        single = Finder(source, self._binning, criterion, least)
        ahead = single.ahead(self._scouts)
        tree = looking_ahead(source, single, ahead, _TRIAL)
        if not ahead.found:
            return False
        plain = greedy(source, self._binning, criterion, _TRIAL, least)
        costs = [Prunings(one, criterion.mass, _TRIAL).best(_TRIAL)[0] for one in (plain, tree)]
        return costs[1] < (1 - _WORTH) * costs[0]


def greedy(source: Source, binning: Binning, criterion: Criterion, leaves: int, least: float | None = None) -> Node:
    """Grow PAT's tree: best-first, by strict gain (or, in `compat`, by any gain that is not negative).

    Parameters
    ----------
    least
        Least support of a leaf; by default what the configuration says.
    """
    return grow(source, Finder(source, binning, criterion, least).find, leaves)


def looking_ahead(source: Source, single: Finder, ahead: LookAhead, leaves: int) -> Node:
    """Grow a tree that also splits where columns interact."""

    def find(part: Part, held: Rows | None) -> Found | None:
        found = single.find(part, held)
        if held is None or not single.divisible(part):
            return found
        return (
            ahead.find(part, held, found.gain / single.purity if found and single.purity else 0.0, single.rows) or found
        )

    return grow(source, find, leaves, ahead.scouts)


class Finder:
    """Finds the best single split of a part that is worth having.

    Parameters
    ----------
    least
        Least support of a leaf; by default what the configuration says.
    """

    def __init__(self, source: Source, binning: Binning, criterion: Criterion, least: float | None = None) -> None:
        pairs = source.root().pairs
        hidden = {*binning.config.never, *binning.identifying}
        never = [column for column, name in enumerate(binning.names) if name in hidden]
        self._compat = binning.config.compat is not None
        self._criterion = criterion
        self._layout = binning.layout
        self._limits = Limits(binning.least if least is None else least, never, self._compat)
        self.rows = float(criterion.total(binning.layout.totals(pairs)))
        self.candidates = Candidates(self._layout, criterion, self._limits, _personal_scores(binning, pairs))

    @property
    def purity(self) -> float:
        """Weight of the targets."""
        return float(1 - self._criterion.alpha)

    def ahead(self, scouts: Sample) -> LookAhead:
        """Return what looks for interactions within the same limits."""
        return LookAhead(scouts, self._limits.least, self._limits.never)

    def divisible(self, part: Part) -> bool:
        """Return whether a part is large enough to be divided."""
        return bool(self._layout.totals(part.pairs)[-1] >= 2 * self._limits.least)

    def find(self, part: Part, _: Rows | None) -> Found | None:
        """Return the best split, or None if there is none or it gains nothing."""
        if not self.divisible(part):
            return None
        if self._compat and self._criterion.impurity(self._layout.totals(part.pairs)[:-1]) <= _EPS:
            return None
        found = self.candidates.best(part.pairs, self.rows)
        return found if found and self._accepts(found.gain) else None

    def _accepts(self, gain: Any) -> bool:
        return bool(gain >= -_ZERO if self._compat else gain > _STRICT)


def _personal_scores(binning: Binning, pairs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """Return a number for each value of the first personal attribute: its code, or a rank that no relabelling moves.

    PAT sorts names by the mean code of that attribute, so that its names decide. Here its values are numbered by
    falling mean of the target.
    """
    layout = binning.layout
    if not layout.personal:
        return None
    first = layout.personal[0]
    if binning.config.compat:
        return np.arange(1.0, first.size + 1)
    part = pairs[layout.of(first.column)]
    counts = np.zeros((first.size, layout.targets[0]))
    np.add.at(counts, first.classes, part[:, : layout.targets[0]])
    means = (counts @ np.arange(layout.targets[0])) / np.maximum(counts.sum(axis=1), 1)
    return np.unique(-means, return_inverse=True)[1] + 1.0
