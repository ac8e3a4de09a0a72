"""Policies planted in generated tables are recovered: thresholds, groups, and nothing that is not needed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from privacy.minimize.apply import minimized
from privacy.minimize.learn import fit
from privacy.minimize.policy import Policy
from schemas.minimize import Fit
from tests.privacy.minimize.learn.tables import buckets

CONFIG = Fit(targets=("y",), personal=("sex", "town"), min_samples_leaf=20, max_leaf_nodes=12, alpha=0.3)
RULES = {
    "and": lambda age, job, _: age & job,
    "or": lambda age, job, pay: age | (job & pay),
    "majority": lambda age, job, pay: age.astype(int) + job + pay >= 2,
    "exclusive or of two": lambda age, job, _: age ^ job,
    "exclusive or of three": lambda age, job, pay: age ^ job ^ pay,
    "exclusive or within": lambda age, job, pay: age & (job ^ pay),
}


def table(rule: str, seed: int, rows: int = 4_000) -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table whose target follows a rule, and the buckets that it needs; five columns say nothing of it."""
    draw = np.random.default_rng([seed, len(rule)])
    names = np.array([f"job{number}" for number in range(6)])
    group = draw.permutation(6)[: draw.integers(2, 5)]
    years, cents = int(draw.integers(35, 55)), int(draw.integers(-50, 50))
    age, job = draw.integers(18, 72, rows), draw.integers(0, 6, rows)
    pay = draw.integers(-200, 200, rows) / 100
    follows = RULES[rule](age > years, np.isin(job, group), pay > cents / 100)
    found = pl.DataFrame(
        {
            "age": age,
            "colour": draw.choice(["red", "green", "blue"], rows),
            "pay": pay,
            "days": draw.integers(0, 30, rows),
            "job": names[job],
            "noise": draw.normal(size=rows),
            "sex": draw.choice(["F", "M"], rows),
            "town": draw.choice(list("uvwxyz"), rows),
            "y": follows.astype(int),
        }
    )
    needed: dict[str, object] = {
        "age": (f"{years}.5",),
        "job": frozenset({frozenset(names[group]), frozenset(np.delete(names, group))}),
        "pay": cents / 100,
    }
    if rule in ("and", "exclusive or of two"):
        del needed["pay"]
    return found, needed


@pytest.mark.parametrize("release", ["attribute", "cell"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("rule", RULES)
def test_planted_policies_are_recovered(rule, seed, release):
    """Thresholds are where the target turns, groups are whole, nothing is stored besides; pay has 400 values."""
    rows, needed = table(rule, seed)
    told = buckets(fit(rows, CONFIG.model_copy(update={"release": release})))
    if "pay" in needed:
        (border,) = told.pop("pay")
        assert float(border) == pytest.approx(needed.pop("pay") + 0.005, abs=0.015)
    assert needed == told


@pytest.mark.parametrize("seed", [0, 1])
def test_greedy_growth_does_not_see_what_is_hidden(seed):
    """An exclusive or of three has eight cells; looking ahead finds them, greedy growth errs in its eight."""
    rows, _ = table("exclusive or of three", seed)
    config = CONFIG.model_copy(update={"release": "cell", "max_leaf_nodes": 8})
    best, greedy = (_purity(fit(rows, config.model_copy(update={"search": way})), rows) for way in ("best", "greedy"))
    assert best == 1
    assert greedy < 0.9


def _purity(policy: Policy, rows: pl.DataFrame) -> float:
    """Return the share of rows that are of their cell's commonest class."""
    cells = minimized(policy, rows).collect().select("cell", "y")
    return cells.group_by("cell", "y").len().group_by("cell").agg(pl.col("len").max())["len"].sum() / len(rows)


def test_engines_bin_alike_where_columns_are_cut():
    """Out of core, columns of many values are binned anew as in memory: the same policy, hash and fingerprint."""
    rows, _ = table("exclusive or within", 0)
    one, other = (fit(rows.lazy(), CONFIG.model_copy(update={"engine": engine})) for engine in ("memory", "duckdb"))
    assert (one.digest, one.fit) == (other.digest, other.fit)


def test_values_all_different_are_cut_where_the_target_turns():
    """Of 6,000 different incomes two neighbours are parted by one border."""
    draw = np.random.default_rng(4)
    income = np.sort(draw.normal(30_000, 9_000, 6_000))
    rows = pl.DataFrame({"income": income, "sex": draw.choice(["F", "M"], 6_000), "town": "u"})
    rows = rows.with_columns(y=(pl.int_range(pl.len()) > 2_345).cast(pl.Int64))
    (border,) = fit(rows, CONFIG).columns["income"].values
    assert income[2_345] <= float(border) < income[2_346]
