"""The stage `curricula`: who is placed where, and that nobody is lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.drive import CURRICULA, schedule
from curation.measure.bands import band_label
from schemas.errors import UsageError
from schemas.ids import record_id
from schemas.recipe.curricula import Curricula
from schemas.recipe.measures import Band
from schemas.registry import contract
from tests.counts import inputs, quality, rates
from tests.tables import decisions, problems, stored
from warehouse.runner import run_stage


def pool(number: int, n: int = 8) -> dict[str, pl.LazyFrame]:
    """Return inputs for so many problems, measured on every count, in three sources and two tags."""
    rows = problems(range(number)).with_columns(
        source=pl.Series([f"s{i % 3}" for i in range(number)], dtype=pl.String),
        tags=pl.Series([[["dp"], [], ["graphs", "dp"]][i % 3] for i in range(number)], dtype=pl.List(pl.String)),
    )
    names = rows["problem_id"].to_list()
    return inputs(
        rows,
        pass_rates=rates({name: (n, i % (n + 1)) for i, name in enumerate(names)}),
        test_quality=quality({name: {"n_tests": 1 + i % 7} for i, name in enumerate(names)}),
    )


def placed(tables: dict, curricula: dict[str, Any], services: Any = None) -> pl.DataFrame:
    """Return the prompt set of a recipe's curricula."""
    result = schedule(tables, Curricula(**curricula), services)
    return result.outputs["prompt_set"].sort("curriculum", "phase", "order_index").collect()


