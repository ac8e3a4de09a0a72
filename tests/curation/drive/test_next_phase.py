"""The next phase of stage 2: re-measured, nested, and refused where it cannot be told."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.drive import next_phase, schedule
from curation.drive.stage2 import retained
from schemas.errors import UsageError
from schemas.recipe.curricula import Curricula, Drive, DriveStage2
from schemas.recipe.measures import Measure
from schemas.registry import contract
from tests.counts import inputs, rates
from tests.tables import problems

DRIVE = Drive()


def first_phase(number: int, drive: Drive = DRIVE) -> pl.LazyFrame:
    """Return a prompt set whose first stage 2 phase is ranked by revision 1."""
    rows = problems(range(number))
    measured = rates({name: (8, i % 9) for i, name in enumerate(rows["problem_id"])})
    return (
        schedule(inputs(rows, pass_rates=measured), Curricula(drive=drive), None).outputs["prompt_set"].collect().lazy()
    )


def ids(table: pl.LazyFrame, phase: int) -> list[str]:
    """Return a phase's problems in order."""
    return table.filter(phase=f"stage2.{phase}").sort("order_index").collect()["problem_id"].to_list()


def measured_again(names: list[str], counts: list[int], revision: str, n: int = 64) -> pl.LazyFrame:
    """Return counts of a newer checkpoint."""
    return rates({name: (n, c) for name, c in zip(names, counts, strict=True)}, policy_revision=revision)


def test_the_published_sizes():
    """From 175 problems: 72, then 50, then 25, each the lowest pass rates of the checkpoint before it."""
    table = first_phase(175)
    sizes = [len(ids(table, 1))]
    for phase, revision in ((2, "2"), (3, "3")):
        names = ids(table, phase - 1)
        counts = [(7 * i) % 65 for i in range(len(names))]
        result = next_phase(table, measured_again(names, counts, revision), DRIVE)
        table = result.prompt_set
        chosen = ids(table, phase)
        sizes.append(len(chosen))
        ranked = sorted(zip(counts, names, strict=True))
        assert [name for _, name in ranked[: len(chosen)]] == chosen
        assert phase == result.phase
    assert [72, 50, 25] == sizes


@settings(max_examples=30)
@given(st.integers(3, 60), st.data())
def test_phases_are_nested(number, data):
    """Every phase is part of the one before, no larger, in order of pass rate; the rest is dropped by name."""
    table = first_phase(number)
    for phase in (2, 3):
        names = ids(table, phase - 1)
        counts = data.draw(st.lists(st.integers(0, 64), min_size=len(names), max_size=len(names)))
        result = next_phase(table, measured_again(names, counts, str(phase)), DRIVE)
        chosen = ids(result.prompt_set, phase)
        dropped = result.decisions.filter(verdict="drop").collect()["record_id"].to_list()
        assert sorted(names) == sorted(chosen + dropped)
        assert retained(len(names), phase, DRIVE.stage2) == len(chosen)
        rate = dict(zip(names, counts, strict=True))
        assert sorted(chosen, key=lambda name: (rate[name], name)) == chosen
        assert max((rate[name] for name in chosen), default=0) <= min((rate[name] for name in dropped), default=64)
        table = result.prompt_set


@given(st.integers(1, 400), st.integers(1, 3), st.sampled_from(["auto", "absolute", "fraction"]))
def test_retained_is_sane(available, phase, retention):
    """A phase is never empty, never grows, and follows the published sizes on a full pool."""
    stage = DriveStage2(retention=retention)
    before, size = (175, 72, 50, 25)[phase - 1 : phase + 1]
    kept = retained(available, phase, stage)
    assert 1 <= kept <= available
    if available == before:
        assert size == kept
    if retention == "fraction":
        assert 0 <= kept - available * size / before < 1


def test_rows_carry_the_new_evidence():
    """A new phase's rows follow the contract, with the counts of the checkpoint that chose them."""
    table = first_phase(20)
    names = ids(table, 1)
    result = next_phase(table, measured_again(names, list(range(len(names))), "2"), DRIVE)
    rows = result.prompt_set.collect()
    assert contract("prompt_set").names == rows.columns
    assert {("stage2.2", "2", 64, 0)} == set(rows.select("phase", "policy_revision", "n", "dup_index").rows())
    assert list(range(len(rows))) == rows["order_index"].to_list()
    assert not set(rows["row_id"]) & set(table.collect()["row_id"])


def test_decisions_hold_the_evidence():
    """Who is out is dropped with its rate and the highest that stayed; few samples are flagged."""
    table = first_phase(10)
    names = ids(table, 1)
    decisions = next_phase(table, measured_again(names, [4, 3, 2, 1, 0][: len(names)], "2", n=8), DRIVE).decisions
    rows = decisions.collect().rows(named=True)
    out = [(row["record_id"], row["measured"], row["threshold"]) for row in rows if row["reason"] == "not_retained"]
    assert [(names[0], 4 / 8, 3 / 8)] == out
    assert {(8.0, 64.0)} == {(row["measured"], row["threshold"]) for row in rows if row["reason"] == "few_samples"}


def test_not_measured_again():
    """A problem without new counts stops the phase: nothing is guessed."""
    table = first_phase(20)
    names = ids(table, 1)
    with pytest.raises(UsageError, match=r"1 of 9 problems were not measured") as caught:
        next_phase(table, measured_again(names[1:], [0] * (len(names) - 1), "2"), DRIVE)
    assert "64 answers" in caught.value.hint


def test_the_same_checkpoint_is_refused():
    """Counts of the checkpoint that ranked the last phase are no re-measuring, unless the recipe allows it."""
    table = first_phase(20)
    names = ids(table, 1)
    again = measured_again(names, [0] * len(names), "1")
    with pytest.raises(UsageError, match="'model' at '1', which ranked the phase before"):
        next_phase(table, again, DRIVE)
    allowed = Drive(stage2=DriveStage2(remeasured="optional"))
    assert 2 == next_phase(table, again, allowed).phase


def test_no_phase_and_last_phase():
    """There must be a phase to carry on, and one to come."""
    without = first_phase(20, Drive(stage2=None))
    with pytest.raises(UsageError, match="holds no phase of stage 2"):
        next_phase(without, rates({}), DRIVE)
    with pytest.raises(UsageError, match="leaves out"):
        next_phase(without, rates({}), Drive(stage2=None))
    short = Drive(stage2=DriveStage2(sizes=(72,), steps=(64,)))
    with pytest.raises(UsageError, match=r"stage2\.1 was the last phase"):
        next_phase(first_phase(20), rates({}), short)


def test_two_checkpoints_need_a_name():
    """Counts of two checkpoints are not mixed: the measure names one."""
    table = first_phase(20)
    names = ids(table, 1)
    both = pl.concat([measured_again(names, [0] * len(names), revision) for revision in ("2", "3")])
    with pytest.raises(UsageError, match="2 measurements match"):
        next_phase(table, both, DRIVE)
    chosen = next_phase(table, both, DRIVE, Measure(policy_revision="3")).prompt_set.collect()
    assert {"3"} == set(chosen["policy_revision"])
