"""Least and greatest values of columns, and what they refute.

A statistic is an *outer* bound: no value lies beyond it. It is an *inner* bound too only if some row attains it. A
child is refuted by an inner bound of its own that lies beyond the parent's outer bound, and by nothing less: writers
cut long text, leave out NaN, or give no statistics at all, and each of those must keep the edge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dedup.lake.files.types import family

__all__ = ["Bounds", "merged", "of_frame", "of_parquet"]

_LONGEST = 64
_ORDERED = frozenset({"number", "text", "boolean", "date", "datetime", "instant", "duration", "time"})
_EXACT = frozenset({"number", "boolean", "date", "datetime", "instant"})
"""Families of which a footer's statistics are believed; it does not tell the unit of a duration."""
Written = list[Any]
_NANOSECONDS = {"ms": 10**6, "us": 10**3, "ns": 1}
_TICKS = {"milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of the values of one column.

    Parameters
    ----------
    low, high
        Outer bounds, NaN left out; None if unknown.
    attained
        Whether both are values of the column.
    nulls
        Number of nulls; None if unknown.
    """

    low: Any = None
    high: Any = None
    attained: bool = False
    nulls: int | None = None

    def written(self) -> Written:
        """Return the bounds as a JSON array."""
        return [_written(self.low), _written(self.high), self.attained, self.nulls]

    @staticmethod
    def read(given: Written) -> Bounds:
        """Read what `written` wrote."""
        return Bounds(_read(given[0]), _read(given[1]), given[2], given[3])


def merged(parts: Sequence[Bounds]) -> Bounds:
    """Return the bounds of several parts of a column."""
    known = [part for part in parts if part.low is not None]
    complete = all(part.low is not None or (part.attained and part.nulls is not None) for part in parts)
    nulls = None if any(part.nulls is None for part in parts) else sum(part.nulls or 0 for part in parts)
    if not complete or not known:
        return Bounds(None, None, complete, nulls)
    return Bounds(
        min(part.low for part in known),
        max(part.high for part in known),
        all(part.attained for part in parts),
        nulls,
    )


def of_segments(values: pl.Series, lengths: np.ndarray) -> list[Written]:
    """Return the bounds of each stretch of ``values``, ``lengths`` rows at a time, as JSON."""
    of = values.dtype
    ordered = family(of) in _ORDERED
    column = pl.col("v")
    asked = [column.is_null().sum().alias("nulls")]
    if ordered:
        value = _comparable(column, of)
        asked += [value.min().alias("low"), value.max().alias("high")]
    owner = pl.Series("owner", np.repeat(np.arange(len(lengths)), lengths))
    told = pl.DataFrame([values.alias("v"), owner]).group_by("owner", maintain_order=True).agg(asked).to_dict()
    owners, nulls = told["owner"].to_list(), told["nulls"].to_list()
    if not ordered:
        found = [[None, None, False, count] for count in nulls]
    else:
        sides = zip(_plain(told["low"], of), _plain(told["high"], of), nulls, strict=True)
        found = [
            [low, high, True, count] if _short(low, high) else [None, None, False, count] for low, high, count in sides
        ]
    bounds: list[Written] = [[None, None, ordered, 0]] * len(lengths)
    for segment, one in zip(owners, found, strict=True):
        bounds[segment] = one
    return bounds


def of_frame(frame: pl.DataFrame) -> list[Bounds]:
    """Return the bounds of each column of a table."""
    lengths = np.array([frame.height])
    return [Bounds.read(of_segments(column, lengths)[0]) for column in frame.get_columns()]


def _short(low: Any, high: Any) -> bool:
    return not isinstance(low, str) or max(len(low), len(high)) <= _LONGEST


def _plain(values: pl.Series, of: pl.DataType) -> list[Any]:
    unit = getattr(of, "time_unit", None)
    if unit:
        return [None if value is None else value * _NANOSECONDS[unit] for value in values.to_list()]
    return [_written(value) for value in values.to_list()] if of.is_decimal() else values.to_list()


def _comparable(column: pl.Expr, of: pl.DataType) -> pl.Expr:
    if isinstance(of, (pl.Categorical, pl.Enum)):
        return column.cast(pl.String)
    if of.is_temporal():
        return column.to_physical()
    return column.fill_nan(None) if of.is_float() else column


def of_parquet(footer: pq.FileMetaData, names: Sequence[str], types: Sequence[pl.DataType]) -> list[Bounds]:
    """Return the bounds that a Parquet footer gives for leaf columns; nothing is believed of text.

    Source: parquet-format, *Statistics*: since PARQUET-2352 writers may cut the values of min_value and max_value.
    """
    places = {footer.schema.column(place).path: place for place in range(footer.num_columns)}
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    return [
        merged([_footer_bounds(group.column(places[name]), of, _ticks(footer, places[name], of)) for group in groups])
        if name in places
        else Bounds()
        for name, of in zip(names, types, strict=True)
    ]


def _ticks(footer: pq.FileMetaData, place: int, of: pl.DataType) -> int | None:
    """Return what to multiply statistics with: a time is not always kept in the unit that it is read in."""
    told = json.loads(footer.schema.column(place).logical_type.to_json())
    return _TICKS.get(told.get("timeUnit")) if isinstance(of, pl.Datetime) else 1


def _footer_bounds(chunk: Any, of: pl.DataType, ticks: int | None) -> Bounds:
    told = chunk.statistics
    if told is None:
        return Bounds()
    nulls = told.null_count if told.has_null_count else None
    if nulls is not None and nulls == chunk.num_values:
        return Bounds(attained=True, nulls=nulls)
    exact = ticks and told.has_min_max and family(of) in _EXACT and not of.is_decimal()
    sides = (told.min_raw, told.max_raw) if exact else (None, None)
    if not all(isinstance(side, (int, float)) for side in sides) or not sides[0] <= sides[1]:
        return Bounds(nulls=nulls)
    if of.is_unsigned_integer() and sides[0] < 0:
        return Bounds(nulls=nulls)
    return Bounds(sides[0] * ticks, sides[1] * ticks, attained=True, nulls=nulls)


def _written(value: Any) -> Any:
    return {"decimal": str(value)} if isinstance(value, Decimal) else value


def _read(value: Any) -> Any:
    return Decimal(value["decimal"]) if isinstance(value, dict) else value
