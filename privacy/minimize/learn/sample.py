"""A coded sample in memory, and the pair counts of parts of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.columns import Codes
from privacy.minimize.learn.layout import Layout, Split, places

__all__ = ["Joint", "Pairs", "Rows", "Sample", "apart", "batches", "concatenated"]

Pairs = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]
_JOINT = 128
"""Classes that small variables are counted in together: one pass instead of several."""
_CROSSED = 1_024
"""Joint bins of columns that are counted together, where the rows are at least"""
_MANY = 100_000
"""so many: their tables are larger, and summed up once more."""


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
        counted = np.zeros((layout.bins, layout.width + 1))
        columns = [(part, _of(part.codes, rows)) for part in self._crossed(self.rows if rows is None else len(rows))]
        for group in self.groups:
            classes = _of(group.codes, rows).astype(np.intp)
            joint = np.empty((layout.bins, group.size))
            for part, codes in columns:
                table = _pair_counts(codes, classes, part.size, group.size, weights)
                joint[part.places] = apart(table.T, part.sizes).T
            counted[:, group.places] = apart(joint, group.sizes)
        counted[:, -1] = counted[:, : layout.targets[0]].sum(axis=1) if self.support is None else self._supports(rows)
        return counted

    def _supports(self, rows: Rows | None) -> npt.NDArray[np.float64]:
        """Return the support of each bin."""
        assert self.support is not None  # asked only where support is not weight
        support, bins = _of(self.support, rows), (coding.bins for coding in self.layout.codings)
        counted = (np.bincount(_of(codes, rows), support, size) for codes, size in zip(self.columns, bins, strict=True))
        return np.concatenate(list(counted))

    def goes_left(self, rows: Rows, split: Split) -> npt.NDArray[np.bool_]:
        """Return the answer of each row."""
        return split.left[self.columns[split.column][rows]]

    @cached_property
    def groups(self) -> list[Joint]:
        """The variables, gathered so that few passes count them."""
        personal = (self.personal(number) for number in range(len(self.layout.personal)))
        return joint_codes([*self.targets, *personal], self.layout.sizes, _JOINT)

    def _crossed(self, rows: int) -> list[Joint]:
        """Return the columns, gathered where so many rows are counted that the larger tables pay."""
        return self._columns_together if rows >= _MANY else self._columns_apart

    @cached_property
    def _columns_together(self) -> list[Joint]:
        return joint_codes(self.columns, [coding.bins for coding in self.layout.codings], _CROSSED)

    @cached_property
    def _columns_apart(self) -> list[Joint]:
        return joint_codes(self.columns, [coding.bins for coding in self.layout.codings], 1)


@dataclass(frozen=True)
class Joint:
    """Variables that are counted together.

    Parameters
    ----------
    sizes
        Classes of each.
    places
        Where the classes of each lie among those of all variables, one after another.
    codes
        Their joint class, one per row.
    """

    sizes: tuple[int, ...]
    places: npt.NDArray[np.intp]
    codes: Codes

    @property
    def size(self) -> int:
        """Number of joint classes."""
        return prod(self.sizes)


def joint_codes(variables: Sequence[Codes], sizes: Sequence[int], most: int) -> list[Joint]:
    """Return variables in few groups of at most ``most`` joint classes; what has more stays alone."""
    made = []
    for members in batches(sizes, most):
        codes = variables[members[0]]
        if len(members) > 1:
            size = prod(sizes[member] for member in members)
            codes = np.zeros(len(codes), dtype=np.min_scalar_type(size - 1))
            for member in members:
                codes *= codes.dtype.type(sizes[member])
                codes += variables[member].astype(codes.dtype)
        made.append(Joint(tuple(sizes[member] for member in members), places(sizes, members), codes))
    return made


def apart(joint: npt.NDArray[np.float64], sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the counts of each of some variables from their joint counts.

    Parameters
    ----------
    joint
        Shape (..., product of sizes).

    Returns
    -------
    numpy.ndarray
        Shape (..., sum of sizes).

    Examples
    --------
    >>> apart(np.array([1.0, 2, 3, 4]), (2, 2))
    array([3., 7., 4., 6.])
    """
    return joint if len(sizes) == 1 else joint @ _margins(tuple(sizes))


@cache
def _margins(sizes: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return, as ones, which classes of each variable a joint class belongs to; shape (product, sum) of the sizes."""
    digits = np.indices(sizes).reshape(len(sizes), -1)
    return np.hstack([np.eye(size)[digit] for size, digit in zip(sizes, digits, strict=True)])


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


def batches(sizes: Sequence[int], most: int = _JOINT) -> list[list[int]]:
    """Return variables in few groups whose joint classes stay few: each goes, largest first, where it first fits.

    Examples
    --------
    >>> batches([2, 40, 6, 100])
    [[3], [1, 0], [2]]
    """
    groups: list[list[int]] = []
    for variable in sorted(range(len(sizes)), key=lambda variable: -sizes[variable]):
        fitting = (group for group in groups if prod(sizes[one] for one in (*group, variable)) <= most)
        home = next(fitting, None)
        if home is None:
            groups.append([variable])
        else:
            home.append(variable)
    return groups


def _pair_counts(
    bins: Codes, classes: npt.NDArray[np.intp], bins_size: int, size: int, weights: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.float64]:
    keys = np.multiply(bins, size, dtype=np.intp)
    keys += classes
    return np.bincount(keys, weights, bins_size * size).reshape(bins_size, size).astype(np.float64)