def phase(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return one phase in order."""
    return table.filter(phase=name).sort("order_index")


def test_three_stages():
    """All prompts are supervised, hard ones twice; stage 1 is medium; stage 2.1 is the hardest."""
    table = placed(pool(90), {"drive": {"stage1": {"size": 20}}})
    supervised = phase(table, "sft")
    hard = {name for name, c in supervised.select("problem_id", "c").rows() if c <= 1}
    assert 90 == supervised["problem_id"].n_unique()
    assert {name: 1 + (name in hard) for name in supervised["problem_id"]} == Counter(supervised["problem_id"])
    assert {0, 1} == set(supervised["dup_index"])
    first = phase(table, "stage1")
    assert (20, {"medium"}) == (first.height, set(first["band"]))
    second = phase(table, "stage2.1")
    assert -(-90 * 72 // 175) == second.height
    rates_in_order = (second["c"] / second["n"]).to_list()
    assert sorted(rates_in_order) == rates_in_order


def test_absolute_sizes_on_a_full_pool():
    """A pool of 175 gives the published 72."""
    assert 72 == phase(placed(pool(175), {"drive": {}}), "stage2.1").height


def test_unsolved_problems_stay_in_stage_2():
    """Problems nobody solved are the hardest, and stay unless the recipe says otherwise."""
    kept = phase(placed(pool(90), {"drive": {}}), "stage2.1")
    assert 10 == kept.filter(pl.col("c") == 0).height
    without = phase(placed(pool(90), {"drive": {"stage2": {"unsolved": "leave_out"}}}), "stage2.1")
    assert 1 == without["c"].min()


def test_ties_go_by_id():
    """Of equal pass rates the smaller ids stay."""
    tables = pool(50)
    names = tables["rows"].collect()["problem_id"].to_list()
    tables["pass_rates"] = rates(dict.fromkeys(names, (8, 1)))
    kept = phase(placed(tables, {"drive": {}}), "stage2.1")["problem_id"].to_list()
    assert sorted(names)[: -(-50 * 72 // 175)] == kept


def test_equal_rates_of_other_sizes_tie():
    """1 of 8 and 8 of 64 are the same pass rate."""
    tables = pool(10)
    names = sorted(tables["rows"].collect()["problem_id"].to_list())
    tables["pass_rates"] = rates({name: ((8, 1) if i % 2 else (64, 8)) for i, name in enumerate(names)})
    kept = phase(placed(tables, {"drive": {"stage2": {"retention": "absolute"}}}), "stage2.1")
    assert names == kept["problem_id"].to_list()


def test_stage_2_pool_can_be_narrowed():
    """Sources and a floor of tests narrow the pool; ranking by tests passed is another order."""
    narrowed = {"sources": ["s1"], "min_tests": 4, "retention": "absolute"}
    kept = phase(placed(pool(90), {"drive": {"stage2": narrowed}}), "stage2.1")
    assert ({"s1"}, True) == (set(kept["source"]), kept["n_tests"].min() >= 4)
    tables = pool(10)
    names = sorted(tables["rows"].collect()["problem_id"].to_list())
    graded = pl.concat([rates({name: (8, 0)}, tests_passed=9 - i, tests_total=10) for i, name in enumerate(names)])
    by_tests = {"drive": {"stage2": {"rank_by": "tests", "retention": "absolute"}}}
    ranked = phase(placed({**tables, "pass_rates": graded}, by_tests), "stage2.1")
    assert names[::-1] == ranked["problem_id"].to_list()


@settings(max_examples=30)
@given(st.integers(1, 80), st.integers(1, 60), st.integers(0, 3))
def test_stage_1_is_even_over_strata(number, size, seed):
    """Strata of difficulty, source and tag that still have prompts left differ by at most one."""
    recipe = {"drive": {"sft": None, "stage2": None, "stage1": {"size": size, "seed": seed, "difficulty_bins": 2}}}
    tables = pool(number)
    drawn = placed(tables, recipe)
    medium = tables["rows"].join(tables["pass_rates"], on="problem_id").filter(pl.col("c").is_between(2, 6)).collect()

    def strata(table: pl.DataFrame) -> Counter:
        """Count rows by half of the band, source and first tag."""
        return Counter(
            (c * 10 >= 5 * n, source, *tags[:1])
            for n, c, source, tags in table.select("n", "c", "source", "tags").rows()
        )

    held, taken = strata(medium), strata(drawn)
    unfinished = [taken[name] for name in held if taken[name] < held[name]]
    assert min(size, medium.height) == drawn.height
    assert max(unfinished, default=0) - min(unfinished, default=0) <= 1
    assert max(taken.values(), default=0) <= min(unfinished, default=number) + 1


@settings(max_examples=30)
@given(st.integers(0, 40), st.randoms())
def test_order_never_matters(number, random):
    """Shuffled tables give the same prompt set, to the last index."""
    recipe = {"drive": {"stage1": {"size": 5}}, "plain": [{"order": "shuffled"}]}
    tables = pool(number)
    mixed = {
        name: table.collect().sample(fraction=1, shuffle=True, seed=random.randint(0, 99)).lazy()
        for name, table in tables.items()
    }
    assert placed(tables, recipe).equals(placed(mixed, recipe))


def test_rows_keep_the_contract():
    """Ids follow from content, indexes count from 0 without gaps, evidence and flags stand in the row."""
    tables = pool(30)
    flagged = tables["rows"].collect()["problem_id"][3]
    tables["decisions"] = decisions(
        [(flagged, "flag", "rank_inversion"), (flagged, "flag", "majority_disagrees"), ("p_other", "drop", "band")],
    )
    table = placed(tables, {"drive": {"stage1": {"size": 5}}})
    assert contract("prompt_set").names == table.columns
    assert table["row_id"].is_unique().all()
    for row in table.select("row_id", "problem_id", "curriculum", "phase", "dup_index").rows():
        assert record_id("s", *row[1:]) == row[0]
    for _, group in table.group_by("curriculum", "phase"):
        assert list(range(group.height)) == sorted(group["order_index"])
    expected = ["majority_disagrees", "rank_inversion"]
    assert [expected] == table.filter(problem_id=flagged, phase="sft")["flags"].unique().to_list()
    assert [] == table.filter(pl.col("problem_id") != flagged)["flags"].explode().drop_nulls().to_list()


def test_plain_orders():
    """Easy to hard, hard to easy, shuffled: the same rows, unmeasured last, never shuffled by row order."""
    tables = pool(20)
    names = tables["rows"].collect()["problem_id"].to_list()
    tables["pass_rates"] = rates({name: (8, i % 9) for i, name in enumerate(names[:-1])})
    up, down, mixed = (
        placed(tables, {"plain": [{"order": order}]}) for order in ("easy_to_hard", "hard_to_easy", "shuffled")
    )
    assert names[-1] == up["problem_id"][-1] == down["problem_id"][-1]
    assert [8, 8, 7, 7] == up["c"].to_list()[:4]
    assert [0, 0, 0, 1] == down["c"].to_list()[:4]
    assert set(up["problem_id"]) == set(mixed["problem_id"]) == set(names)
    assert up["problem_id"].to_list() != mixed["problem_id"].to_list() != down["problem_id"].to_list()


def test_plain_draw():
    """A weighted draw keeps so many, never one of weight zero or never measured, and drops the rest by name."""
    tables = pool(40)
    result = schedule(tables, Curricula(plain=[{"draw": {"size": 12, "by": "kimi"}}]), None)
    drawn = result.outputs["prompt_set"].collect()
    assert (12, True) == (drawn.height, (drawn["c"] < 8).all())
    gone = result.decisions.collect()
    assert {("drop", "not_selected")} == set(gone.select("verdict", "reason").rows())
    assert set(tables["rows"].collect()["problem_id"]) - set(drawn["problem_id"]) == set(gone["record_id"])


def test_the_stage_keeps_the_books(services):
    """Problems in no phase are dropped with their pass rate and the hardest phase's highest; the rest are kept."""
    tables = pool(90)
    kinds = {"rows": "problem", "pass_rates": "pass_rate", "test_quality": "test_quality"}
    refs = {name: stored(services.workspace, name, tables[name], kind) for name, kind in kinds.items()}
    config = Curricula(drive={"sft": None, "stage1": {"size": 9}})
    run = run_stage(CURRICULA, refs, config, services)
    assert 90 == run.counts["kept"] + run.counts["dropped"]["not_selected"]
    scanned = {name: services.workspace.scan(ref).collect() for name, ref in run.tables.items()}
    assert set(scanned["rows"]["problem_id"]) == set(scanned["prompt_set"]["problem_id"])
    edge = scanned["prompt_set"].filter(phase="stage2.1").select((pl.col("c") / pl.col("n")).max()).item()
    assert {edge} == set(scanned["decisions"]["threshold"])
    assert edge <= scanned["decisions"]["measured"].min()
    again = run_stage(CURRICULA, refs, config, services)
    assert (True, run.tables) == (again.cached, again.tables)


def test_two_measurements_are_refused():
    """Counts of two checkpoints need a name; named, the other one is not read."""
    tables = pool(20)
    later = rates(dict.fromkeys(tables["rows"].collect()["problem_id"], (8, 8)), policy_revision="2")
    tables["pass_rates"] = pl.concat([tables["pass_rates"], later])
    with pytest.raises(UsageError, match="2 measurements match"):
        placed(tables, {"drive": {}})
    named = placed(
        tables, {"drive": {"measure": {"policy_revision": "1"}, "stage2": {"measure": {"policy_revision": "2"}}}}
    )
    assert {"2"} == set(phase(named, "stage2.1")["policy_revision"])
    assert {"1"} == set(phase(named, "sft")["policy_revision"])


def test_without_counts_only_supervised():
    """Never-measured prompts have no band: they are supervised once and in no other stage."""
    tables = {**pool(5), "pass_rates": rates({})}
    table = placed(tables, {"drive": {}})
    assert [("sft", None, 0)] == table.select("phase", "band", "dup_index").unique().rows()


@given(st.integers(1, 40), st.integers(0, 40))
def test_band_labels(n, c):
    """Labels cut at exactly the edges of the medium band."""
    c = min(c, n)
    label = pl.DataFrame({"n": [n], "c": [c]}).select(x=band_label(Band(low=0.2, high=0.8)))["x"][0]
    assert ("hard" if 5 * c < n else "easy" if 5 * c > 4 * n else "medium") == label


@pytest.mark.parametrize(
    ("curricula", "message"),
    [
        ({}, "name at least one"),
        ({"plain": [{}, {}]}, "share the name bands"),
        ({"plain": [{"name": "drive"}], "drive": {}}, "share the name drive"),
        ({"drive": {"stage2": {"sizes": [72, 80, 25]}}}, "must not grow"),
        ({"drive": {"stage2": {"sizes": [72, 50]}}}, "2 sizes and 3 steps"),
        ({"drive": {"sft": {"hard_by": "arena"}}}, "needs `arena`"),
        ({"drive": {"sft": {"arena": {"predictors": [{}, {}, {}]}}}}, "at least 4 items"),
        ({"drive": {"sft": {"arena": {"predictors": [{}] * 4, "fail_by": "judge"}}}}, "judge_version"),
        ({"drive": {"stage3": {}}}, "stage3"),
    ],
)
def test_wrong_settings(curricula, message):
    """A wrong section is refused before anything runs, saying what is allowed."""
    with pytest.raises(ValidationError, match=message):
        Curricula(**curricula)
