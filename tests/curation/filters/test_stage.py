"""The stage `filters`: no problem lost or judged twice, control sets, and the report of what each rule removes."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.filters import FILTERS, apply, controls, decide, report
from schemas.books import DECISION
from schemas.recipe.filters import Filters
from tests.counts import inputs, quality, rates
from tests.tables import problems, stored
from warehouse.runner import run_stage

ALL = (
    {"name": "min_tests", "at_least": 2},
    {"name": "unsolved"},
    {"name": "saturated", "evidence": "none"},
    {"name": "band", "low": 0.1, "high": 0.9},
    {"name": "form"},
    {"name": "gold_sanity"},
    {"name": "majority_disagrees", "action": "drop"},
    {"name": "rank_inversion", "action": "drop"},
    {"name": "hardest", "keep": 0.5},
    {"name": "test_strength"},
)


def many(number: int) -> dict[str, pl.LazyFrame]:
    """Return inputs of every kind for so many problems."""
    rows = problems(range(number)).with_columns(
        source=pl.Series([f"s{i % 3}" for i in range(number)], dtype=pl.String),
    )
    names = rows["problem_id"].to_list()
    measured = rates({name: (8 if i % 4 else 64, i % 9) for i, name in enumerate(names) if i % 5})
    known = quality({name: {"n_tests": 1 + i % 4, "references_passed": int(i % 6 > 0)} for i, name in enumerate(names)})
    return inputs(rows, pass_rates=measured, test_quality=known)


@settings(max_examples=25)
@given(st.integers(0, 25), st.randoms())
def test_order_never_matters(number, random):
    """Shuffled tables give the same decisions, on either engine, each unique in record, verdict and reason."""
    rules = Filters(rules=ALL)
    tables = many(number)
    key = ["record_id", "verdict", "reason"]
    once = decide(tables, rules).sort(key).collect()
    mixed = {
        name: table.collect().sample(fraction=1, shuffle=True, seed=random.randint(0, 99)).lazy()
        for name, table in tables.items()
    }
    assert once.equals(decide(mixed, rules).sort(key).collect(engine="streaming"))
    assert not once.select(key).is_duplicated().any()


def test_the_stage_keeps_the_books(services):
    """Every problem is kept or dropped by a named reason, and the control set is as large, source by source."""
    tables = many(60)
    kinds = {"rows": "problem", "pass_rates": "pass_rate", "test_quality": "test_quality", "rollouts": "rollout"}
    refs = {name: stored(services.workspace, name, tables[name], kind) for name, kind in kinds.items()}
    run = run_stage(FILTERS, refs, Filters(rules=ALL, control={"seed": 3}), services)
    assert 60 == run.counts["kept"] + sum(run.counts["dropped"].values())
    assert 0 < run.counts["kept"] < 60

    def mix(name: str) -> list:
        table = services.workspace.scan(run.tables[name])
        return table.group_by("source").len().sort("source").collect().rows()

    assert mix("rows") == mix("controls")


@settings(max_examples=40)
@given(st.integers(0, 40), st.integers(0, 3), st.randoms())
def test_controls(number, seed, random):
    """A control set has the kept problems' source mix, and depends on seed and ids alone."""
    tables = many(number)
    decided = decide(tables, Filters(rules=[{"name": "min_tests", "at_least": 3}])).collect().lazy()
    drawn = controls(tables["rows"], decided, seed).collect().sort("problem_id")
    shuffled = tables["rows"].collect().sample(fraction=1, shuffle=True, seed=random.randint(0, 99)).lazy()
    assert drawn.equals(controls(shuffled, decided, seed).collect().sort("problem_id"))
    gone = decided.filter(verdict="drop").select(problem_id="record_id")
    kept = tables["rows"].join(gone, on="problem_id", how="anti").collect()
    assert sorted(kept["source"]) == sorted(drawn["source"])
    assert drawn["problem_id"].is_unique().all()


def test_controls_are_random():
    """Another seed draws another set, dropped problems among them."""
    tables = many(60)
    decided = decide(tables, Filters(rules=[{"name": "min_tests", "at_least": 4}])).collect().lazy()
    one, other = (set(controls(tables["rows"], decided, seed).collect()["problem_id"]) for seed in (1, 2))
    gone = set(decided.filter(verdict="drop").collect()["record_id"])
    assert one != other
    assert one & gone


def test_report():
    """What each rule alone removes, and what nobody else would."""
    rows = problems([1, 2, 3])
    names = rows["problem_id"].to_list()
    known = quality({name: {"n_tests": n, "flaky": n < 3} for name, n in zip(names, (1, 3, 9), strict=True)})
    rules = Filters(rules=[{"name": "min_tests"}, {"name": "flaky"}, {"name": "unsolved"}])
    table_of_rules = report(decide(inputs(rows, test_quality=known), rules))
    expected = [("min_tests", 2, 1, 0), ("flaky", 1, 0, 0), ("unsolved_unknown", 0, 0, 3)]
    assert expected == table_of_rules.rows()


def test_no_rules_no_decisions(services):
    """Without rules everything stays, and no control set is drawn."""
    result = apply(inputs(problems([1])), Filters(), services)
    assert (0, 0) == (result.decisions.collect().height, result.outputs["controls"].collect().height)
    assert set(DECISION.names) - {"run_id", "stage"} == set(result.decisions.collect_schema().names())
