"""Sweeps: what is measured, what is picked, and how it is drawn."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from importlib import import_module

import numpy as np
import polars as pl
import pytest

from privacy.minimize.learn import Swept, sweep
from privacy.minimize.learn.bench import Bench
from privacy.minimize.learn.binning import bin_sample
from privacy.minimize.learn.cells import with_cells
from privacy.minimize.learn.coarsen import Trade, coarsened, leaf_shares
from privacy.minimize.learn.fit import fitted
from privacy.minimize.learn.generalize import from_tree
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.release import to_policy
from privacy.minimize.learn.search import criterion_of, greedy
from schemas.errors import UsageError
from schemas.minimize import Choice, Fit, Sweep
from tests.privacy.minimize.learn.tables import buckets, mingled, planted

pytest.importorskip("sklearn", reason="sweeps need the extra `privacy`")

SMALL = Sweep(
    fit=Fit(targets=("y",), personal=("sex", "job"), min_samples_leaf=20),
    alphas=(0.0, 0.5),
    leaves=(2, 8),
    exchanges=(0.1, 0.5),
    merged_alphas=(0.0,),
    merged_leaves=12,
)


@pytest.fixture(scope="module")
def swept() -> Swept:
    """A small sweep over a planted policy."""
    return sweep(planted(1_500), SMALL)


def test_front_is_what_nothing_beats(swept):
    """On the validation rows none of the same release has both less error and no more risk than one of the front."""
    for place in swept.front:
        one = swept.measured[place]
        assert not [
            other
            for other in swept.measured
            if other.release == one.release
            and other.validation_error is not None
            and other.validation_error < one.validation_error
            and other.validation_risk <= one.validation_risk
        ]


def test_each_release_has_a_front(swept):
    """Who needs one form of release finds its front, though the other form may tell less at the same error."""
    for release in ("attribute", "cell"):
        front = [one for one in (swept.measured[place] for place in swept.front) if one.release == release]
        assert min(one.validation_risk for one in swept.measured if one.release == release) == front[0].validation_risk


def test_what_nothing_is_gained_by_is_not_stored():
    """Where a class is so rare that guessing errs no more than raw data, an attacker's bad luck decides nothing."""
    draw = np.random.default_rng(4)
    columns = {"sex": draw.choice(["f", "m"], 800), "job": draw.choice(["a", "b", "c"], 800)}
    columns |= {"age": draw.integers(18, 80, 800), "y": np.arange(800) % 80 == 0}

    assert {} == sweep(pl.DataFrame(columns), SMALL).policy.kept


def test_pick_follows_its_rule(swept):
    """On the validation rows the pick has the least risk among those within the tolerance of the raw data's error."""
    raw = float(re.search(r"the raw data's (0\.\d+) on validation rows", swept.rule)[1])
    tried = [one for one in swept.measured if one.validation_error is not None]
    good = [one for one in tried if one.validation_error - raw <= max(0.01, one.doubt) + 5e-5]
    assert min(one.validation_risk for one in good) == swept.measured[swept.picked].validation_risk
    assert swept.measured[swept.picked].release == swept.policy.release


def test_few_rows_widen_the_tolerance():
    """What 94 validation rows cannot tell from the raw data's error is allowed, unless the tolerance rules alone."""
    table = planted(700, seed=3).with_columns(y=pl.when(pl.col("days") < 9).then(1 - pl.col("y")).otherwise("y"))
    wide, narrow = (sweep(table, SMALL.model_copy(update={"standard_errors": number})) for number in (1.0, 0.0))
    picked, other = (found.measured[found.picked] for found in (wide, narrow))
    assert [one.figures for one in wide.measured] == [one.figures for one in narrow.measured]
    assert picked.validation_risk <= other.validation_risk
    assert picked.doubt > 0.01
    assert f"here within {picked.doubt:.4f}" in wide.rule
    assert "standard error" not in narrow.rule


def test_reported_rows_are_seen_by_nothing_else():
    """The three parts share no row and make up the table; learning sees the first alone."""
    table = planted(1_000).with_columns(number=pl.int_range(1_000))
    binning, sample = bin_sample(table, SMALL.fit.model_copy(update={"max_bins": 1_000}))
    bench = Bench(binning, sample, 0.3, 0.2)
    place = binning.names.index("number")
    parts = [set(part.columns[place].tolist()) for part in (bench.train, bench.validation, bench.test)]
    assert [560, 140, 300] == [len(part) for part in parts]
    assert set(range(1_000)) == set().union(*parts)
    assert bench.distinct.rows <= 560


class Turned(Bench):
    """A bench whose test rows have the opposite target."""

    def __init__(self, *given):
        super().__init__(*given)
        self.test = replace(self.test, targets=[1 - codes for codes in self.test.targets])


def test_choices_do_not_look_at_the_reported_rows(swept, monkeypatch):
    """Turning the target of the test rows turns the reported errors, and moves neither the front nor the pick."""
    monkeypatch.setattr(import_module("privacy.minimize.learn.sweep"), "Bench", Turned)
    other = sweep(planted(1_500), SMALL)
    assert (swept.front, swept.picked) == (other.front, other.picked)
    assert swept.policy.digest == other.policy.digest
    tried = [place for place, one in enumerate(swept.measured) if one.error is not None]
    turned = [1 - other.measured[place].error for place in tried]
    assert pytest.approx([swept.measured[place].error for place in tried]) == turned


