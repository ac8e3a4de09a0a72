"""The search for a tree: greedy as published, or the best of several that are pruned by the same criterion."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.candidates import Candidates, Found, Limits
from privacy.minimize.learn.criterion import Criterion
from privacy.minimize.learn.growth import Part, Source, grow
from privacy.minimize.learn.sample import Rows
from privacy.minimize.learn.tree import Node

__all__ = ["candidates_of", "criterion_of", "find_tree", "greedy"]

_STRICT = 1e-12
_EPS = float(np.finfo(np.float64).eps)


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


def candidates_of(binning: Binning, criterion: Criterion, pairs: npt.NDArray[np.float64]) -> Candidates:
    """Return the candidates of a search.

    Parameters
    ----------
    pairs
        Pair counts of the whole sample.
    """
    config = binning.config
    never = [column for column, name in enumerate(binning.names) if name in config.never]
    return Candidates(
        binning.layout,
        criterion,
        Limits(binning.least, never, config.compat is not None),
        _personal_scores(binning, pairs),
    )


def find_tree(source: Source, binning: Binning) -> Node:
    """Return the tree that a search is asked for."""
    return greedy(source, binning, criterion_of(binning), binning.config.max_leaf_nodes)


def greedy(source: Source, binning: Binning, criterion: Criterion, leaves: int) -> Node:
    """Grow PAT's tree: best-first, by strict gain (or, in `compat`, by any gain that is not negative)."""
    root = source.root()
    rows = float(criterion.total(binning.layout.totals(root.pairs)))
    candidates = candidates_of(binning, criterion, root.pairs)
    accepts = _accepts_as_published if binning.config.compat else _accepts_strictly

    def find(part: Part, _: Rows | None) -> Found | None:
        totals = binning.layout.totals(part.pairs)
        if totals[-1] < 2 * binning.least or (binning.config.compat and criterion.impurity(totals[:-1]) <= _EPS):
            return None
        found = candidates.best(part.pairs, rows)
        return found if found and accepts(found.gain) else None

    return grow(source, find, leaves)


def _accepts_strictly(gain: Any) -> bool:
    return bool(gain > _STRICT)


def _accepts_as_published(gain: Any) -> bool:
    return bool(gain + _EPS >= 0)


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
