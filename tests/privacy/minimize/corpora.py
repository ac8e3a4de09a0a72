"""Policies with raw tables to apply them to: every type, hostile names and values, whatever engines trip over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
from hypothesis import strategies as st

from privacy.minimize.cells import Node
from privacy.minimize.policy import Fitted, Policy
from privacy.minimize.rules import Categories, Drop, Interval, Rule
from schemas.derive.duckdb import identifier

__all__ = ["Corpus", "Raw", "corpora", "policy_of"]

_HOSTILE_NAMES = ("a b", 'say "hi"', "it's", "x;--", "`tick`", "new\nline", "${env:HOME}", "{brace}", "naïve 数", "a.b")
_HOSTILE_TEXTS = (
    "", " ", "'", "''", '"', "\\", "\\'", "\\n", "\n", "x'); DROP TABLE clients; --", "{0}", "${env:HOME}", "%s",
    "__null__", "NULL", "null", "b0", "a\0b", "\0", "é", "e\u0301", "数", "😀", "A", "a", "a ", "\ufeff", "\u2028",
    "\u212b", "\xc5", "A\u030a", "\ufb01", "fi", "\u0130", "x" * 5_000,
)  # fmt: skip
_WHOLE = (0, 1, -1, 27, 28, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, 10**38 - 1)
_FLOATS = (
    *(0.0, -0.0, 0.1, 27.5, 5e-324, 1.7976931348623157e308, 2.0**53),
    *(float("nan"), -float("nan"), float("inf"), float("-inf")),
)
_RANGES = {
    "Int8": (-128, 127),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt64": (0, 2**64 - 1),
    "Int128": (-(10**38) + 1, 10**38 - 1),
}
_SQL = {
    "Int8": "TINYINT", "Int64": "BIGINT", "UInt64": "UBIGINT", "Int128": "HUGEINT", "Float64": "DOUBLE",
    "Float32": "REAL", "Date": "DATE", "Boolean": "BOOLEAN", "String": "VARCHAR",
}  # fmt: skip


@dataclass(frozen=True)
class Raw:
    """One raw column: its values, as Python objects, and the type in which a table holds them."""

    dtype: pl.DataType
    values: tuple[Any, ...]

    @property
    def sql(self) -> str:
        """The type in DuckDB."""
        if isinstance(self.dtype, pl.Decimal):
            return f"DECIMAL({self.dtype.precision}, {self.dtype.scale})"
        if isinstance(self.dtype, pl.Datetime):
            return "TIMESTAMP" if self.dtype.time_zone is None else "TIMESTAMPTZ"
        return _SQL[str(self.dtype)]


@dataclass(frozen=True)
class Corpus:
    """A policy and raw rows that it can be applied to."""

    policy: Policy
    raw: dict[str, Raw]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return [
            dict(zip(self.raw, values, strict=True))
            for values in zip(*(raw.values for raw in self.raw.values()), strict=True)
        ]

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as a polars frame."""
        return pl.DataFrame([pl.Series(name, raw.values, dtype=raw.dtype) for name, raw in self.raw.items()])

    def load(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        """Make the rows a DuckDB table."""
        columns = ", ".join(f"{identifier(name)} {raw.sql}" for name, raw in self.raw.items())
        connection.execute(f"CREATE TABLE {identifier(table)} ({columns})")
        marks = ", ".join("?" * len(self.raw))
        rows = [tuple(row.values()) for row in self.rows]
        connection.executemany(f"INSERT INTO {identifier(table)} VALUES ({marks})", rows)


def policy_of(columns: dict[str, Rule], **more: Any) -> Policy:
    """Return a policy with these rules."""
    header = {"id": "fuzz", "created": date(2026, 1, 1), "purpose": "tests"}
    return Policy(**header, columns=columns, fit=Fitted(method="by_hand", sample_rows=0), **more)


def _targets(names: Iterable[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([*names, "__null__", "__other__"])


def _interval(kind: str, borders: st.SearchStrategy[str], **more: Any) -> st.SearchStrategy[Interval]:
    def rule(texts: list[str], on_null: int, on_nan: int) -> Interval:
        plain = Interval(type=kind, borders=(), **more)
        values = {Interval(type=kind, borders=[text], **more).values[0]: text for text in texts}
        ids = [f"b{number}" for number in range(len(values) + 1)] + ["__null__"]
        nan = {"on_nan": ids[on_nan % len(ids)]} if plain.on_nan is not None else {}
        ordered = [values[value] for value in sorted(values)]
        return Interval(type=kind, borders=ordered, on_null=ids[on_null % len(ids)], **nan, **more)

    return st.builds(rule, st.lists(borders, max_size=5), st.integers(0, 9), st.integers(0, 9))


def _column(dtype: pl.DataType, values: st.SearchStrategy[Any], rows: int) -> st.SearchStrategy[Raw]:
    return st.lists(st.none() | values, min_size=rows, max_size=rows).map(lambda found: Raw(dtype, tuple(found)))


@st.composite
def _ints(draw: st.DrawFn, rows: int) -> tuple[Raw, Rule]:
    name = draw(st.sampled_from(sorted(_RANGES)))
    low, high = _RANGES[name]
    known = [value for value in _WHOLE if low <= value <= high]
    values = st.sampled_from(known) | st.integers(low, high) | st.integers(max(low, -3), 3)
    borders = st.sampled_from(_WHOLE[:-1]) | st.integers(-3, 3) | st.integers(-(10**37), 10**37)
    texts = st.tuples(borders, st.sampled_from(["", ".5", ".25"])).map(lambda pair: f"{pair[0]}{pair[1]}")
    raw = draw(_column(getattr(pl, name)(), values, rows))
    if draw(st.booleans()):
        return raw, draw(_interval("int", texts))
    return raw, draw(_categories("int", borders, raw))


@st.composite
def _floats(draw: st.DrawFn, rows: int) -> tuple[Raw, Rule]:
    width = draw(st.sampled_from([32, 64]))
    single = st.floats(width=32) | st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 0.5])
    values = single if width == 32 else st.floats() | st.sampled_from(_FLOATS)
    raw = draw(_column(pl.Float32() if width == 32 else pl.Float64(), values, rows))
    near = [value for value in raw.values if value is not None and abs(value) < float("inf")]
    borders = st.floats(allow_nan=False, allow_infinity=False)
    return raw, draw(_interval("float", (st.sampled_from(near) | borders if near else borders).map(repr)))


@st.composite
def _decimals(draw: st.DrawFn, rows: int) -> tuple[Raw, Rule]:
    scale = draw(st.integers(0, 8))
    precision = draw(st.sampled_from([38, scale + 4]))
    most = 10**precision - 1
    whole = st.integers(-most, most) | st.integers(-300, 300)
    values = whole.map(lambda value: Decimal((int(value < 0), tuple(map(int, str(abs(value)))), -scale)))
    finer = st.builds("{}{}".format, values.map("{:f}".format), st.sampled_from(["", "" if scale else ".", "5", "0"]))
    borders = finer.filter(lambda text: scale or text[-1] not in "5." or "." in text)
    raw = draw(_column(pl.Decimal(precision, scale), values, rows))
    bounded = borders.filter(lambda text: abs(float(text)) < 0.9 * 10.0 ** (38 - scale))
    return raw, draw(_interval("decimal", bounded, scale=scale))


@st.composite
def _moments(draw: st.DrawFn, rows: int) -> tuple[Raw, Rule]:
    kind = draw(st.sampled_from(["date", "datetime", "instant"]))
    low, high = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001 - zones are put on below
    if kind == "date":
        values = st.dates(low.date(), high.date()) | st.dates(date(2020, 1, 1), date(2020, 1, 9))
        return draw(_column(pl.Date(), values, rows)), draw(_interval(kind, values.map(date.isoformat)))
    near = st.integers(-3, 3).map(lambda micro: datetime(1969, 12, 31) + timedelta(microseconds=micro))  # noqa: DTZ001
    values = st.datetimes(low, high) | near
    zone = draw(st.sampled_from(["UTC", "America/New_York"])) if kind == "instant" else None
    if zone is not None:
        values = values.map(lambda moment: moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)))
    raw = draw(_column(pl.Datetime("us", zone), values, rows))
    return raw, draw(_interval(kind, values.map(datetime.isoformat)))


