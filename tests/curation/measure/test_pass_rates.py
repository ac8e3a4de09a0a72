"""Counting: every rollout once, in any order, on any engine; and choosing which counts are meant."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.measure import pass_rates
from curation.measure.pass_rates import KEY, PASS_RATES, count, counts_on, merge, select
from schemas.errors import UsageError
from schemas.recipe.measures import Measure
from schemas.records import PASS_RATE
from tests.counts import SAMPLER, inputs, rates, rollout, rollouts
from tests.tables import problem, problems, stored
from warehouse.engines import LocalEngine
from warehouse.runner import run_stage
from warehouse.stages import Services


def answers(policies=("model", "other")):
    """Rollouts of a few problems and policies, right, wrong or faulty."""
    one = st.builds(
        lambda problem, index, correct, policy, chars, truncated: rollout(
            problem,
            index,
            correct=correct,
            policy=policy,
            response_chars=chars,
            truncated=truncated,
        ),
        st.sampled_from(["p1", "p2", "p3"]),
        st.integers(0, 9),
        st.sampled_from([True, False, None]),
        st.sampled_from(policies),
        st.integers(0, 50),
        st.booleans(),
    )
    return st.lists(one, max_size=30, unique_by=lambda row: row["rollout_id"])


def counted(table: pl.LazyFrame) -> list:
    """Counts as sorted rows."""
    return table.select(PASS_RATE.names).sort(KEY).collect().rows()


def test_counts_by_hand():
    """Right, wrong and faulty answers each go where they belong."""
    made = rollouts(
        [
            rollout("p1", 0, response_chars=7),
            rollout("p1", 1, response_chars=5, passed=3, total=3),
            rollout("p1", 2, correct=False, passed=2, total=4, response_chars=9, truncated=True),
            rollout("p1", 3, correct=None, response_chars=100),
        ],
    )
    expected = ("p1", "model", "1", SAMPLER, "1", 3, 2, 1, 6, 8, 1, 21, 12, 5)
    assert [expected] == counted(pass_rates.counts(made))


@given(answers(), st.randoms())
def test_order_never_matters(rows, random):
    """Shuffled rollouts give the same counts, whatever the engine of polars."""
    shuffled = random.sample(rows, len(rows))
    expected = counted(pass_rates.counts(rollouts(rows)))
    assert expected == counted(pass_rates.counts(rollouts(shuffled)))
    streamed = pass_rates.counts(rollouts(shuffled)).collect(engine="streaming").lazy()
    assert expected == counted(streamed)


@given(answers())
def test_every_rollout_is_counted_once(rows):
    """Answers judged plus faults is the number of rollouts."""
    table = pass_rates.counts(rollouts(rows)).select(pl.col("n", "faults").sum()).collect()
    assert len(rows) == sum(table.row(0))


@given(answers(), st.integers(0, 30), st.integers(0, 30))
def test_merge_equals_counting_at_once(rows, split, overlap):
    """Increments that overlap what was counted, and repeat themselves, add up to one count of everything."""
    old, new = rows[:split], rows[max(split - overlap, 0) :]
    merged = merge(pass_rates.counts(rollouts(old)), rollouts(old), rollouts(new + new[:3]))
    assert counted(pass_rates.counts(rollouts(rows))) == counted(merged)


def test_a_new_verdict_is_a_new_count():
    """The same answer judged by another verifier version is counted beside, not instead."""
    old = rollouts([rollout("p1", 0)])
    judged_again = rollouts([rollout("p1", 0, correct=False, verifier_version="2")])
    merged = merge(pass_rates.counts(old), old, judged_again)
    assert [("1", 1, 1), ("2", 1, 0)] == merged.select("verifier_version", "n", "c").sort(
        "verifier_version"
    ).collect().rows()


class Recording(LocalEngine):
    """An engine of another name that counts its chunks."""

    name = "recording"

    def __init__(self):
        self.chunks = 0

    def map_chunks(self, function, items, size):
        """Apply chunk by chunk, counting."""

        def watched(chunk):
            self.chunks += 1
            return function(chunk)

        return super().map_chunks(watched, items, size)


@pytest.fixture
def pieces_of_four(monkeypatch):
    """Make pieces of four rows."""
    monkeypatch.setattr(pass_rates, "_ROWS_PER_PIECE", 4)


@pytest.mark.usefixtures("pieces_of_four")
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=answers())
def test_pieces_add_up(rows, tmp_path_factory):
    """Row groups counted apart add up to the count of the whole."""
    engine = Recording()
    table = counts_on(engine, rollouts(rows), tmp_path_factory.mktemp("scratch"))
    assert counted(pass_rates.counts(rollouts(rows))) == counted(table)
    assert -(-len(rows) // 4) == engine.chunks


def test_the_stage_on_another_engine_has_the_same_hash(workspace, tmp_path):
    """The stage gives the same content hash on the local engine and on one that works in pieces."""
    made = problems(range(6))
    rows = [rollout(name, i, correct=i % 3 == 0) for name in made["problem_id"] for i in range(5)]
    refs = {
        "rows": stored(workspace, "rows", made, "problem"),
        "rollouts": stored(workspace, "rollouts", rollouts(rows), "rollout"),
    }
    local = run_stage(PASS_RATES, refs, None, Services(workspace))
    (workspace.root / "work").rename(tmp_path / "first")
    elsewhere = run_stage(PASS_RATES, refs, None, Services(workspace, engine=Recording()))
    assert local.tables["pass_rates"] == elsewhere.tables["pass_rates"]
    assert not elsewhere.cached
    assert 6 == elsewhere.tables["pass_rates"].rows


def test_spark_has_the_same_hash(spark, workspace, tmp_path):
    """Counting on PySpark executors gives the content hash of counting here."""
    made = problems(range(6))
    rows = [rollout(name, i, correct=[True, False, None][i % 3]) for name in made["problem_id"] for i in range(5)]
    refs = {
        "rows": stored(workspace, "rows", made, "problem"),
        "rollouts": stored(workspace, "rollouts", rollouts(rows), "rollout"),
    }
    local = run_stage(PASS_RATES, refs, None, Services(workspace))
    (workspace.root / "work").rename(tmp_path / "first")
    executed = run_stage(PASS_RATES, refs, None, Services(workspace, engine=spark))
    assert (False, local.tables["pass_rates"]) == (executed.cached, executed.tables["pass_rates"])


def test_the_stage_is_incremental(services):
    """Given what was counted, the stage adds only new rollouts and gives the counts of all."""
    name = problem(1)["problem_id"]
    old = rollouts([rollout(name, 0), rollout(name, 1, correct=False)])
    everything = rollouts([rollout(name, 0, correct=False), rollout(name, 1), rollout(name, 2)])
    tables = inputs(problems([1]), rollouts=everything, counted=old, counts=pass_rates.counts(old))
    table = count(tables, None, services).outputs["pass_rates"]
    assert [(3, 2)] == table.select("n", "c").collect().rows()


def test_the_stage_remarks(services):
    """Problems without an answer, and with sandbox faults, are flagged; none is dropped."""
    made = problems([1, 2, 3]).sort("problem_id")
    first, second, _ = made["problem_id"]
    given_rollouts = rollouts([rollout(first, 0), rollout(second, 0, correct=None)])
    result = count(inputs(made, rollouts=given_rollouts), None, services)
    found = result.decisions.select("record_id", "verdict", "reason", "measured").sort("record_id", "reason").collect()
    expected = [
        (second, "flag", "not_measured", 0.0),
        (second, "flag", "sandbox_faults", 1.0),
        (made["problem_id"][2], "flag", "not_measured", 0.0),
    ]
    assert expected == found.rows()


def test_select_one_measurement():
    """The one measurement there is needs no name; a guesser beside it is left out by name."""
    both = pl.concat([rates({"a": (8, 1)}), rates({"a": (8, 5)}, policy="guess")])
    chosen = select(both, Measure(), besides=[Measure(policy="guess")])
    assert [("model", 1)] == chosen.select("policy", "c").collect().rows()
    assert [("guess", 5)] == select(both, Measure(policy="guess")).select("policy", "c").collect().rows()


def test_select_refuses_to_guess():
    """Two measurements are never mixed, and the error names both."""
    both = pl.concat([rates({"a": (8, 1)}), rates({"a": (8, 5)}, policy_revision="2")])
    with pytest.raises(UsageError, match=r"2 measurements match.*policy_revision '1'.*policy_revision '2'"):
        select(both, Measure(policy="model"))


def test_select_tells_what_there_is():
    """A name that matches nothing is an error that lists what was measured."""
    with pytest.raises(UsageError, match=r"no counts match.*'modle'.*policy 'model'"):
        select(rates({"a": (8, 1)}), Measure(policy="modle"))


def test_select_without_counts():
    """No counts at all is no error: nothing was measured."""
    assert 0 == select(rates({}), Measure()).collect().height
