"""A coded sample in memory, and the pair counts of parts of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.columns import Codes
from privacy.minimize.learn.layout import Layout, Split

__all__ = ["Pairs", "Rows", "Sample", "batches", "concatenated", "spread"]

Pairs = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]
_JOINT = 128
"""Classes that small variables are counted in together: one pass instead of several."""


@dataclass(frozen=True)
class Sample:
    """Rows as small integers.

    Parameters
    ----------
    columns
        Codes of each column, one per row.
    targets
        Class of each target, one per row.
    weights
        Weight of each row as an integer; None where all are 1.
    support
        What each row counts towards the size of a group; None where that is its weight.
    clients
        Number of each row's client; None where every row is its own.
    """

    layout: Layout
    columns: Sequence[Codes]
    targets: Sequence[Codes]
    weights: npt.NDArray[np.int64] | None = None
    support: npt.NDArray[np.int64] | None = None
    clients: npt.NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        """Number of (distinct) rows held."""
        return len(self.columns[0])

    def take(self, rows: npt.NDArray[Any]) -> Sample:
        """Return some of the rows."""
        cut = [None if part is None else part[rows] for part in (self.weights, self.support, self.clients)]
        columns, targets = ([codes[rows] for codes in part] for part in (self.columns, self.targets))
        return Sample(self.layout, columns, targets, *cut)

    def personal(self, number: int) -> npt.NDArray[np.intp]:
        """Return the value of a personal attribute, one per row."""
        attribute = self.layout.personal[number]
        return attribute.classes[self.columns[attribute.column]]

    def pairs(self, rows: Rows | None = None) -> Pairs:
        """Return the pair counts of some rows, or of all.

        Returns
        -------
        numpy.ndarray
            Shape (bins, width + 1); exact integers, so that the counts of a part can be taken from those of the whole.
        """
        layout = self.layout
        weights = None if self.weights is None else _of(self.weights, rows)
        support = None if self.support is None else _of(self.support, rows)
        counted = np.zeros((layout.bins, layout.width + 1))
        columns = [_of(codes, rows) for codes in self.columns]
        for group, starts, codes in self.groups:
            classes = _of(codes, rows)
            size = prod(group)
            joint = np.empty((layout.bins, size))
            for column, coded in enumerate(columns):
                bins = layout.codings[column].bins
                joint[layout.of(column)] = _pair_counts(coded, classes, bins, size, weights).reshape(bins, size)
            spread(joint.reshape(-1, *group), counted, starts)
        if support is None:
            counted[:, -1] = counted[:, : layout.targets[0]].sum(axis=1)
            return counted
        for column, coded in enumerate(columns):
            counted[layout.of(column), -1] = np.bincount(coded, support, layout.codings[column].bins)
        return counted

    def goes_left(self, rows: Rows, split: Split) -> npt.NDArray[np.bool_]:
        """Return the answer of each row."""
        return split.left[self.columns[split.column][rows]]

    @cached_property
    def groups(self) -> list[tuple[tuple[int, ...], list[int], Codes]]:
        """Variables that are counted together: their sizes, their first classes, their joint codes."""
        layout = self.layout
        variables = [*self.targets, *(self.personal(number) for number in range(len(layout.personal)))]
        groups = []
        for members in batches(layout.sizes):
            sizes = tuple(layout.sizes[member] for member in members)
            codes = np.zeros(self.rows, dtype=np.int32)
            for member, size in zip(members, sizes, strict=True):
                codes = codes * size + variables[member]
            narrow = codes.astype(np.min_scalar_type(max(int(np.prod(sizes)) - 1, 0)))
            groups.append((sizes, layout.classes_from(members), narrow))
        return groups


def _of(codes: npt.NDArray[Any], rows: Rows | None) -> npt.NDArray[Any]:
    return codes if rows is None else codes.take(rows)


def concatenated(samples: Sequence[Sample]) -> Sample:
    """Return the rows of several samples of one layout, one after another."""

    def joined(codes: Sequence[npt.NDArray[Any] | None]) -> npt.NDArray[Any] | None:
        return None if codes[0] is None else np.concatenate(codes)  # type: ignore[arg-type]

    columns, targets = (
        [np.concatenate(codes) for codes in zip(*parts, strict=True)]
        for parts in ([one.columns for one in samples], [one.targets for one in samples])
    )
    rest = (joined([getattr(one, name) for one in samples]) for name in ("weights", "support", "clients"))
    return Sample(samples[0].layout, columns, targets, *rest)


def batches(sizes: Sequence[int]) -> list[list[int]]:
    """Return variables in few groups whose joint classes stay few: each goes, largest first, where it first fits.

    Examples
    --------
    >>> batches([2, 40, 6, 100])
    [[3], [1, 0], [2]]
    """
    groups: list[list[int]] = []
    for variable in sorted(range(len(sizes)), key=lambda variable: -sizes[variable]):
        fitting = (group for group in groups if prod(sizes[one] for one in (*group, variable)) <= _JOINT)
        home = next(fitting, None)
        if home is None:
            groups.append([variable])
        else:
            home.append(variable)
    return groups


def _pair_counts(
    bins: Codes,
    classes: Codes,
    bins_size: int,
    size: int,
    weights: npt.NDArray[np.int64] | None,
) -> npt.NDArray[Any]:
    keys = np.multiply(bins, size, dtype=np.int64)
    keys += classes
    return np.bincount(keys, weights, bins_size * size)


def spread(joint: npt.NDArray[Any], into: Pairs, starts: Sequence[int]) -> None:
    """Write the counts of each variable of a joint table."""
    for axis, start in enumerate(starts, start=1):
        others = tuple(other for other in range(1, joint.ndim) if other != axis)
        into[:, start : start + joint.shape[axis]] = joint.sum(axis=others)
