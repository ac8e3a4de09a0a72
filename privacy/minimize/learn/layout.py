"""Where each column's bins and each variable's classes lie in the table of pair counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.columns import Coding

__all__ = ["Layout", "Personal", "Split", "places"]


@dataclass(frozen=True)
class Personal:
    """A personal attribute: the column that it is, and the value that each of the column's bins stands for."""

    column: int
    classes: npt.NDArray[np.intp]

    @cached_property
    def size(self) -> int:
        """Number of values."""
        return int(self.classes.max()) + 1


@dataclass(frozen=True, eq=False)
class Split:
    """A question to one column.

    Parameters
    ----------
    left
        True for the bins that go left.
    present
        True for the bins that the records asked have; the answer of the others is open.
    """

    column: int
    left: npt.NDArray[np.bool_]
    present: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Layout:
    """The shape of a sample's pair counts: bins of all columns, one after another, by classes of all variables.

    The last column of a table of pair counts holds the support: rows, or clients, in units of `unit`.

    Parameters
    ----------
    targets
        Number of classes of each target.
    unit
        What a row (or client) counts in the column of support.
    """

    codings: Sequence[Coding]
    targets: Sequence[int]
    personal: Sequence[Personal]
    unit: int = 1

    @cached_property
    def starts(self) -> npt.NDArray[np.intp]:
        """First row of each column's bins, and the number of all rows."""
        return np.cumsum([0, *(coding.bins for coding in self.codings)])

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Classes of each variable, targets first."""
        return (*self.targets, *(attribute.size for attribute in self.personal))

    @property
    def bins(self) -> int:
        """Number of bins of all columns."""
        return int(self.starts[-1])

    @cached_property
    def width(self) -> int:
        """Number of classes of all variables."""
        return sum(self.sizes)

    def classes_of(self, variables: Sequence[int]) -> npt.NDArray[np.intp]:
        """Return the classes of some variables, one variable after another."""
        return places(self.sizes, variables)

    def of(self, column: int) -> slice:
        """Return the rows of a column's bins."""
        return slice(int(self.starts[column]), int(self.starts[column + 1]))

    def totals(self, pairs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return class counts and support of the records that pair counts were taken of."""
        return pairs[self.of(0)].sum(axis=0)


def places(sizes: Sequence[int], chosen: Sequence[int]) -> npt.NDArray[np.intp]:
    """Return where the classes of chosen variables lie among those of all, one variable after another.

    Examples
    --------
    >>> places([2, 3, 2], [2, 0])
    array([5, 6, 0, 1])
    """
    starts = np.cumsum([0, *sizes])
    return np.concatenate([np.arange(starts[one], starts[one + 1]) for one in chosen])
