"""Tables in which a policy is planted, and how a policy is read back."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import strategies as st

from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Interval


def planted(rows: int = 4_000, seed: int = 0) -> pl.DataFrame:
    """The target follows age > 37 and job in two groups; colour, days and sex say nothing of it."""
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 80, rows)
    job = draw.choice(["clerk", "cook", "driver", "nurse"], rows)
    return pl.DataFrame(
        {
            "age": age,
            "job": job,
            "colour": draw.choice(["red", "green", "blue"], rows),
            "days": draw.integers(0, 30, rows),
            "sex": draw.choice(["F", "M"], rows),
            "y": ((age > 37) & np.isin(job, ["cook", "nurse"])).astype(np.int64),
        }
    )


def mingled(rows: int, seed: int = 0) -> pl.DataFrame:
    """The target and three columns follow something hidden, with noise; age and sex say nothing of it."""
    draw = np.random.default_rng(seed)
    hidden = draw.normal(size=rows)
    return pl.DataFrame(
        {
            "job": [f"j{place}" for place in np.clip(hidden * 2 + draw.normal(size=rows) * 2 + 5, 0, 9).astype(int)],
            "gain": np.exp(draw.normal(size=rows) + hidden).round().astype(int),
            "hours": (40 + 5 * hidden + 10 * draw.normal(size=rows)).round().astype(int),
            "age": draw.integers(20, 60, rows),
            "sex": draw.choice(["F", "M"], rows),
            "y": (hidden + 0.7 * draw.normal(size=rows) > 0.7).astype(int),
        }
    )


def exclusive_or(rows: int = 6_000, seed: int = 0) -> pl.DataFrame:
    """The target is the exclusive or of three columns, each of which alone tells nothing, among eight of noise."""
    draw = np.random.default_rng(seed)
    bits = draw.integers(0, 2, (3, rows))
    noise = {f"n{number}": draw.integers(0, 10, rows) for number in range(4)}
    names = {f"c{number}": draw.choice(list("pqrstu"), rows) for number in range(4)}
    return pl.DataFrame(
        noise
        | {
            "age": np.where(bits[0], draw.integers(40, 60, rows), draw.integers(20, 40, rows)),
            "job": np.char.add(np.where(bits[1], "p", "q"), draw.choice(["1", "2", "3"], rows)),
            "town": np.char.add(np.where(bits[2], "u", "v"), draw.choice(["1", "2"], rows)),
            "sex": draw.choice(["F", "M"], rows),
            "y": bits.sum(axis=0) % 2 ^ (draw.random(rows) < 0.05),
        }
        | names
    )


def buckets(policy: Policy) -> dict[str, object]:
    """Return what a policy tells apart, without names: borders, or sets of values."""
    told: dict[str, object] = {}
    for name, rule in policy.columns.items():
        if isinstance(rule, Interval):
            told[name] = rule.borders
        elif isinstance(rule, Categories):
            told[name] = frozenset(frozenset(values) for values in rule.buckets.values())
    return told


@st.composite
def client_tables(draw: st.DrawFn) -> pl.DataFrame:
    """Small tables with ages, jobs, a binary personal attribute and a binary target, ties and all."""
    rows = draw(st.integers(4, 40))
    column = {
        "age": st.integers(20, 30),
        "job": st.sampled_from(["clerk", "cook", "nurse"]),
        "sex": st.sampled_from(["F", "M"]),
        "y": st.integers(0, 1),
    }
    return pl.DataFrame({name: draw(st.lists(of, min_size=rows, max_size=rows)) for name, of in column.items()})


@st.composite
def mixed_tables(draw: st.DrawFn) -> pl.DataFrame:
    """Tables full of ties: numbers, fractions and names, with gaps; the target often follows from one of them."""
    rows = draw(st.integers(6, 60))
    column = {
        "age": st.integers(20, 30),
        "pay": st.integers(-3, 6).map(lambda number: number / 4) | st.none(),
        "job": st.sampled_from([*"abcde", None]),
        "town": st.sampled_from("uvwxyz"),
        "sex": st.sampled_from("FMX"),
        "y": st.integers(0, 1),
    }
    table = pl.DataFrame({name: draw(st.lists(of, min_size=rows, max_size=rows)) for name, of in column.items()})
    rule = draw(st.sampled_from([pl.col("y"), pl.col("age") > 25, pl.col("job").is_in(["a", "c"]), pl.col("pay") > 0]))
    return table.with_columns(pl.col("pay").cast(pl.Float64), y=rule.fill_null(value=False).cast(pl.Int64))
