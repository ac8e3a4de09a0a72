"""Random releases with the records behind them: every kind of column, missing and special values, hostile names."""

from __future__ import annotations

import gzip
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import strategies as st

from privacy.minimize.audit.breach import Breach

__all__ = ["ADULT_PERSONAL", "adult", "breaches", "uniform"]

_NAMES = ("job", "sex", "it's", 'say "hi"', "age (years)", "raw.pay")
ADULT_PERSONAL = (
    "workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country",
)  # fmt: skip


def adult(folder: Path) -> pl.DataFrame:
    """Adult census records, 45,222 rows."""
    with gzip.open(folder / "tabular" / "adult.csv.gz") as file:
        return pl.read_csv(file.read())


def uniform(frame: pl.DataFrame, buckets: int, seed: int) -> pl.DataFrame:
    """Return the baseline release Uniform(k): equal-width bins of numbers, random groups of categories."""
    draw, released = np.random.default_rng(seed), {}
    for column in frame:
        if column.dtype.is_numeric():
            low, high = column.min(), column.max()
            number = ((column - low) / (high - low) * buckets).floor().clip(0, buckets - 1).cast(pl.Int64)
        else:
            ranks = column.rank("dense").to_numpy() - 1
            number = pl.Series(draw.integers(0, buckets, ranks.max() + 1)[ranks])
        released[column.name] = "b" + number.cast(pl.String)
    return pl.DataFrame(released)


@st.composite
def breaches(draw: st.DrawFn, most: int = 60) -> Breach:
    """Releases by column, with some columns dropped, or by one cell; with clients or without."""
    rows = draw(st.integers(4, most))
    seed = draw(st.integers(0, 2**32 - 1))
    chance = np.random.default_rng(seed)
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=2, max_size=4, unique=True))
    raw = pl.DataFrame([draw(st.sampled_from(_KINDS))(rows, chance).rename(name) for name in names])
    released = pl.DataFrame([_coarse(raw[name], chance) for name in names if draw(st.integers(0, 3))])
    if released.width and draw(st.booleans()):
        joined = released.select(pl.concat_str(pl.all(), separator="/").alias("cell"))
        released, own = joined, {name: [] for name in names}
    else:
        own = {name: [name] * (name in released.columns) for name in names}
    test = chance.random(rows) < draw(st.sampled_from([0.2, 0.5]))
    test[:2] = [True, False]
    clients = pl.Series("client", chance.integers(0, rows // 2 + 1, rows)) if draw(st.booleans()) else None
    personal = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)))
    return Breach(raw, released, personal, test, own, clients)


def _categories(rows: int, chance: np.random.Generator) -> pl.Series:
    values = ["clerk", "Clerk", "nurse", "", "数", "it's", None]
    return pl.Series([values[number] for number in chance.integers(0, len(values), rows)], dtype=pl.String)


def _few(rows: int, chance: np.random.Generator) -> pl.Series:
    return pl.Series([[-1, 0, 7, 2**40, None][number] for number in chance.integers(0, 5, rows)], dtype=pl.Int64)


def _many(rows: int, chance: np.random.Generator) -> pl.Series:
    ages = [int(number) for number in chance.integers(17, 90, rows)]
    return pl.Series([None if age == 30 else age for age in ages], dtype=pl.Int32)


def _floats(rows: int, chance: np.random.Generator) -> pl.Series:
    special = [math.nan, math.inf, -math.inf, None, -0.0]
    pays = [round(float(number), 2) for number in chance.normal(0, 1000, rows)]
    return pl.Series([special[int(pay) % 40] if int(pay) % 40 < 5 else pay for pay in pays], dtype=pl.Float64)


def _days(rows: int, chance: np.random.Generator) -> pl.Series:
    return pl.Series([date(1990, 1, 1) + timedelta(days=int(number)) for number in chance.integers(0, 400, rows)])


def _moments(rows: int, chance: np.random.Generator) -> pl.Series:
    return pl.Series(chance.integers(0, 10**7, rows)).cast(pl.Datetime("ms"))


def _flags(rows: int, chance: np.random.Generator) -> pl.Series:
    return pl.Series(chance.random(rows) < 0.3)


_KINDS = (_categories, _few, _many, _floats, _days, _moments, _flags)


def _coarse(column: pl.Series, chance: np.random.Generator) -> pl.Series:
    """Return buckets that are a function of the value."""
    ranks = column.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    groups = chance.integers(0, 4, ranks.max() + 1)
    return pl.Series(column.name, [f"g{group}" for group in groups[ranks]])
