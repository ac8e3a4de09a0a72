"""Minimizes client tables by one policy in polars: ``minimize(frame)`` returns the lazy frame that may be stored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

import polars as pl

SPEC = ""


def minimize(frame: pl.LazyFrame | pl.DataFrame, spec: Mapping[str, Any] | None = None) -> pl.LazyFrame:
    """Return the columns that may be stored: a bucket (or the cell) per row, and what is passed through.

    Parameters
    ----------
    frame
        Raw rows, with the columns and types that the policy was made for.
    spec
        A policy in place of the one compiled in.
    """
    spec = json.loads(SPEC) if spec is None else spec
    kept = {name: rule for name, rule in spec["columns"].items() if rule["kind"] != "drop"}
    passed = [pl.col(name) for name in spec["passthrough"]]
    buckets = frame.lazy().select(*(bucket(name, rule) for name, rule in kept.items()), *passed)
    return buckets if spec["cells"] is None else buckets.select(cell(spec["cells"]), *passed)


def bucket(name: str, rule: Mapping[str, Any]) -> pl.Expr:
    """Return the expression for the bucket of column ``name``, of type Enum."""
    return (_interval if rule["kind"] == "interval" else _categories)(pl.col(name), rule).alias(name)


def cell(root: Mapping[str, Any]) -> pl.Expr:
    """Return the expression for the cell, over columns of buckets."""
    leaves = list(dict.fromkeys(_leaves(root)))
    return _leaf(root, {leaf: number for number, leaf in enumerate(leaves)}).cat.to(pl.Enum(leaves)).alias("cell")


def _leaves(node: Any) -> list[str]:
    return [node] if isinstance(node, str) else [*_leaves(node["left"]), *_leaves(node["right"])]


def _leaf(node: Any, numbers: Mapping[str, int]) -> pl.Expr:
    if isinstance(node, str):
        return pl.lit(numbers[node], dtype=pl.UInt32)
    goes_left = pl.any_horizontal(pl.col(node["column"]) == bucket for bucket in node["buckets"])
    return pl.when(goes_left).then(_leaf(node["left"], numbers)).otherwise(_leaf(node["right"], numbers))


def _interval(column: pl.Expr, rule: Mapping[str, Any]) -> pl.Expr:
    names = [f"b{number}" for number in range(len(rule["borders"]) + 1)]
    special = [rule["on_null"], rule["on_nan"]] if rule["type"] == "float" else [rule["on_null"]]
    ids = list(dict.fromkeys([*names, *special]))
    value = _comparable(column, rule["type"])
    width = pl.UInt8 if len(ids) <= 255 else pl.UInt32  # noqa: PLR2004 - what a byte holds
    above = [(value > _literal(rule, text)).cast(width) for text in rule["borders"]]
    number = reduce(add, above) if above else pl.when(column.is_not_null()).then(pl.lit(0, dtype=width))
    if rule["type"] == "float":
        number = pl.when(column.is_nan()).then(pl.lit(ids.index(rule["on_nan"]), dtype=width)).otherwise(number)
    return number.fill_null(pl.lit(ids.index(rule["on_null"]), dtype=width)).cat.to(pl.Enum(ids))


def _comparable(column: pl.Expr, kind: str) -> pl.Expr:
    """Return the column in the unit of its borders; a moment between two microseconds becomes the later one."""
    if kind in ("datetime", "instant"):
        later = column.dt.offset_by("999ns").dt.cast_time_unit("us")
        return later if kind == "datetime" else later.dt.convert_time_zone("UTC")
    return column.cast(pl.Float64) if kind == "float" else column


def _literal(rule: Mapping[str, Any], text: str) -> pl.Expr:
    kind = rule["type"]
    if kind == "int":
        whole = math.floor(Decimal(text))
        return pl.lit(whole) if -(2**31) <= whole < 2**31 else pl.lit(whole, dtype=pl.Int128)
    if kind == "decimal":
        return pl.lit(_floored(Decimal(text), rule["scale"]), dtype=pl.Decimal(38, rule["scale"]))
    if kind == "float":
        return pl.lit(float(text), dtype=pl.Float64)
    if kind == "date":
        return pl.lit(date.fromisoformat(text))
    return pl.lit(datetime.fromisoformat(text), dtype=pl.Datetime("us", None if kind == "datetime" else "UTC"))


def _floored(border: Decimal, scale: int) -> Decimal:
    """Return the greatest number of ``scale`` digits after the point that is at most ``border``."""
    sign, digits, exponent = border.as_tuple()
    whole = math.floor(Decimal((sign, digits, exponent + scale)))
    return Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale))


def _categories(column: pl.Expr, rule: Mapping[str, Any]) -> pl.Expr:
    names = list(rule["buckets"])
    ids = list(dict.fromkeys([*names, rule["on_null"], rule["on_unseen"]]))
    width = pl.UInt8 if len(ids) <= 255 else pl.UInt32  # noqa: PLR2004 - what a byte holds
    null, unseen = (pl.lit(ids.index(rule[key]), dtype=width) for key in ("on_null", "on_unseen"))
    number = (_by_code if rule["type"] == "str" else _by_value)(column, rule, width).fill_null(unseen)
    return pl.when(column.is_null()).then(null).otherwise(number).cat.to(pl.Enum(ids))


def _by_code(column: pl.Expr, rule: Mapping[str, Any], width: type[pl.DataType]) -> pl.Expr:
    """Return the number of a text's bucket: in an Enum ordered by bucket, a bucket is a range of codes."""
    ordered = [value for values in rule["buckets"].values() for value in values]
    if not ordered:
        return pl.lit(None, dtype=width)
    code = column.cast(pl.Enum(ordered), strict=False).to_physical()
    starts, start = [], 0
    for values in list(rule["buckets"].values())[:-1]:
        start += len(values)
        starts.append((code >= start).cast(width))
    return reduce(add, starts) if starts else (code * 0).cast(width)


def _by_value(column: pl.Expr, rule: Mapping[str, Any], width: type[pl.DataType]) -> pl.Expr:
    wide = column.cast(pl.Int128)
    number = pl.lit(None, dtype=width)
    for place, values in enumerate(rule["buckets"].values()):
        there = pl.any_horizontal(wide == pl.lit(int(value), dtype=pl.Int128) for value in values)
        number = pl.when(there).then(pl.lit(place, dtype=width)).otherwise(number)
    return number
