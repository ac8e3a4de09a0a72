"""Odd tables: what can be learned from is learned from rightly, and what cannot is refused in words."""

from __future__ import annotations

import math
from datetime import time, timedelta

import polars as pl
import pytest

from privacy.minimize.apply import minimized
from privacy.minimize.learn import fit, sweep
from schemas.errors import InputError, UsageError
from schemas.minimize import Fit, Sweep
from tests.privacy.minimize.learn.tables import buckets, planted

PLAIN = Fit(targets=("y",), personal=("sex",), min_samples_leaf=20, max_leaf_nodes=8)
GROUPS = frozenset({frozenset({"clerk", "driver"}), frozenset({"cook", "nurse"})})
WANTED = {"age": ("37.5",), "job": GROUPS}


@pytest.mark.parametrize(
    "extra",
    [
        pl.lit(None),
        pl.lit(None, dtype=pl.String),
        pl.lit(None, dtype=pl.Float64),
        pl.lit(math.nan),
        pl.lit(math.inf),
        pl.lit("always"),
        pl.lit(7),
        pl.lit(value=True),
        pl.lit(2**100, dtype=pl.Int128) + pl.col("days"),
        pl.col("sex").cast(pl.Categorical),
        pl.when(pl.col("days") > 20).then(-math.inf).otherwise(math.inf),
    ],
    ids=str,
)
@pytest.mark.parametrize("release", ["attribute", "cell"])
def test_columns_that_say_nothing_are_dropped(extra, release):
    """Whatever a column is of, its values or gaps do not disturb what the others say."""
    policy = fit(planted().with_columns(extra=extra), PLAIN.model_copy(update={"release": release}))
    assert buckets(policy) == WANTED


@pytest.mark.parametrize(
    ("age", "border"),
    [
        (pl.col("age").cast(pl.UInt64) + 2**63, str(2**63 + 37) + ".5"),
        (pl.col("age").cast(pl.Int128) + pl.lit(2**70, dtype=pl.Int128), str(2**70 + 37) + ".5"),
        (pl.when(pl.col("age") > 37).then(math.inf).otherwise(-math.inf), "0.0"),
        (pl.when(pl.col("age") > 37).then(math.inf).otherwise("age"), "60.0"),
    ],
    ids=["above 63 bits", "above 64 bits", "infinities", "infinity"],
)
def test_extreme_numbers_are_cut(age, border):
    """Huge integers and infinities have borders between them."""
    assert (border,) == buckets(fit(planted().with_columns(age=age), PLAIN))["age"]


@pytest.mark.parametrize(
    "name", ['a "quoted" one', "it's", "Größe ✓ 数", "two\nlines", "weight", "value", "code", "low"]
)
def test_columns_have_any_name(name):
    """Names with quotes, line breaks and any letters, and those that tables inside have, too."""
    found = buckets(fit(planted().rename({"age": name}), PLAIN))
    assert {name: WANTED["age"], "job": GROUPS} == found


