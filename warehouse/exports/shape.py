"""A target with the columns that were asked for, and rows in that shape."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from schemas.errors import UsageError, did_you_mean
from warehouse.exports.row import ROW
from warehouse.exports.target import Options, Target

__all__ = ["Shape"]


class Shape:
    """A target with the columns that were asked for.

    Raises
    ------
    UsageError
        If an extra column is unknown, or not for this target.
    """

    def __init__(self, target: Target, options: Options, dataset: str) -> None:
        self.target = target
        self.options = options
        self.dataset = dataset
        extra = [name for name in options.extra if name not in target.schema.names]
        self._refuse_unknown(extra)
        self.columns = {**target.columns, **{name: pl.col(name) for name in extra}}
        self.schema = pa.schema([*target.schema, *(pa.field(name, ROW.column(name).type) for name in extra)])

    def _refuse_unknown(self, extra: Sequence[str]) -> None:
        name = self.target.name
        if extra and not self.target.is_open:
            raise UsageError(f"{name} reads a fixed set of columns; {list(extra)} cannot be carried along.")
        for column in extra:
            if column in self.target.reserved:
                raise UsageError(f"{name} uses the name {column!r} itself.", hint="rename the column first.")
            if column not in ROW.names:
                raise UsageError(
                    f"no column is called {column!r}; there are {', '.join(ROW.names)}.",
                    hint=did_you_mean(column, ROW.names),
                )

    def table(self, inner: pl.DataFrame) -> pa.Table:
        """Return internal rows as the target's."""
        made = inner.select(of.alias(name) for name, of in self.columns.items())
        if self.target.explodes:
            made = made.explode(self.target.explodes).unnest(self.target.explodes)
        return made.to_arrow(compat_level=pl.CompatLevel.oldest()).select(self.schema.names).cast(self.schema)
