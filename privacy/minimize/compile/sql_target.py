"""A policy as one SQL query: in DuckDB's dialect, or in portable ANSI SQL."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

from privacy.minimize.border import Border
from privacy.minimize.cells import Node
from privacy.minimize.policy import CELL, Policy
from privacy.minimize.rules import Categories, Category, Interval
from schemas.derive.duckdb import identifier, literal
from schemas.errors import UsageError

__all__ = ["ANSI", "DUCKDB", "Dialect", "query", "select"]

_MOST_LOOKED_UP = 200
"""Categories up to which DuckDB looks a text up in a map, which it searches from end to end."""
_MOST_TYPED = 20
"""Buckets up to which each is written with the type that lists them all: such text grows with their square."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What SQL dialects write differently.

    Parameters
    ----------
    text
        Writes a string.
    not_a_number
        Condition that holds for NaN, over a quoted column.
    double, datetime, instant
        Names of types.
    maps_and_enums
        Whether texts are looked up in maps, and buckets are of a type that lists them, a byte each.
    """

    text: Callable[[str], str]
    not_a_number: str
    double: str
    datetime: str
    instant: str
    maps_and_enums: bool = False


def _duckdb_text(text: str) -> str:
    pieces = " || chr(0) || ".join(map(literal, text.split("\0")))
    return f"({pieces})" if "\0" in text else pieces


def _ansi_text(text: str) -> str:
    if "\0" in text:
        raise UsageError(
            f"the category {text!r} holds U+0000, which portable SQL cannot write.",
            hint="compile to duckdb, spark, polars or python, or take the category out of its bucket.",
        )
    return literal(text)


DUCKDB = Dialect(_duckdb_text, "isnan({})", "DOUBLE", "TIMESTAMP", "TIMESTAMPTZ", maps_and_enums=True)
ANSI = Dialect(
    _ansi_text,
    "LOWER(CAST({} AS VARCHAR(32))) IN ('nan', '-nan')",
    "DOUBLE PRECISION",
    "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE",
)


def select(policy: Policy, source: str, dialect: Dialect) -> str:
    """Return the query over ``source`` (a quoted table, or a query in brackets) that gives what may be stored.

    Raises
    ------
    UsageError
        If the dialect cannot write a category.
    """
    buckets = [f"{_bucket(name, rule, dialect)} AS {identifier(name)}" for name, rule in policy.kept.items()]
    passed = [identifier(name) for name in policy.passthrough]
    inner = f"SELECT\n  {_joined([*buckets, *passed])}\nFROM {source}"
    if policy.cells is None:
        return inner
    cell = _cell(policy.cells, _enum(policy.cells.cells, dialect))
    outer = [f"{cell} AS {identifier(CELL)}", *passed]
    return f"SELECT\n  {_joined(outer)}\nFROM (\n{inner}\n) AS buckets"


def query(policy: Policy, table: str, dialect: Dialect) -> str:
    """Return the policy as a query file over the table called ``table``."""
    head = f"-- policy {policy.id}, version {policy.version}, sha256 {policy.digest}"
    return f"{head}\n{select(policy, identifier(table), dialect)}\n"


def _joined(columns: list[str]) -> str:
    return ",\n  ".join(columns) if columns else "1"


def _enum(ids: Collection[str], dialect: Dialect) -> str | None:
    """Return the type that lists buckets or cells, or None where they are texts."""
    if not dialect.maps_and_enums or len(ids) > _MOST_TYPED:
        return None
    return f"ENUM ({', '.join(map(literal, ids))})"


def _named(bucket: str, enum: str | None) -> str:
    return literal(bucket) if enum is None else f"{literal(bucket)}::{enum}"


def _bucket(name: str, rule: Interval | Categories, dialect: Dialect) -> str:
    column, enum = identifier(name), _enum(rule.bucket_ids, dialect)
    if dialect.maps_and_enums and isinstance(rule, Categories) and _fits_a_map(rule):
        return _looked_up(column, rule, dialect, enum)
    conditions = [(f"{column} IS NULL", rule.on_null), *_conditions(column, rule, dialect)]
    last = rule.on_unseen if isinstance(rule, Categories) else rule.names[-1]
    whens = " ".join(f"WHEN {condition} THEN {_named(bucket, enum)}" for condition, bucket in conditions)
    return f"CASE {whens} ELSE {_named(last, enum)} END"


def _fits_a_map(rule: Categories) -> bool:
    return rule.type == "str" and 0 < sum(map(len, rule.buckets.values())) <= _MOST_LOOKED_UP


def _looked_up(column: str, rule: Categories, dialect: Dialect, enum: str | None) -> str:
    """Return a lookup in a map: DuckDB does it once per entry of a dictionary, and a comparison once per row."""
    pairs = (
        f"{_category(value, dialect)}: {literal(name)}" for name, values in rule.buckets.items() for value in values
    )
    buckets = f"CAST(MAP {{{', '.join(pairs)}}} AS MAP(VARCHAR, {enum or 'VARCHAR'}))"
    found = f"coalesce({buckets}[{column}], {_named(rule.on_unseen, enum)})"
    return f"CASE WHEN {column} IS NULL THEN {_named(rule.on_null, enum)} ELSE {found} END"


def _conditions(column: str, rule: Interval | Categories, dialect: Dialect) -> Iterator[tuple[str, str]]:
    if isinstance(rule, Categories):
        for bucket, values in rule.buckets.items():
            yield f"{column} IN ({', '.join(_category(value, dialect) for value in values)})", bucket
        return
    if rule.on_nan is not None:
        yield dialect.not_a_number.format(column), rule.on_nan
    for bucket, border in zip(rule.names, rule.values, strict=False):
        yield f"{column} <= {_border(rule, border, dialect)}", bucket


def _category(value: Category, dialect: Dialect) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return dialect.text(value) if isinstance(value, str) else str(value)


def _border(rule: Interval, border: Border, dialect: Dialect) -> str:
    if rule.type == "float":
        return f"CAST({border!r} AS {dialect.double})"
    if rule.type in ("int", "decimal"):
        return _floored(border, rule.scale or 0)  # type: ignore[arg-type]
    text = literal(str(border))
    if rule.type == "date":
        return f"CAST({text} AS DATE)"
    return f"CAST({text} AS {dialect.datetime if rule.type == 'datetime' else dialect.instant})"


def _floored(border: Decimal, scale: int) -> str:
    """Return the greatest number of ``scale`` digits after the point that is at most ``border``.

    A value of that scale exceeds one exactly if it exceeds the other, and literals stay of the column's type.
    """
    sign, digits, exponent = border.as_tuple()
    shifted = Decimal((sign, digits, exponent + scale))  # type: ignore[operator]
    whole = math.floor(shifted)
    shown = str(abs(whole)).rjust(scale + 1, "0")
    point = f"{shown[:-scale]}.{shown[-scale:]}" if scale else shown
    return f"-{point}" if whole < 0 else point


def _cell(node: Node | str, enum: str | None) -> str:
    if isinstance(node, str):
        return _named(node, enum)
    buckets = ", ".join(map(literal, node.buckets))
    left, right = (_cell(below, enum) for below in (node.left, node.right))
    return f"CASE WHEN {identifier(node.column)} IN ({buckets}) THEN {left} ELSE {right} END"
