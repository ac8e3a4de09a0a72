"""Columns whose names each belong to one person: nothing of them is learned or stored, and the policy says so."""

from __future__ import annotations

import polars as pl
import pytest

from privacy.minimize.learn import fit, sweep
from privacy.minimize.learn.binning import Binning
from privacy.minimize.rules import Drop
from privacy.minimize.show import markdown
from schemas.minimize import DATAMIN, Fit, Sweep
from tests.privacy.minimize.learn.tables import buckets, planted

PLAIN = Fit(targets=("y",), min_samples_leaf=20, max_leaf_nodes=8)
ROW = pl.int_range(pl.len())


def codes(number: pl.Expr) -> pl.Expr:
    """Texts of one word, such as ids."""
    return pl.concat_str(pl.lit("u"), number)


@pytest.mark.parametrize("release", ["attribute", "cell"])
def test_ids_are_neither_learned_from_nor_published(release):
    """The policy is that of the table without them, and tells why the column is dropped."""
    table, config = planted(2_000), PLAIN.model_copy(update={"release": release, "personal": ("sex",)})
    policy = fit(table.with_columns(uid=codes(ROW)), config)
    assert buckets(fit(table, config)) == buckets(policy)
    assert isinstance(policy.columns["uid"], Drop)
    assert ("uid",) == policy.fit.identifying
    assert "| uid | tells people apart |" in markdown(policy)


def test_ids_are_not_personal_unless_a_person_says_so():
    """By default the others are; the policy names them."""
    table = planted(400).with_columns(uid=codes(ROW))
    assert ("job", "colour", "sex") == fit(table, PLAIN).fit.personal
    told = fit(table, PLAIN.model_copy(update={"personal": ("uid", "sex")}))
    assert (("uid", "sex"), None) == (told.fit.personal, told.fit.identifying)


def test_a_sweep_measures_no_risk_of_ids():
    """Neither the mean nor the worst of the risks is theirs, and the policy keeps nothing of them."""
    table = planted(600).with_columns(uid=codes(ROW))
    config = Sweep(fit=PLAIN, alphas=(0.5,), leaves=(4,), exchanges=())
    swept = sweep(table, config)
    assert isinstance(swept.policy.columns["uid"], Drop)
    assert {"job", "colour", "sex"} >= {one.worst for one in swept.measured}
    assert ("uid",) == swept.policy.fit.identifying


@pytest.mark.parametrize(
    ("uid", "config", "expected"),
    [
        (codes(ROW), {}, ("uid",)),
        (codes(ROW % 49), {}, ()),
        (codes(ROW % 200), {}, ()),
        (pl.when(ROW < 199).then(codes(ROW)), {}, ()),
        (pl.when(ROW < 201).then(codes(ROW)), {}, ("uid",)),
        (ROW, {}, ()),
        (ROW, {"categorical": ("uid",)}, ("uid",)),
        (codes(ROW).cast(pl.Categorical), {}, ("uid",)),
        (codes(ROW), {"compat": DATAMIN}, ()),
        (codes(ROW), {"leakage_weights": {"uid": 2.0}}, ()),
        (codes(ROW), {"weight": "two"}, ()),
        (codes(ROW), {"weight": "half"}, ("uid",)),
        (codes(ROW), {"client": "who"}, ("uid",)),
        (codes(ROW // 4), {"client": "who"}, ("uid",)),
        (codes(ROW % 4 + ROW // 8 * 4), {"client": "who"}, ()),
    ],
)
def test_most_people_must_have_a_name_of_their_own(uid, config, expected):
    """Of 400 rows, or of 100 clients with four each: many names identify nobody where they are shared."""
    table = planted(400).with_columns(uid=uid, who=ROW // 4, two=pl.lit(2), half=pl.lit(0.5))
    found = Binning.learn(table.lazy(), PLAIN.model_copy(update=config))
    assert expected == found.identifying