def test_clients_have_any_name():
    """No column is mistaken for one that is made on the way."""
    table = planted().rename({"age": "rows of the client"}).with_columns(who=pl.int_range(pl.len()) // 2)
    found = buckets(fit(table, PLAIN.model_copy(update={"client": "who"})))
    assert {"rows of the client": ("37.5",), "job": GROUPS} == found


@pytest.mark.parametrize("y", [pl.lit(1), pl.lit("only"), pl.int_range(pl.len()) == 0], ids=["one", "name", "one row"])
def test_a_target_that_is_always_the_same_needs_nothing(y):
    """Nothing is collected where nothing is to be told apart, or a class has hardly a row."""
    pytest.importorskip("sklearn", reason="sweeps need the extra `privacy`")
    table = planted(400).with_columns(y=y)
    small = Sweep(fit=PLAIN, alphas=(0.5,), leaves=(4,), exchanges=(0.1,), merged_alphas=(0,), merged_leaves=8)
    assert {} == buckets(sweep(table, small).policy)


def test_many_names_are_counted_where_they_are_not_personal():
    """Of 30,000 names none is worth a bucket; as a personal attribute they are too many."""
    table = planted(60_000).with_columns(code=pl.concat_str(pl.lit("v"), pl.int_range(pl.len()) % 30_000))
    assert buckets(fit(table, PLAIN)) == WANTED
    with pytest.raises(InputError, match="column 'code' alone has 30,000 values"):
        fit(table, PLAIN.model_copy(update={"personal": None}))


@pytest.mark.parametrize("release", ["attribute", "cell"])
@pytest.mark.parametrize("gaps", [False, True])
def test_rare_names_are_treated_as_unseen_ones(release, gaps):
    """Of 1,000 names the eight commonest are told apart; the policy names no other, and new names go with the rest."""
    shops = [f"big{number % 8}" if number % 2 else f"small{number % 2_000}" for number in range(6_000)]
    table = planted(6_000).drop("age", "job").with_columns(shop=pl.Series(shops))
    if gaps:
        table = table.with_columns(shop=pl.when(pl.col("days") > 3).then("shop"))
    table = table.with_columns(y=pl.col("shop").is_in(["big1", "big3"]).fill_null(value=True).cast(pl.Int64))
    policy = fit(table, PLAIN.model_copy(update={"max_bins": 9, "release": release}))
    rule = policy.columns["shop"]
    assert {"big1", "big3", "big5", "big7"} == {name for names in rule.buckets.values() for name in names}
    asked = pl.DataFrame(
        {"shop": ["big1", "big5", "small4", "new", None], "colour": "red", "days": 1, "sex": "F", "y": 0}
    )
    high, low, *others = minimized(policy, asked).collect()["cell" if release == "cell" else "shop"].to_list()
    assert high != low
    assert [low, low, high if gaps else others[-1]] == others


@pytest.mark.parametrize(
    ("change", "config", "error", "told"),
    [
        ({"when": pl.lit(time(12))}, {}, InputError, "type Time"),
        ({"when": pl.lit(timedelta(days=1))}, {}, InputError, "type Duration"),
        ({"when": pl.concat_list("age")}, {}, InputError, "type List"),
        ({"when": pl.struct("age")}, {}, InputError, "type Struct"),
        ({"y": pl.col("age") * 0.5}, {}, InputError, "has no classes"),
        ({"": pl.lit(1)}, {}, InputError, "'' cannot be named"),
        ({"AGE": pl.lit(1)}, {}, InputError, "'age' and 'AGE' have the same name"),
        ({"Cell": pl.lit(1)}, {"release": "cell"}, InputError, "'cell' has the name"),
        ({"w": pl.lit(0)}, {"weight": "w"}, InputError, "positive"),
        ({"w": pl.lit(-1)}, {"weight": "w"}, InputError, "positive"),
        ({"w": pl.lit(None, dtype=pl.Int64)}, {"weight": "w"}, InputError, "positive"),
        ({"w": pl.lit(math.inf)}, {"weight": "w"}, InputError, "positive"),
        ({"w": pl.lit(1e-9)}, {"weight": "w"}, InputError, "start at 1e-09"),
        ({"w": pl.lit(1e300)}, {"weight": "w"}, InputError, "sum to 5e"),
        ({"w": pl.lit(value=True)}, {"weight": "w"}, InputError, "weights are numbers"),
        ({}, {"personal": ("y",)}, UsageError, "'y' is also a target"),
        ({}, {"client": "nobody"}, UsageError, "'nobody'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(change, config, error, told):
    """Types, names, weights and roles that make no sense are named."""
    with pytest.raises(error, match=told):
        fit(planted(500).with_columns(**change), PLAIN.model_copy(update=config))


def test_a_sweep_needs_something_personal():
    """Where every attribute is a number, people say which must stay hard to infer."""
    table = planted(300).select("age", "days", "y")
    with pytest.raises(UsageError, match="no attribute is personal"):
        sweep(table, Sweep(fit=Fit(targets=("y",))))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_sweep_needs_rows_for_each_part(rows):
    """Three rows cannot be learned from, chosen by and reported on; a single fit takes what there is."""
    with pytest.raises(UsageError, match="leaves one side of the test empty"):
        sweep(planted(rows), Sweep(fit=PLAIN))
    assert {} == buckets(fit(planted(rows), PLAIN))


def test_one_client_is_no_group():
    """Rows of a single client tell nothing that may be stored, and cannot be divided."""
    table = planted(500).with_columns(who=pl.lit("me"))
    config = PLAIN.model_copy(update={"client": "who"})
    assert {} == buckets(fit(table, config))
    with pytest.raises(UsageError, match="of 1 clients"):
        sweep(table, Sweep(fit=config))
