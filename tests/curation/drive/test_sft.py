"""The supervised stage: folds, arena, labels and who comes twice."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.drive import classifiers, schedule
from curation.drive.arena import arena, folds
from schemas.errors import UsageError
from schemas.recipe.curricula import Arena, Curricula
from tests.counts import inputs, rates
from tests.tables import problems

PREDICTORS = [{"policy": "arena", "policy_revision": str(fold)} for fold in (2, 3, 4, 5)]


@given(st.integers(0, 60), st.integers(0, 3), st.randoms())
def test_folds_are_even_and_stable(number, seed, random):
    """Five folds differ in size by at most one, and a problem's fold does not depend on row order."""
    names = [f"p{i}" for i in range(number)]
    one = folds(pl.LazyFrame({"problem_id": names}, schema={"problem_id": pl.String}), seed).collect()
    shuffled = random.sample(names, number)
    other = folds(pl.LazyFrame({"problem_id": shuffled}, schema={"problem_id": pl.String}), seed).collect()
    assert dict(one.rows()) == dict(other.rows())
    sizes = [Counter(one["fold"])[fold] for fold in range(1, 6)]
    assert max(sizes) - min(sizes) <= 1


def predicted(split: dict[str, int], wrong: set[str], **changes) -> pl.LazyFrame:
    """Return one recorded prediction per problem of folds 2 to 5; those in ``wrong`` failed."""
    return pl.concat(
        [
            rates({name: (1, int(name not in wrong))}, policy="arena", policy_revision=str(fold), **changes)
            for name, fold in split.items()
            if fold > 1
        ],
    )


@pytest.fixture
def split() -> dict[str, int]:
    """The folds of forty problems."""
    return dict(folds(problems(range(40)).lazy(), 0).collect().rows())


def kept(split: dict, table: pl.LazyFrame, **settings) -> set[str]:
    """Return what the arena keeps."""
    judged = arena(problems(range(40)).lazy(), table, Arena(predictors=PREDICTORS, **settings)).collect()
    assert split == dict(judged.select("problem_id", "fold").rows())
    return set(judged.filter("kept")["problem_id"])


def test_arena_keeps_failures(split):
    """Fold 1 stays whole, of the others what their model fails; without fold 1 only failures are left."""
    wrong = {name for i, name in enumerate(sorted(split)) if i % 3 == 0}
    first = {name for name, fold in split.items() if fold == 1}
    assert first | wrong == kept(split, predicted(split, wrong))
    assert wrong - first == kept(split, predicted(split, wrong), keep_first_fold=False)


def test_arena_by_judge(split):
    """Where a judge decides, its verdicts are read and the verifier's are not."""
    verifier, judge = predicted(split, set()), predicted(split, set(split), verifier_version="judge-1")
    both = pl.concat([verifier, judge])
    by_judge = kept(split, both, fail_by="judge", judge_version="judge-1")
    assert set(split) == by_judge


def test_arena_may_ask_for_more_failures(split):
    """The share right that still counts as failed is a setting."""
    table = predicted(split, set()).with_columns(n=pl.lit(4, dtype=pl.Int64), c=pl.lit(1, dtype=pl.Int64))
    first = {name for name, fold in split.items() if fold == 1}
    assert first == kept(split, table)
    assert set(split) == kept(split, table, fail_at_most=0.25)


def test_arena_without_predictions(split):
    """Problems that nobody predicted stay or go as the recipe says; a prediction for another fold is none."""
    shifted = predicted({name: fold % 5 + 1 for name, fold in split.items()}, set())
    first = {name for name, fold in split.items() if fold == 1}
    assert set(split) == kept(split, shifted)
    assert first == kept(split, shifted, unpredicted="leave_out")


@pytest.mark.parametrize("hard_by", ["labels", "arena", "either", "both"])
def test_who_comes_twice(split, hard_by):
    """Hard by label, by the arena, by either or by both: exactly those have a second exposure."""
    names = sorted(split)
    wrong, low = set(names[::2]), set(names[::3])
    measured = rates({name: (8, 0 if name in low else 4) for name in names})
    tables = inputs(problems(range(40)), pass_rates=pl.concat([measured, predicted(split, wrong)]))
    settings = {"arena": {"predictors": PREDICTORS}, "hard_by": hard_by}
    drive = {"measure": {"policy": "model"}, "sft": settings, "stage1": None, "stage2": None}
    table = schedule(tables, Curricula(drive=drive), None).outputs["prompt_set"].collect()
    failed = {name for name in wrong if split[name] > 1}
    twice = {"labels": low, "arena": failed, "either": low | failed, "both": low & failed}[hard_by]
    survivors = failed | {name for name in names if split[name] == 1}
    assert {name: 1 + (name in twice) for name in survivors} == Counter(table["problem_id"])


class Point:
    """An installed classifier."""

    name = "by_source"

    def __init__(self, label: str | None):
        self.label = label

    def load(self):
        """Return a classifier that says the same of all."""
        return lambda rows: rows.select("problem_id", label=pl.lit(self.label, dtype=pl.String))


def with_classifier(monkeypatch, label: str | None) -> pl.DataFrame:
    """Return the supervised prompts as an installed classifier labels them."""
    monkeypatch.setattr(classifiers, "entry_points", lambda group: [Point(label)] if group == classifiers.GROUP else [])
    tables = inputs(problems(range(4)))
    drive = {"sft": {"labels": "by_source"}, "stage1": None, "stage2": None}
    return schedule(tables, Curricula(drive=drive), None).outputs["prompt_set"].collect()


def test_plugged_classifier(monkeypatch):
    """A classifier found by entry point labels prompts; hard ones come twice, unlabelled ones once."""
    assert (8, {"hard"}) == (len(table := with_classifier(monkeypatch, "hard")), set(table["band"]))
    assert (4, {None}) == (len(table := with_classifier(monkeypatch, None)), set(table["band"]))


def test_classifier_must_speak_the_language(monkeypatch):
    """Other labels than easy, medium and hard are refused, by name."""
    with pytest.raises(UsageError, match=r"'nasty'.*easy, medium, hard"):
        with_classifier(monkeypatch, "nasty")


def test_unknown_classifier():
    """A classifier that is not installed is an error with the nearest name."""
    with pytest.raises(UsageError, match=r"'pass_rate'.*none") as caught:
        classifiers.classifier("pass_rate")
    assert "did you mean 'pass_rates'?" == caught.value.hint


def test_copies_and_order_follow_the_seed():
    """The order is a shuffle by lot: another seed gives another order of the same rows."""
    tables = inputs(problems(range(30)), pass_rates=rates(dict.fromkeys(problems(range(30))["problem_id"], (8, 0))))

    def rows(seed: int) -> list:
        """Return problems in order."""
        drive = {"sft": {"seed": seed, "copies": 3}, "stage1": None, "stage2": None}
        table = schedule(tables, Curricula(drive=drive), None).outputs["prompt_set"].collect()
        return table.sort("order_index").select("problem_id", "dup_index").rows()

    assert 90 == len(rows(0))
    assert sorted(rows(0)) == sorted(rows(1))
    assert rows(0) != rows(1)
