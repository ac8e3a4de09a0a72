"""Containment as a person would write it, one row and one pair at a time, and small lakes full of traps."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

Lake = dict[str, pl.DataFrame]

_FAMILIES = {
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.String: "text",
    pl.Categorical: "text",
    pl.Null: "null",
    pl.Binary: "binary",
}
_NAMES = ("a", "b", "c", "d")
_BIG = 2**53
_DAY = datetime(2020, 2, 24, 18, tzinfo=UTC)
_VALUES: dict[str, tuple[pl.DataType, list[Any]]] = {
    "int64": (pl.Int64(), [0, 1, 2, -1, _BIG + 1, _BIG]),
    "int8": (pl.Int8(), [0, 1, 2, -1]),
    "uint64": (pl.UInt64(), [0, 1, 2, 2**63, 2**63 + 1]),
    "float64": (pl.Float64(), [0.0, -0.0, 1.0, 2.0, 0.5, math.nan, float(_BIG), math.inf, float(2**63)]),
    "float32": (pl.Float32(), [0.0, -0.0, 1.0, 0.5, math.nan]),
    "decimal": (pl.Decimal(20, 2), [Decimal("0.00"), Decimal("1.00"), Decimal("0.50"), Decimal("0.10")]),
    "string": (pl.String(), ["", "0", "1", "0.5", "x", "true", "NaN", "2020-02-24"]),
    "category": (pl.Categorical(), ["1", "x", "0.5"]),
    "boolean": (pl.Boolean(), [True, False]),
    "date": (pl.Date(), [date(2020, 2, 24), date(1960, 1, 1)]),
    "naive_ms": (pl.Datetime("ms"), [datetime(2020, 2, 24, 18), datetime(1960, 1, 1, 0, 0, 0, 500_000)]),  # noqa: DTZ001
    "naive_us": (pl.Datetime("us"), [datetime(2020, 2, 24, 18), datetime(1960, 1, 1, 0, 0, 0, 500_000)]),  # noqa: DTZ001
    "aware": (pl.Datetime("us", "UTC"), [_DAY, _DAY + timedelta(microseconds=5)]),
    "rome": (pl.Datetime("ms", "Europe/Rome"), [_DAY, _DAY + timedelta(hours=1)]),
    "decimal38": (pl.Decimal(38, 6), [Decimal(10**31), Decimal(2**63), Decimal(1), Decimal("0.5"), Decimal("0.1")]),
    "binary": (pl.Binary(), [b"", b"1", b"x"]),
    "list": (pl.List(pl.Int64()), [[], [1], [1, None], [None], [2, 1]]),
    "list_float": (pl.List(pl.Float64()), [[], [1.0], [1.0, None], [0.5]]),
}


def family(of: pl.DataType) -> str:
    """Return which types' values may be the same under the policy lossless."""
    if of.is_numeric():
        return "number"
    if isinstance(of, pl.List):
        return f"list of {family(of.inner)}"
    if isinstance(of, pl.Datetime):
        return "instant" if of.time_zone else "datetime"
    return _FAMILIES[of.base_type()]


def by_value(value: Any) -> Any:
    """Return a key that is the same for the same value of one family."""
    if isinstance(value, list):
        return tuple(map(by_value, value))
    if isinstance(value, float):
        return ("float", str(value)) if not math.isfinite(value) else Fraction(value)
    if isinstance(value, Decimal):
        return Fraction(value)
    return value


