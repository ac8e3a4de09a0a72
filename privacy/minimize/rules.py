"""Rules of a policy: how one attribute is made coarse, in its own units, with every special value accounted for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from privacy.minimize.border import DIGITS, MOST, Border, BorderText, canonical, parsed
from schemas.recipe.base import Section

__all__ = [
    "NAN",
    "NULL",
    "OTHER",
    "Categories",
    "Category",
    "Drop",
    "Interval",
    "Rule",
    "TypeName",
    "type_name",
]

NULL, NAN, OTHER = "__null__", "__nan__", "__other__"
_RESERVED = (NULL, NAN, OTHER)
_BUCKET = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")

TypeName = Literal["int", "float", "decimal", "date", "datetime", "instant", "str", "bool"]
"""Types of columns, engine by engine the same: ``int`` of any width, ``float`` of 32 or 64 bits, ``datetime`` without
a time zone, ``instant`` with one."""
Category = StrictBool | StrictInt | StrictStr


def type_name(of: pl.DataType) -> TypeName | None:
    """Return the policy's name for a polars type, or None if a policy cannot speak of it.

    Examples
    --------
    >>> type_name(pl.Int16()), type_name(pl.Datetime("us", "UTC")), type_name(pl.List(pl.String))
    ('int', 'instant', None)
    """
    if isinstance(of, pl.Datetime):
        return "datetime" if of.time_zone is None else "instant"
    return next((name for name, holds in _HOLDS.items() if holds(of)), None)


_HOLDS: Mapping[TypeName, Callable[[pl.DataType], bool]] = {
    "int": lambda of: of.is_integer(),
    "float": lambda of: of.is_float(),
    "decimal": lambda of: of.is_decimal(),
    "date": lambda of: isinstance(of, pl.Date),
    "bool": lambda of: isinstance(of, pl.Boolean),
    "str": lambda of: isinstance(of, pl.String | pl.Categorical | pl.Enum),
}


class Interval(Section):
    """Ordered values cut at borders: value v is in the bucket numbered by how many borders are less than v.

    Bucket ``b0`` holds what is at most the first border, the last bucket what exceeds the last; -inf and +inf fall
    there. A value equal to a border is in the bucket below it (``closed: right``).
    """

    kind: Literal["interval"] = "interval"
    """Ordered values cut at borders."""
    type: Literal["int", "float", "decimal", "date", "datetime", "instant"]
    """Type of the raw column."""
    borders: tuple[BorderText, ...]
    """Strictly rising, in the column's own units; dates as ISO 8601, instants with their offset."""
    closed: Literal["right"] = "right"
    """Which end belongs to a bucket: the upper one."""
    scale: Annotated[int, Field(ge=0, le=DIGITS)] | None = None
    """Digits after the point of a decimal column, at most; for type decimal only."""
    on_null: str = NULL
    """Bucket of missing values."""
    on_nan: str | None = None
    """Bucket of NaN, for type float only; that of missing values by default."""

    @model_validator(mode="before")
    @classmethod
    def _plain_borders(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("borders"), list | tuple):
            return given
        kind = given.get("type")
        plain = {**given, "borders": [canonical(kind, border) for border in given["borders"]]}
        if kind == "float" and plain.get("on_nan") is None:
            plain["on_nan"] = plain.get("on_null", NULL)
        return plain

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _raise(self._faults())
        return self

    def _faults(self) -> Iterator[str]:
        if (self.type == "decimal") != (self.scale is not None):
            yield "scale is given for type decimal, and for no other"
        if self.type != "float" and self.on_nan is not None:
            yield "on_nan is given for type float, and for no other"
        faulty = [text for text in self.borders if parsed(self.type, text) is None]
        yield from (f"border {text!r} is not a finite value of type {self.type}" for text in faulty)
        if not faulty:
            falling = [f"{low} before {high}" for low, high in pairwise(self.values) if low >= high]  # type: ignore[operator]
            yield from (f"borders must rise strictly; found {pair}" for pair in falling)
            yield from self._too_wide()
        yield from _unknown_targets(self, "on_null", "on_nan")

    def _too_wide(self) -> Iterator[str]:
        most = 10 ** (DIGITS - (self.scale or 0)) - 1
        for border in self.values:
            if self.type == "decimal" and not -most <= border <= most:  # type: ignore[operator]
                yield f"border {border} has no room for {self.scale} digits after the point in {DIGITS} digits"

    @cached_property
    def values(self) -> tuple[Border, ...]:
        """The borders as values: Decimal for int and decimal, float, date, datetime (in UTC for instants)."""
        return tuple(parsed(self.type, text) for text in self.borders)  # type: ignore[misc]

    @property
    def names(self) -> tuple[str, ...]:
        """Buckets of ordinary values, lowest first."""
        return tuple(f"b{number}" for number in range(len(self.borders) + 1))

    @property
    def bucket_ids(self) -> tuple[str, ...]:
        """Everything that may be stored in place of a value."""
        special = [bucket for bucket in (self.on_null, self.on_nan) if bucket is not None]
        return tuple(dict.fromkeys((*self.names, *special)))

    @property
    def labels(self) -> dict[str, str]:
        """What each bucket holds, for people."""
        shown = {name: self.span(number, number) for number, name in enumerate(self.names)}
        return _with_special(shown, [("missing", self.on_null), ("NaN", self.on_nan)])

    def span(self, first: int, last: int) -> str:
        """Return what the buckets numbered ``first`` to ``last`` hold together, for people."""
        ends = [None, *(self._whole(border) for border in self.values), None]
        return self._label(ends[first], ends[last + 1])

    def _whole(self, border: Border) -> Border:
        return Decimal(math.floor(border)) if self.type == "int" else border  # type: ignore[arg-type]

    def _label(self, low: Border | None, high: Border | None) -> str:
        above = None if low is None else str(low)
        below = None if high is None else str(high)
        if above is None or below is None:
            return f"≤ {below}" if below else f"> {above}" if above else "any value"
        if self.type == "int":
            return _span(int(low) + 1, int(high))  # type: ignore[arg-type]
        return f"> {above} and ≤ {below}"


