"""When two values are the same: the encoding of a cell that equality is judged on.

Under every policy null equals null, NaN equals NaN and -0.0 equals 0.0. *Strict* compares columns of one type,
*lossless* columns of one family by exact value, and *text* the canonical spelling of each value, which spells equal
numbers alike whatever their type. Two values of one type are equal under one policy if and only if they are under
all, so that what an edge needs follows from the types of its columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import polars as pl

from dedup.lake.files.types import family, fields
from dedup.text.hashing import combine, mix
from dedup.text.ragged import places
from schemas.ids import digest

__all__ = ["ENCODING", "LANES", "cell", "column_key", "salt"]

LANES = (1, 2)
"""Seeds of the two 64-bit hashes that make up a fingerprint."""

_LARGEST = float(2**63)
_NO_FLOAT = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_NO_NUMBER = (0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
_PROBE = pl.DataFrame(
    {"whole": [0, 1, -(2**40), None], "real": [0.5, -0.0, float("nan"), None], "text": ["", "a", "é" * 40, None]}
)
_NARROW = frozenset({pl.Int8(), pl.Int16(), pl.Int32(), pl.UInt8(), pl.UInt16(), pl.UInt32()})
_PLAIN = "v"
"""Methods of a series look its name up as `literal` warns of, so that one called ``*`` needs another name."""
Numbers = tuple[pl.Expr | None, pl.Expr | None, pl.Expr | None]


def _encoding() -> str:
    probe = [column.hash(seed).to_list() for column in _PROBE for seed in LANES]
    return digest(["3", pl.__version__, probe])


ENCODING = _encoding()
"""Names the cell hash: what is persisted under one name is never compared with what another hash made of it.

The hash is polars', which is free to change with its version and with the machine; so the name holds the version and
what the hash says of a few values.
"""


def column_key(name: str, type_name: str, family: str, policy: str) -> tuple[str, str]:
    """Return a column's name and what else must be equal for two columns to be compared under ``policy``."""
    told = {"strict": type_name, "lossless": family, "text": ""}[policy]
    return name, told


@lru_cache(maxsize=1 << 16)
def salt(column: str, lane: int) -> int:
    """Return the odd factor that tells a column's cells from another's in the sum over a row."""
    return int(digest([column, lane])[:16], 16) | 1


def cell(column: pl.Expr, of: pl.DataType, policy: str, lane: int) -> pl.Expr:  # noqa: PLR0911 - one per family
    """Return the 64-bit hash of each value of a column, as ``policy`` encodes it; null has a hash of its own.

    Parameters
    ----------
    lane
        0 or 1: which half of the 128 bits.
    """
    seed = LANES[lane]
    if isinstance(of, pl.Map):
        entries = pl.List(pl.Struct({"key": of.key, "value": of.value}))
        return cell(column.cast(entries), entries, policy, lane)
    if isinstance(of, (pl.List, pl.Array)):
        return column.map_batches(partial(_lists, policy=policy, lane=lane), return_dtype=pl.UInt64)
    if isinstance(of, pl.Struct):
        return column.map_batches(partial(_structs, policy=policy, lane=lane), return_dtype=pl.UInt64)
    if of.is_numeric():
        return _number(column, of, policy, lane)
    if policy == "text":
        return _SPELLED.get(family(of), _plain)(column, of).hash(seed)
    if isinstance(of, (pl.Datetime, pl.Duration)):
        seconds, rest = _split(column, of)
        both = seconds.hash(seed) + rest.hash(seed) * pl.lit(_NO_FLOAT[lane], pl.UInt64)
        return pl.when(column.is_null()).then(seconds.hash(seed)).otherwise(both)
    if isinstance(of, (pl.Date, pl.Time)):
        return column.to_physical().cast(pl.Int64).hash(seed)
    return _plain(column, of).hash(seed)


def _number(column: pl.Expr, of: pl.DataType, policy: str, lane: int) -> pl.Expr:
    """Hash a number as the float that it equals, if there is one."""
    seed = LANES[lane]
    if policy != "text" and of.is_float():
        return column.cast(pl.Float64).hash(seed)
    if policy != "text" and of in _NARROW:
        return column.cast(pl.Float64).hash(seed)
    whole, real, other = _numbers(column, of)
    if policy == "text":
        spelled = [part.cast(pl.String) for part in (whole, real, other) if part is not None]
        return pl.coalesce(spelled).hash(seed)
    near = whole.cast(pl.Float64)
    between = near.cast(pl.Int64, strict=False).ne_missing(whole)
    hashed = pl.when(between).then(whole.hash(seed) + pl.lit(_NO_FLOAT[lane], pl.UInt64)).otherwise(near.hash(seed))
    if real is not None:
        hashed = pl.when(real.is_null()).then(hashed).otherwise(real.hash(seed))
    if other is not None:
        hashed = pl.when(other.is_null()).then(hashed).otherwise(other.hash(seed) + pl.lit(_NO_NUMBER[lane], pl.UInt64))
    return hashed


def _numbers(column: pl.Expr, of: pl.DataType) -> Numbers:
    """Return the column as 64-bit integers, else as floats, else as decimal text: each value is in exactly one."""
    if isinstance(of, pl.Decimal):
        return _decimals(column, of.scale)
    if of.is_float():
        wide = column.cast(pl.Float64)
        whole = (wide.floor() == wide) & (wide >= -_LARGEST) & (wide < _LARGEST)
        return pl.when(whole).then(wide).cast(pl.Int64, strict=False), pl.when(~whole).then(wide), None
    if isinstance(of, (pl.UInt64, pl.Int128, pl.UInt128)):
        return _wide_integers(column, column)
    return column.cast(pl.Int64), None, None


