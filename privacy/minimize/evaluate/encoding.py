"""Integer codes for what attackers know and for what they guess, the same for every order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.errors import InputError

__all__ = [
    "CONTINUOUS_FROM",
    "STEPS",
    "Attack",
    "Cells",
    "Target",
    "cells",
    "codes",
    "is_continuous",
    "numbers",
    "target",
]

CONTINUOUS_FROM = 21
"""Distinct numbers from which an attribute counts as continuous."""
STEPS = 20
"""Steps into which the range of a continuous attribute is cut: two neighbours span 5 % of the range either side."""
_WINDOW = 2
_LARGEST = 2**62


@dataclass(frozen=True)
class Target:
    """An attribute that is guessed, as codes in the order of its values, null last.

    Parameters
    ----------
    codes
        One code per row.
    count
        Codes run from 0 to ``count - 1``.
    window
        Neighbouring codes that one guess covers: 1 for categories, 2 steps of 5 % of the range for numbers.
    """

    codes: np.ndarray
    count: int
    window: int

    def hit(self, guesses: np.ndarray, rows: slice) -> np.ndarray:
        """Return which of ``rows`` the guesses (first code of the window) cover."""
        distance = self.codes[rows] - guesses
        return (distance >= 0) & (distance < self.window)


@dataclass(frozen=True)
class Cells:
    """Records by what is known about them: those of equal cells cannot be told apart.

    Parameters
    ----------
    number
        Number of each row's cell, from 0.
    count
        Number of cells.
    """

    number: np.ndarray
    count: int


@dataclass(frozen=True)
class Attack:
    """One attribute under attack.

    Parameters
    ----------
    known
        Cells of what the attacker knows, the finest first, each trusted where it holds enough records. The first
        ``train`` rows are the attacker's sample, in which the attribute is known too; the others are attacked.
    own
        Cells of those known columns alone that release the attacked attribute itself.
    target
        The attacked attribute.
    train
        Rows of the attacker's sample.
    weights
        Records that each row of the sample stands for; None for one each.
    """

    known: Sequence[Cells]
    own: Cells
    target: Target
    train: int
    weights: np.ndarray | None = None

    @property
    def truth(self) -> np.ndarray:
        """Codes of the attribute in the attacker's sample."""
        return self.target.codes[: self.train]


def is_continuous(column: pl.Series) -> bool:
    """Return True for numbers, dates and moments with more than 20 distinct values.

    Examples
    --------
    >>> is_continuous(pl.Series(range(30))), is_continuous(pl.Series([1, 2] * 15))
    (True, False)
    """
    ordered = column.dtype.is_numeric() or isinstance(column.dtype, pl.Date | pl.Datetime)
    return ordered and _known(column).drop_nulls().n_unique() >= CONTINUOUS_FROM


def codes(column: pl.Series) -> tuple[np.ndarray, int]:
    """Return dense codes in the order of the values, null last, and how many codes there are.

    Examples
    --------
    >>> codes(pl.Series(["b", None, "a", "b"]))
    (array([1, 2, 0, 1]), 3)
    """
    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        column = column.cast(pl.String)
    ranks = _known(column).rank("dense").cast(pl.Int64) - 1
    values = int(ranks.max() if ranks.count() else -1) + 1
    return ranks.fill_null(values).to_numpy(), values + bool(ranks.null_count())


def numbers(column: pl.Series) -> np.ndarray:
    """Return numbers, days or microseconds as floats; NaN where there is none."""
    plain = column.dt.epoch("us") if isinstance(column.dtype, pl.Datetime) else column.to_physical()
    return plain.cast(pl.Float64).to_numpy()


def target(column: pl.Series) -> Target:
    """Return an attacked attribute in codes.

    A continuous attribute is cut into 20 steps of its range; a guess of two neighbouring steps is right where the
    value lies within 5 % of the range around their common border.

    Raises
    ------
    InputError
        If the column is of a type whose values cannot be told apart by order, such as a list.
    """
    if column.dtype.is_nested():
        raise InputError(
            f"attribute {column.name!r} is of type {column.dtype}; an attack guesses plain values only.",
            hint="unnest the column, or leave it out of the personal attributes.",
        )
    if not is_continuous(column):
        return Target(*codes(column), window=1)
    values = numbers(column)
    known = np.isfinite(values)
    low, high = values[known].min(), values[known].max()
    with np.errstate(invalid="ignore"):
        steps = np.clip(np.floor((values - low) / (high - low) * STEPS), 0, STEPS - 1)
    missing = np.isnan(values)
    # the gap of one code keeps a window from covering numbers and null together
    return Target(np.where(missing, STEPS + 1, steps).astype(np.int64), STEPS + 2 * bool(missing.any()), _WINDOW)


def _known(column: pl.Series) -> pl.Series:
    return column.fill_nan(None) if column.dtype.is_float() else column


def cells(columns: Sequence[np.ndarray], rows: int) -> Cells:
    """Return the cells that columns make, numbered in the order of their combinations.

    Parameters
    ----------
    columns
        Codes of each column; none of them means one cell for all.
    rows
        Number of rows.

    Examples
    --------
    >>> cells([np.array([1, 0, 1]), np.array([0, 0, 0])], 3).number
    array([1, 0, 1])
    """
    combined, count = np.zeros(rows, dtype=np.int64), 1
    for column in columns:
        width = int(column.max(initial=0)) + 1
        if count * width > _LARGEST:
            combined, count = _dense(combined)
        combined, count = combined * width + column, count * width
    return Cells(*_dense(combined))


def _dense(values: np.ndarray) -> tuple[np.ndarray, int]:
    distinct, dense = np.unique(values, return_inverse=True)
    return dense.astype(np.int64), len(distinct)