class Categories(Section):
    """Values by name, gathered into buckets; what is in no bucket was not seen when the policy was learned."""

    kind: Literal["map"] = "map"
    """Values gathered into buckets."""
    type: Literal["str", "int", "bool"]
    """Type of the raw column."""
    buckets: dict[str, tuple[Category, ...]]
    """Values of each bucket; compared exactly, with case and white space."""
    on_null: str = NULL
    """Bucket of missing values."""
    on_unseen: str = OTHER
    """Bucket of values that are in no bucket."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _raise(self._faults())
        return self

    def _faults(self) -> Iterator[str]:
        python = {"str": str, "int": int, "bool": bool}[self.type]
        home: dict[Any, str] = {}
        for name, values in self.buckets.items():
            if not _BUCKET.fullmatch(name):
                yield f"bucket {name!r} must be named by letters, digits and underscores, a letter first"
            if not values:
                yield f"bucket {name!r} is empty"
            for value in values:
                if type(value) is not python:
                    yield f"{value!r} in bucket {name!r} is not of type {self.type}"
                elif value in home:
                    yield f"{value!r} is in buckets {home[value]!r} and {name!r}; keep one"
                else:
                    home[value] = name
                yield from _unwritable(value)
        yield from _unknown_targets(self, "on_null", "on_unseen")

    @property
    def names(self) -> tuple[str, ...]:
        """Buckets of ordinary values."""
        return tuple(self.buckets)

    @property
    def bucket_ids(self) -> tuple[str, ...]:
        """Everything that may be stored in place of a value."""
        return tuple(dict.fromkeys((*self.names, self.on_null, self.on_unseen)))

    @property
    def labels(self) -> dict[str, str]:
        """What each bucket holds, for people."""
        shown = {name: ", ".join(map(_word, values)) for name, values in self.buckets.items()}
        return _with_special(shown, [("missing", self.on_null), ("anything else", self.on_unseen)])


class Drop(Section):
    """Nothing is stored of the column."""

    kind: Literal["drop"] = "drop"
    """Nothing is stored."""


Rule = Annotated[Interval | Categories | Drop, Field(discriminator="kind")]


def _unwritable(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value != value.encode("utf-8", "replace").decode():
        yield f"{value!r} is not valid Unicode text"
    if isinstance(value, int) and abs(value) > MOST:
        yield f"{value!r} has more than {DIGITS} digits"


def _unknown_targets(rule: Interval | Categories, *fields: str) -> Iterator[str]:
    allowed = (*rule.names, *_RESERVED)
    for name in fields:
        if (target := getattr(rule, name)) is not None and target not in allowed:
            yield f"{name} names {target!r}; allowed are {', '.join(allowed)}"


def _raise(faults: Iterator[str]) -> None:
    if found := list(dict.fromkeys(faults)):
        raise ValueError("; ".join(found))


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _word(value: Category) -> str:
    """Return a category as it stands in a list: quoted where its ends, or a separator, could not be told otherwise."""
    if not isinstance(value, str):
        return str(value)
    plain = value.strip() == value != "" and value.isprintable() and not set(value) & set(",;")
    return value if plain else repr(value)


def _with_special(shown: dict[str, str], special: list[tuple[str, str | None]]) -> dict[str, str]:
    for word, bucket in special:
        if bucket is None:
            continue
        shown[bucket] = f"{shown[bucket]}, or {word}" if bucket in shown else word
    return shown