def test_raw_data_and_guessing_are_told(swept):
    """The planted target is learned from raw data, and guessing is told apart from the release."""
    assert swept.raw_error < 0.01 < swept.majority_error
    assert all(swept.base_risk - 0.02 <= one.risk for one in swept.measured)


def test_person_overrides_the_rule():
    """A choice from the grid becomes the policy; one that is not in the grid is refused."""
    choice = Choice(alpha=0.5, leaves=2, release="cell")
    found = sweep(planted(800), SMALL.model_copy(update={"choice": choice}))
    one = found.measured[found.picked]
    assert (0.5, 2, "cell", None) == (one.alpha, one.leaves, one.release, one.exchange)
    assert "a person" in found.rule
    with pytest.raises(UsageError, match=r"alpha 0\.3"):
        sweep(planted(800), SMALL.model_copy(update={"choice": Choice(alpha=0.3, leaves=2, release="cell")}))


def test_order_of_rows_changes_nothing(swept):
    """The same rows in another order give the same table and the same pick."""
    table = planted(1_500)
    other = sweep(table.sample(fraction=1, shuffle=True, seed=1), SMALL)
    assert swept.table.equals(other.table)
    assert swept.policy.digest == other.policy.digest


def test_drawing_shows_every_measured_policy(swept):
    """The drawing is well-formed and has a dot for each measured policy, a key and a ring."""
    root = ET.fromstring(swept.draw())
    circles = [element for element in root.iter() if element.tag.endswith("circle")]
    measured = [one for one in swept.measured if one.error is not None]
    kinds = {one.release for one in measured}
    assert len(measured) + len(kinds) + 1 == len(circles)


def test_merging_prices_what_is_released():
    """Two columns that say the same are both released by a tree that asks both; merging drops what is spare."""
    draw = np.random.default_rng(2)
    age = draw.integers(20, 60, 3_000)
    table = pl.DataFrame(
        {
            "age": age,
            "club": np.where(age > 40, draw.choice(["a", "b"], 3_000), draw.choice(["c", "d"], 3_000)),
            "sex": draw.choice(["F", "M"], 3_000),
            "y": ((age > 40) ^ (draw.random(3_000) < 0.2)).astype(int),
        }
    )
    binning, sample = bin_sample(table, Fit(targets=("y",), personal=("club", "sex"), alpha=0.0, max_leaf_nodes=12))
    tree = greedy(InMemory(sample), binning, criterion_of(binning, 0.0), 12)
    start = from_tree(binning.layout, tree)
    merged = coarsened(
        start, sample, leaf_shares(tree, sample.layout, sample.columns), Trade(criterion_of(binning), 0.2)
    )
    assert merged.total < start.total
    assert (1, 1) == (merged.sizes[1], merged.sizes[2])
    assert 2 <= merged.sizes[0] < start.sizes[0]


def test_merges_do_not_depend_on_the_other_rates():
    """What is merged at a rate is the same whether lower rates are tried, too, or not."""
    frame = mingled(1_200)
    choice = Choice(alpha=0, leaves=60, release="attribute", exchange=0.2)
    grid = {"alphas": (0.0,), "releases": ("attribute",), "merged_leaves": 60, "merged_min_samples_leaf": 5}
    config = SMALL.model_copy(update={**grid, "choice": choice})
    alone, among = (
        sweep(frame, config.model_copy(update={"exchanges": rates})).policy for rates in ((0.2,), (0.001, 0.02, 0.2))
    )
    assert alone.digest == among.digest


def test_smallest_group_holds_where_finer_trees_are_merged():
    """Leaves of five rows are merged until every combination released has the group that is asked for."""
    asked = SMALL.fit.model_copy(update={"smallest_group": 30})
    fine = SMALL.model_copy(update={"fit": asked, "merged_min_samples_leaf": 5, "alphas": (1.0,), "leaves": (2,)})
    found = sweep(planted(1_000), fine)
    assert [one for one in found.measured if one.exchange is not None]
    assert 30 <= min(one.smallest for one in found.measured)


def test_leaves_that_decide_alike_share_a_cell():
    """A tree of many leaves over a planted policy needs two cells, in the policy as on the bench."""
    binning, sample = bin_sample(planted(), Fit(targets=("y",), personal=("sex",), alpha=0.0, release="cell"))
    tree = greedy(InMemory(sample), binning, criterion_of(binning, 0.0), 12)
    found = from_tree(binning.layout, with_cells(tree, Trade(criterion_of(binning), 0.2)))
    cells = found.release(sample)["cell"]
    assert 2 == len(np.unique(cells))
    assert 2 == len(np.unique(np.column_stack([cells, sample.targets[0]]), axis=0))
    policy = to_policy(binning, found, fitted(binning, sample.rows, 0), {"y": "int"})
    assert policy.cells is not None
    assert ("c0", "c1") == tuple(sorted(policy.cells.cells))


def test_planted_policy_is_picked(swept):
    """The pick tells age and job apart where the target does, and nothing else."""
    assert {"age", "job"} == set(buckets(swept.policy))
