"""Policies learned from tables: what is planted is found, and what must not matter does not."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product

import polars as pl
import pytest

from privacy.minimize.learn import fit
from privacy.minimize.rules import Drop, Interval
from schemas.errors import InputError, UsageError
from schemas.minimize import DATAMIN, Fit
from tests.privacy.minimize.learn.tables import buckets, exclusive_or, planted

PLAIN = Fit(targets=("y",), personal=("sex", "colour"), min_samples_leaf=20, max_leaf_nodes=8)


def test_planted_policy_is_recovered():
    """The threshold between 37 and 38 and the two groups are found, and what says nothing is dropped."""
    policy = fit(planted(), PLAIN)
    groups = frozenset({frozenset({"clerk", "driver"}), frozenset({"cook", "nurse"})})
    assert {"age": ("37.5",), "job": groups} == buckets(policy)
    assert ["colour", "days", "sex"] == [name for name, rule in policy.columns.items() if isinstance(rule, Drop)]


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.7])
def test_cells_have_no_useless_questions(alpha):
    """A budget of many leaves is not spent where nothing is gained."""
    policy = fit(planted(), PLAIN.model_copy(update={"release": "cell", "max_leaf_nodes": 16, "alpha": alpha}))
    assert policy.cells is not None
    assert 3 == len(policy.cells.cells)
    assert {"age", "job"} == set(policy.cells.columns)


def test_released_code_spends_its_budget_on_nothing():
    """On a balanced table the released code splits pure nodes at no gain until its budget is spent; ours does not."""
    rows = list(product([30, 50], range(10), ["F"] * 9 + ["M"]))
    table = pl.DataFrame(rows, schema=["age", "days", "sex"], orient="row").with_columns(y=pl.col("age") // 50)
    config = Fit(targets=("y",), personal=("sex",), min_samples_leaf=1, max_leaf_nodes=8, release="cell")
    leaves = [fit(table, config.model_copy(update={"compat": compat})).cells for compat in (None, DATAMIN)]
    assert [2, 8] == [len(tree.cells) for tree in leaves if tree is not None]


def test_released_code_makes_buckets_for_absent_names():
    """A name that a question was not put to is told apart by the released code, and not by the formula."""
    rows = [("a", 0, 0)] * 30 + [("b", 0, 0), ("b", 9, 0)] * 10 + [("c", 0, 0)] * 60 + [("c", 9, 1)] * 40
    table = pl.DataFrame(rows, schema=["x", "z", "y"], orient="row").with_columns(sex=pl.lit("F"))
    given = Fit(targets=("y",), personal=("sex",), alpha=0.0, min_samples_leaf=1, max_leaf_nodes=3)
    kept = [buckets(fit(table, given.model_copy(update={"compat": compat})))["x"] for compat in (None, DATAMIN)]
    assert [{frozenset("ac"), frozenset("b")}, {frozenset("a"), frozenset("b"), frozenset("c")}] == kept


def test_missing_values_are_a_category():
    """Missing values that behave like one side join it; those that behave unlike either are told apart."""
    table = planted().with_columns(age=pl.when(pl.col("days") < 6).then(None).otherwise("age"))
    marked = table.with_columns(y=pl.when(pl.col("age").is_null()).then(1).otherwise("y"))
    apart = fit(marked, PLAIN).columns["age"]
    assert isinstance(apart, Interval)
    assert "__null__" == apart.on_null
    low = table.with_columns(y=pl.when(pl.col("age").is_null()).then(0).otherwise("y"))
    joined = fit(low, PLAIN).columns["age"]
    assert isinstance(joined, Interval)
    assert ("b0", ("37.5",)) == (joined.on_null, joined.borders)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([date(2020, 1, 1) + timedelta(days=day) for day in range(62)], "date", "2020-01-20"),
        ([datetime(2020, 1, 1) + timedelta(hours=12 * day) for day in range(62)], "datetime", "2020-01-10T18:00:00"),  # noqa: DTZ001
        ([Decimal(day) / 2 for day in range(62)], "decimal", "9.8"),
        ([day * 0.1 for day in range(62)], "float", "1.95"),
        ([2**60 + day for day in range(62)], "int", "1152921504606846995.5"),
    ],
)
def test_borders_are_in_raw_units(values, kind, expected):
    """Dates, times, decimals, floats and huge integers are cut between values, in their own units."""
    table = planted()
    table = table.with_columns(unit=pl.Series(values).gather(table["age"] - 18))
    rule = fit(table.drop("age"), PLAIN).columns["unit"]
    assert isinstance(rule, Interval)
    assert (kind, (expected,)) == (rule.type, rule.borders)


def test_clients_are_counted_and_kept():
    """A group of many rows of few clients is no group."""
    table = planted().with_columns(who=pl.int_range(pl.len()) % 15)
    policy = fit(table, PLAIN.model_copy(update={"client": "who"}))
    assert ({}, "who", 15) == (buckets(policy), policy.client, policy.fit.sample_clients)
    assert buckets(fit(table, PLAIN.model_copy(update={"client": "who", "min_samples_leaf": 3})))


def test_smallest_group_is_kept():
    """Buckets are merged until no combination is rarer than asked."""
    table = planted().filter(~((pl.col("age") > 37) & (pl.col("job") == "cook") & (pl.col("days") > 1)))
    config = PLAIN.model_copy(update={"alpha": 0.0, "max_leaf_nodes": 20, "min_samples_leaf": 5, "targets": ("y",)})
    for floor in (200, 900):
        policy = fit(table, config.model_copy(update={"smallest_group": floor}))
        borders = policy.columns["age"].values if isinstance(policy.columns["age"], Interval) else ()
        groups = buckets(policy).get("job", frozenset())
        keyed = table.select(
            pl.sum_horizontal([pl.col("age") > float(border) for border in borders] or [pl.lit(0)]).alias("a"),
            pl.sum_horizontal([pl.col("job").is_in(list(group)) * number for number, group in enumerate(groups)]
                              or [pl.lit(0)]).alias("j"),
        )  # fmt: skip
        assert keyed.group_by("a", "j").len()["len"].min() >= floor


def test_several_targets_and_classes():
    """A second target of three classes is served by a border of its own."""
    table = planted().with_columns(z=pl.col("days") // 10)
    config = PLAIN.model_copy(update={"targets": ("y", "z"), "alpha": 0.0})
    assert ("9.5", "19.5") == buckets(fit(table, config))["days"]


def test_attributes_never_stored():
    """An attribute that may not be stored is dropped, however much it tells."""
    found = buckets(fit(planted(), PLAIN.model_copy(update={"never": ("age",)})))
    assert (True, False) == ("job" in found, "age" in found)


def test_interactions_are_found():
    """Greedy growth sees nothing in an exclusive or of three; the default search finds it."""
    config = Fit(targets=("y",), personal=("sex",), max_leaf_nodes=8, release="cell")
    found = fit(exclusive_or(), config)
    assert found.cells is not None
    assert {"age", "job", "town"} == set(found.cells.columns)
    assert ("39.5",) == found.columns["age"].borders
    greedy = fit(exclusive_or(), config.model_copy(update={"search": "greedy"}))
    assert greedy.cells is None or {"age", "job", "town"} != set(greedy.cells.columns)


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("table", [planted(900), exclusive_or(900)], ids=["planted", "exclusive or"])
@pytest.mark.parametrize(("release", "smallest"), [("cell", 0), ("attribute", 0), ("attribute", 150)])
def test_engines_learn_the_same_policy(engine, table, release, smallest, request):
    """Counting by GROUP BY gives the policy, hash and fingerprint of counting in memory, weights and clients too.

    Buckets are merged for the smallest group alike.
    """
    if engine == "spark":
        request.getfixturevalue("spark")
    table = table.with_columns(w=pl.int_range(pl.len()) % 3 + 1, who=pl.int_range(pl.len()) % 700)
    config = Fit(targets=("y",), personal=("sex",), min_samples_leaf=20, weight="w", client="who", release=release)
    config = config.model_copy(update={"smallest_group": smallest})
    one, other = fit(table, config), fit(table.lazy(), config.model_copy(update={"engine": engine}))
    assert (release, one.digest, one.fit) == (other.release, other.digest, other.fit)
    if smallest:
        assert one.digest != fit(table, config.model_copy(update={"smallest_group": 0})).digest


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"personal": ("sx",)}, UsageError, "'sx'"),
        ({"targets": ("days", "age")}, None, ""),
        ({"max_classes": 2, "targets": ("job",)}, InputError, "4 classes"),
        ({"weight": "job"}, InputError, "weights are numbers"),
        ({"weight": "days"}, InputError, "positive"),
    ],
)
def test_mistakes_are_named(change, error, told):
    """A wrong column, target or weight is refused in words."""
    config = PLAIN.model_copy(update=change)
    if error is None:
        assert fit(planted(500), config).targets == change["targets"]
        return
    with pytest.raises(error, match=told):
        fit(planted(500), config)


def test_missing_targets_are_refused():
    """Rows without a target are named, not guessed."""
    table = planted(500).with_columns(y=pl.when(pl.col("days") == 0).then(None).otherwise("y"))
    with pytest.raises(InputError, match="missing"):
        fit(table, PLAIN)


def test_empty_samples_are_refused():
    """There is no policy without rows."""
    with pytest.raises(InputError, match="no rows"):
        fit(planted(10).clear(), PLAIN)