def by_text(value: Any) -> Any:  # noqa: PLR0911 - one per type
    """Return how a value is spelled; lists keep their shape."""
    if value is None:
        return None
    if isinstance(value, list):
        return tuple(map(by_text, value))
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"nan": "NaN"}.get(str(value), str(value))
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)
    if isinstance(value, int):
        exact = abs(value) < 2**63 or int(float(value)) != value
        return str(value) if exact else repr(float(value))
    if isinstance(value, Decimal):
        return by_text(int(value)) if value == int(value) else str(value.normalize())
    if isinstance(value, datetime):
        spelled = (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat()
        spelled = spelled.rstrip("0") if "." in spelled else spelled
        return spelled + ("Z" if value.tzinfo else "")
    return value.isoformat() if isinstance(value, date) else value


def comparable(child: pl.DataType, parent: pl.DataType, policy: str) -> bool:
    """Tell whether two columns are compared at all."""
    if policy == "strict":
        texts = (pl.String, pl.Categorical)
        return child == parent or (isinstance(child, texts) and isinstance(parent, texts))
    return policy == "text" or family(child) == family(parent)


def rows(frame: pl.DataFrame, columns: list[str], policy: str) -> Counter[tuple[Any, ...]]:
    """Return the rows of a projection and how often each occurs."""
    key = by_text if policy == "text" else by_value
    return Counter(tuple(map(key, row)) for row in frame.select(columns).rows())


def edges(lake: Lake, policy: str, semantics: str) -> set[tuple[str, str]]:
    """Return all pairs of a child and a parent."""
    found = set()
    for child, ours in lake.items():
        for parent, theirs in lake.items():
            if child == parent or not set(ours.columns) <= set(theirs.columns):
                continue
            if not all(comparable(of, theirs.schema[name], policy) for name, of in ours.schema.items()):
                continue
            inner, outer = rows(ours, ours.columns, policy), rows(theirs, ours.columns, policy)
            if inner <= outer if semantics == "multiset" else inner.keys() <= outer.keys():
                found.add((child, parent))
    return found


def random_lake(seed: int, tables: int = 9) -> Lake:
    """Return small tables over few names and values, many of them derived from one another."""
    draw = np.random.default_rng(seed)
    lake: Lake = {}
    for number in range(tables):
        known = list(lake.values())
        derived = known and draw.random() < 0.6
        frame = _derived(known[int(draw.integers(len(known)))], draw) if derived else _fresh(draw)
        lake[f"t{number}.parquet"] = frame
    return lake


def _fresh(draw: np.random.Generator) -> pl.DataFrame:
    names = draw.choice(_NAMES, int(draw.integers(1, 4)), replace=False)
    height = int(draw.choice([0, 1, 3, 8, 40]))
    return pl.DataFrame({str(name): _column(str(draw.choice(list(_VALUES))), height, draw) for name in names})


def _column(kind: str, height: int, draw: np.random.Generator) -> pl.Series:
    of, values = _VALUES[kind]
    few = [values[int(place)] for place in draw.integers(0, len(values), int(draw.integers(1, 4)))]
    blank = draw.random() * 0.3
    return pl.Series(
        [None if draw.random() < blank else few[int(draw.integers(len(few)))] for _ in range(height)], dtype=of
    )


def _derived(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    frame = source.select(str(name) for name in draw.permutation(source.columns)[: int(draw.integers(1, 5))])
    kind = draw.choice(["rows", "twice", "recast", "one", "order"])
    if kind == "rows" and frame.height:
        return frame[draw.integers(0, frame.height, int(draw.integers(0, frame.height + 1)))]
    if kind == "twice":
        return pl.concat([frame, frame.head(2)])
    if kind == "order":
        return frame[draw.permutation(frame.height)]
    name = str(draw.choice(frame.columns))
    if kind == "one" and frame.height:
        other = _column(str(draw.choice(list(_VALUES))), 1, draw)
        return (
            pl.concat([frame.head(frame.height - 1), other.alias(name).to_frame()], how="diagonal_relaxed")[
                frame.columns
            ]
            if other.dtype == frame.schema[name]
            else frame
        )
    return _recast(frame, name, draw)


def _recast(frame: pl.DataFrame, name: str, draw: np.random.Generator) -> pl.DataFrame:
    to = _VALUES[str(draw.choice(["int64", "int8", "float64", "decimal", "string", "naive_us", "category"]))][0]
    try:
        recast = frame.with_columns(pl.col(name).cast(to))
    except pl.exceptions.PolarsError:
        return frame
    return recast


def write(lake: Lake, folder: Path, draw: np.random.Generator) -> Lake:
    """Write each table with polars or DuckDB, and return it as its file has it."""
    folder.mkdir(parents=True, exist_ok=True)
    written: Lake = {}
    for name, frame in lake.items():
        path = folder / name
        if draw.random() < 0.5 or not frame.height:
            frame.write_parquet(path, row_group_size=max(frame.height // 2, 1))
        else:
            with duckdb.connect() as connection:
                connection.register("frame", frame.to_arrow())
                connection.execute(f"COPY frame TO '{path}' (FORMAT parquet)")
        written[name] = pl.read_parquet(path)
    return written