def _wide_integers(column: pl.Expr, rest: pl.Expr) -> Numbers:
    whole = column.cast(pl.Int64, strict=False)
    near = rest.cast(pl.Float64)
    exact = near.cast(pl.Int128, strict=False) == rest.cast(pl.Int128, strict=False)
    real = pl.when(whole.is_null() & exact).then(near)
    return whole, real, pl.when(whole.is_null() & ~exact.fill_null(value=False)).then(rest.cast(pl.String))


def _decimals(column: pl.Expr, scale: int) -> Numbers:
    """Split m / 10^s: it is a float if 5^s divides m and 53 bits hold the quotient, for then it is (m / 5^s) / 2^s."""
    units = column.to_physical().cast(pl.Int128)
    ten, five = pl.lit(10**scale, pl.Int128), pl.lit(5**scale, pl.Int128)
    integral = units % ten == 0
    whole = pl.when(integral).then(units // ten).cast(pl.Int64, strict=False)
    quotient = units // five
    near = quotient.cast(pl.Float64)
    exact = (units % five == 0) & (near.cast(pl.Int128, strict=False) == quotient)
    real = pl.when(whole.is_null() & exact).then(near / 2.0**scale)
    text = column.cast(pl.String)
    shortest = pl.when(text.str.contains(".", literal=True)).then(
        text.str.strip_chars_end("0").str.strip_chars_end(".")
    )
    return whole, real, pl.when(whole.is_null() & ~exact).then(shortest.otherwise(text))


def _split(column: pl.Expr, of: pl.Datetime | pl.Duration) -> tuple[pl.Expr, pl.Expr]:
    """Return whole seconds and the nanoseconds that follow."""
    per_second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[of.time_unit]
    ticks = column.to_physical()
    return ticks // per_second, ticks % per_second * (10**9 // per_second)


def _plain(column: pl.Expr, of: pl.DataType) -> pl.Expr:
    return column.cast(pl.String) if family(of) == "text" and not isinstance(of, pl.String) else column


def _instant(column: pl.Expr, of: pl.Datetime) -> pl.Expr:
    moment = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if of.time_zone else column
    spelled = pl.concat_str(moment.dt.strftime("%Y-%m-%dT%H:%M:%S"), _fraction(_split(column, of)[1]))
    return pl.concat_str(spelled, pl.lit("Z")) if of.time_zone else spelled


def _duration(column: pl.Expr, of: pl.Duration) -> pl.Expr:
    seconds, rest = _split(column, of)
    return pl.concat_str(seconds.cast(pl.String), _fraction(rest), pl.lit("s"))


def _time(column: pl.Expr, _: pl.DataType) -> pl.Expr:
    ticks = column.to_physical()
    return pl.concat_str(column.dt.strftime("%H:%M:%S"), _fraction(ticks % 10**9))


def _fraction(nanoseconds: pl.Expr) -> pl.Expr:
    digits = nanoseconds.cast(pl.String).str.zfill(9).str.strip_chars_end("0")
    return pl.when(nanoseconds != 0).then(pl.concat_str(pl.lit("."), digits)).otherwise(pl.lit(""))


_SPELLED: dict[str, Callable[[pl.Expr, pl.DataType], pl.Expr]] = {
    "boolean": lambda column, _: column.cast(pl.String),
    "date": lambda column, _: column.dt.strftime("%Y-%m-%d"),
    "datetime": _instant,
    "instant": _instant,
    "duration": _duration,
    "time": _time,
    "null": lambda column, _: column.cast(pl.String),
}


def _lists(column: pl.Series, policy: str, lane: int) -> pl.Series:
    """Hash lists by their elements in order and their length; null, the empty list and a list of null differ."""
    name, column = column.name, column.alias(_PLAIN)
    column = column.arr.to_list() if isinstance(column.dtype, pl.Array) else column
    lengths = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    inner = column.drop_nulls().list.explode(empty_as_null=False) if len(column) else column.list.explode()
    hashed = _hashed(inner, policy, lane)
    ends = np.cumsum(lengths)
    totals = np.zeros(len(hashed) + 1, np.uint64)
    np.cumsum(combine(hashed, places(lengths)), out=totals[1:])
    sums = totals[ends] - totals[ends - lengths] + mix(lengths.astype(np.uint64) + np.uint64(1))
    return _with_nulls(column, sums, lane).alias(name)


def _structs(column: pl.Series, policy: str, lane: int) -> pl.Series:
    name, column = column.name, column.alias(_PLAIN)
    sums = np.zeros(len(column), np.uint64)
    for field in fields(column.dtype):
        values = column.struct.field(field.name)
        sums += mix(_hashed(values, policy, lane) * np.uint64(salt(field.name, lane)))
    return _with_nulls(column, sums, lane).alias(name)


def _hashed(values: pl.Series, policy: str, lane: int) -> np.ndarray:
    return values.to_frame(_PLAIN).select(cell(pl.col(_PLAIN), values.dtype, policy, lane)).to_series().to_numpy()


def _with_nulls(column: pl.Series, sums: np.ndarray, lane: int) -> pl.Series:
    empty = pl.Series([None], dtype=pl.Int64).hash(LANES[lane])[0]
    return pl.Series(column.name, np.where(column.is_null().to_numpy(), np.uint64(empty), sums))
