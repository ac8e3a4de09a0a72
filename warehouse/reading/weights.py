"""How much each row counts, by a published column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import UsageError

__all__ = ["Weight"]


@dataclass(frozen=True, slots=True)
class Weight:
    """How much rows count: how often they are drawn, or how early they come.

    Parameters
    ----------
    column
        A published column: a number, zero or more, is the weight; null weighs nothing.
    values
        Weight by value, for a column of text; values not named weigh nothing.
    power
        What weights are raised to: 0 makes all but the weightless alike, 1 leaves them as they are.
    """

    column: str
    values: Mapping[str, float] | None = None
    power: float = 1.0

    def told(self) -> list[Any]:
        """Return the weight as JSON values, for the plan of a reader."""
        return [self.column, self.values, *([self.power] if self.power != 1 else [])]

    def of(self, tables: Iterable[pa.Table]) -> NDArray[np.float64]:
        """Return the weight of each row.

        Raises
        ------
        UsageError
            If a weight is negative or not finite, or all are zero.
        """
        values = pa.concat_tables(tables)[self.column]
        if self.values is not None:
            table = self.values
            weights = np.array([table.get(value, 0.0) for value in values.to_pylist()], dtype=np.float64)
        else:
            weights = pc.fill_null(pc.cast(values, pa.float64()), 0.0).to_numpy()
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise UsageError(f"weights of {self.column!r} must be finite, zero or more, and not all zero.")
        return np.where(weights > 0, np.power(weights, self.power, where=weights > 0, out=np.zeros_like(weights)), 0.0)
