"""Minimizes client tables by one policy in Spark: ``minimize(frame)`` returns the DataFrame that may be stored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

SPEC = ""


def minimize(frame: DataFrame, spec: Mapping[str, Any] | None = None) -> DataFrame:
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
    passed = [_column(name) for name in spec["passthrough"]]
    buckets = frame.select(*(_bucket(name, rule).alias(name) for name, rule in kept.items()), *passed)
    return buckets if spec["cells"] is None else buckets.select(_cell(spec["cells"]).alias("cell"), *passed)


def _column(name: str) -> Column:
    from pyspark.sql import functions as f

    return f.col("`" + name.replace("`", "``") + "`")


def _bucket(name: str, rule: Mapping[str, Any]) -> Column:
    from pyspark.sql import functions as f

    column = _column(name)
    chosen = f.when(column.isNull(), f.lit(rule["on_null"]))
    if rule["kind"] == "map":
        for bucket, values in rule["buckets"].items():
            chosen = chosen.when(column.isin([_value(rule["type"], value) for value in values]), f.lit(bucket))
        return chosen.otherwise(f.lit(rule["on_unseen"]))
    if rule["type"] == "float":
        chosen = chosen.when(f.isnan(column), f.lit(rule["on_nan"]))
    for number, border in enumerate(rule["borders"]):
        chosen = chosen.when(column <= _border(rule, border), f.lit(f"b{number}"))
    return chosen.otherwise(f.lit(f"b{len(rule['borders'])}"))


def _value(kind: str, value: Any) -> Any:
    """Return a category as Spark takes it: whole numbers as decimals, which are compared exactly."""
    return Decimal(value) if kind == "int" else value


def _border(rule: Mapping[str, Any], text: str) -> Column:
    from pyspark.sql import functions as f

    kind = rule["type"]
    if kind == "int":
        return f.lit(str(math.floor(Decimal(text)))).cast("decimal(38,0)")
    if kind == "decimal":
        return f.lit(_floored(Decimal(text), rule["scale"]))
    if kind == "float":
        return f.lit(float(text))
    return f.lit(text).cast({"date": "date", "datetime": "timestamp_ntz", "instant": "timestamp"}[kind])


def _floored(border: Decimal, scale: int) -> Decimal:
    """Return the greatest number of ``scale`` digits after the point that is at most ``border``."""
    sign, digits, exponent = border.as_tuple()
    whole = math.floor(Decimal((sign, digits, exponent + scale)))
    return Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale))


def _cell(node: Any) -> Column:
    from pyspark.sql import functions as f

    if isinstance(node, str):
        return f.lit(node)
    goes_left = reduce(or_, (_column(node["column"]) == bucket for bucket in node["buckets"]))
    return f.when(goes_left, _cell(node["left"])).otherwise(_cell(node["right"]))
