"""The criterion of the Privacy-Aware Tree: purity of the targets against purity of the personal attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Counts", "Criterion"]

Counts = npt.NDArray[Any]
"""Class counts along the last axis: float64, or Fraction for exact work."""


@dataclass(frozen=True)
class Criterion:
    """Impurity of a group of records, from the counts of its target classes and personal values.

    With G the Gini impurity, K the number of values of a variable and G' = G K / (2 (K - 1)) in [0, 1/2]::

        I(D) = (1 - alpha) mean_y G'_y(D) + alpha (1/2 - mean_j G'_j(D))

    as in "Vertical data minimization" (PAT's `multi_fair_gini`), whose only target is binary, so that G'_y = G_y.

    Parameters
    ----------
    targets
        Number of classes of each target.
    personal
        Number of values of each personal attribute in the sample.
    alpha
        Exchange rate.
    weights
        Weight of each personal attribute; equal by default.
    worst
        Price the personal attribute that is told most instead of the mean.
    skip_last
        Leave the last value of each personal attribute out of its Gini, as the authors' code does.
    number
        Type of the figures: float, or `fractions.Fraction` for exact ones.

    Examples
    --------
    >>> import numpy as np
    >>> Criterion((2,), (2,), alpha=0.7).impurity(np.array([2.0, 2, 2, 2])).round(3)
    np.float64(0.15)
    """

    targets: Sequence[int]
    personal: Sequence[int]
    alpha: Any = 0.5
    weights: Sequence[Any] | None = None
    worst: bool = False
    skip_last: bool = False
    number: Callable[..., Any] = field(default=float)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Classes of each variable, targets first: how the last axis of counts is divided."""
        return (*self.targets, *self.personal)

    @property
    def width(self) -> int:
        """Length of the last axis of counts."""
        return sum(self.sizes)

    def cast(self, counts: npt.ArrayLike) -> Counts:
        """Return counts as this criterion's numbers."""
        if self.number is float:
            return np.asarray(counts, dtype=np.float64)
        given = np.asarray(counts)
        exact = np.empty(given.shape, dtype=object)
        exact.flat = [self.number(value if isinstance(value, self.number) else int(value)) for value in given.flat]
        return exact

    def total(self, counts: Counts) -> Counts:
        """Return the weight of each group."""
        return counts[..., : self.targets[0]].sum(axis=-1)

    def impurity(self, counts: Counts) -> Counts:
        """Return I of each group; groups must not be empty.

        Parameters
        ----------
        counts
            Shape (..., width).
        """
        total = self.total(counts)
        return self.mass(counts) / total

    def mass(self, counts: Counts) -> Counts:
        """Return |D| I(D) of each group, 0 for an empty one."""
        total = self.total(counts)
        safe = np.where(total == 0, self.number(1), total)
        ginis = self._ginis(counts, safe)
        of_targets = ginis[..., : len(self.targets)].sum(axis=-1) / len(self.targets)
        told = self.number(1) / 2 - ginis[..., len(self.targets) :]
        return total * ((1 - self._alpha) * of_targets + self._alpha * self._leakage(told))

    def gain(self, parent: Counts, left: Counts, rows: Any) -> Counts:
        """Return the gain of splits: |D|/N (I(D) - |L|/|D| I(L) - |R|/|D| I(R)).

        Parameters
        ----------
        parent
            Counts of D, shape (width,).
        left
            Counts of the left sides, shape (splits, width).
        rows
            Weight N of the whole sample.
        """
        return (self.mass(parent) - self.mass(left) - self.mass(parent - left)) / rows

    @cached_property
    def _alpha(self) -> Any:
        return self.number(self.alpha)

    @cached_property
    def _starts(self) -> npt.NDArray[np.intp]:
        return np.cumsum([0, *self.sizes[:-1]])

    @cached_property
    def _scales(self) -> Counts:
        scales = [self.number(size) / (2 * (size - 1)) if size > 1 else self.number(0) for size in self.sizes]
        return np.array(scales, dtype=None if self.number is float else object)

    @cached_property
    def _seen(self) -> Counts:
        seen = np.ones(self.width, dtype=np.float64 if self.number is float else object)
        if self.skip_last:
            seen[np.cumsum(self.sizes)[len(self.targets) :] - 1] = 0
        return seen

    def _ginis(self, counts: Counts, total: Counts) -> Counts:
        squares = counts * counts
        if self.skip_last:
            squares = squares * self._seen
        sums = np.add.reduceat(squares, self._starts, axis=-1)
        return (1 - sums / np.asarray(total * total)[..., None]) * self._scales

    def _leakage(self, told: Counts) -> Counts:
        if not self.personal:
            return told.sum(axis=-1) + self.number(1) / 2
        if self.worst:
            return told.max(axis=-1)
        weights = np.array([self.number(weight) for weight in self.weights or [1] * len(self.personal)])
        return (told * weights).sum(axis=-1) / weights.sum()