@st.composite
def _texts(draw: st.DrawFn, rows: int) -> tuple[Raw, Rule]:
    values = st.sampled_from(_HOSTILE_TEXTS) | st.text(max_size=5)
    raw = draw(_column(pl.String(), values, rows))
    return raw, draw(_categories("str", values, raw))


@st.composite
def _bools(draw: st.DrawFn, rows: int) -> tuple[Raw, Rule]:
    raw = draw(_column(pl.Boolean(), st.booleans(), rows))
    return raw, draw(_categories("bool", st.booleans(), raw))


@st.composite
def _categories(draw: st.DrawFn, kind: str, values: st.SearchStrategy[Any], raw: Raw) -> Categories:
    seen = sorted({value for value in raw.values if value is not None})
    known = st.sampled_from(seen) | values if seen else values
    chosen = draw(st.lists(known, unique=True, max_size=8))
    homes = [draw(st.integers(0, 3)) for _ in chosen]
    buckets = {
        f"g{number}": [value for value, home in zip(chosen, homes, strict=True) if home == number]
        for number in sorted(set(homes))
    }
    target = _targets(buckets)
    return Categories(type=kind, buckets=buckets, on_null=draw(target), on_unseen=draw(target))


@st.composite
def _trees(draw: st.DrawFn, rules: dict[str, Rule], depth: int = 3) -> Node | None:
    askable = {name: rule.bucket_ids for name, rule in rules.items() if len(getattr(rule, "bucket_ids", ())) > 1}
    if not askable:
        return None
    counter = iter(range(99))

    def node(level: int) -> Node | str:
        if level == depth or (level and draw(st.booleans())):
            return f"c{next(counter)}"
        name = draw(st.sampled_from(sorted(askable)))
        left = draw(st.lists(st.sampled_from(askable[name]), min_size=1, max_size=len(askable[name]) - 1, unique=True))
        return Node(column=name, buckets=tuple(left), left=node(level + 1), right=node(level + 1))

    return node(0)  # type: ignore[return-value]


@st.composite
def corpora(draw: st.DrawFn, rows: int = 12, columns: int = 4) -> Corpus:
    """A policy over columns of any types and a table that it fits."""
    names = draw(st.lists(st.sampled_from(_HOSTILE_NAMES), min_size=1, max_size=columns, unique=True))
    kinds = [_ints(rows), _floats(rows), _decimals(rows), _moments(rows), _texts(rows), _bools(rows)]
    drawn = {name: draw(st.one_of(kinds)) for name in names}
    rules: dict[str, Rule] = {name: rule for name, (_, rule) in drawn.items()}
    raw = {name: raw for name, (raw, _) in drawn.items()}
    raw["gone"] = Raw(pl.Int64(), tuple(range(rows)))
    raw["row"] = Raw(pl.Int64(), tuple(range(rows)))
    root = draw(st.none() | _trees(rules))
    released = {"release": "cell", "cells": root} if root is not None else {}
    policy = policy_of({**rules, "gone": Drop()}, passthrough={"row": "int"}, **released)
    return Corpus(policy, raw)
