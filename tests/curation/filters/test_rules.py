"""Filters by name: what each finds, with what it measured; and that no problem is lost or judged twice."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.filters import decide
from schemas.errors import UsageError
from schemas.ids import canonical_json
from schemas.recipe.filters import Filters
from schemas.records import PROBLEM
from tests.counts import inputs, quality, rates, rollout, rollouts
from tests.strategies import counts
from tests.tables import problem, problems

ONE = problem(1)["problem_id"]


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return problems as a table."""
    return pl.DataFrame(list(rows), schema=pl.Schema(PROBLEM.arrow), orient="row")


def found(
    rule: dict[str, Any], rows: pl.DataFrame | None = None, *, measure: dict | None = None, **tables: Any
) -> list:
    """Return (verdict, reason, measured, threshold) of what one rule decides about one problem."""
    settings = Filters(rules=[rule], measure=measure or {})
    decided = decide(inputs(problems([1]) if rows is None else rows, **tables), settings)
    listed = decided.select("verdict", "reason", "measured", "threshold").sort("reason").collect()
    return [
        (verdict, reason, *(None if value is None else round(value, 4) for value in values))
        for verdict, reason, *values in listed.rows()
    ]


def asking(text: str, **changes: Any) -> pl.DataFrame:
    """Return one problem with this statement."""
    return table(problem(1, prompt=[{"role": "user", "content": text}], **changes))


@pytest.mark.parametrize(
    ("passed", "of", "rule", "expected"),
    [
        (1, 1, {}, []),
        (0, 1, {}, [("drop", "gold_sanity", 0.0, 1.0)]),
        (1, 2, {}, [("drop", "gold_sanity", 0.5, 1.0)]),
        (1, 2, {"min_share": 0.5}, []),
        (0, 0, {}, [("flag", "gold_sanity_unknown", None, 1.0)]),
    ],
)
def test_gold_sanity(passed, of, rule, expected):
    """References must pass their own tests, to the share asked for; no reference is unknown, not bad."""
    known = quality({ONE: {"references": of, "references_passed": passed}})
    assert expected == found({"name": "gold_sanity", **rule}, test_quality=known)


@pytest.mark.parametrize(("least", "dropped"), [(5, False), (6, True), (16, True)])
def test_min_tests(least, dropped):
    """A problem with five tests passes a floor of five and no higher one."""
    expected = [("drop", "min_tests", 5.0, float(least))] if dropped else []
    assert expected == found({"name": "min_tests", "at_least": least}, test_quality=quality({ONE: {}}))


def test_min_tests_counts_what_was_not_measured():
    """Without test quality the tests themselves are counted."""
    assert [("drop", "min_tests", 1.0, 5.0)] == found({"name": "min_tests"})


@pytest.mark.parametrize(
    ("n", "c", "expected"),
    [
        (8, 0, [("flag", "unsolved_unproven", 0.3244, 0.06)]),
        (16, 0, [("flag", "unsolved_unproven", 0.1936, 0.06)]),
        (64, 0, [("drop", "unsolved", 0.0566, 0.06)]),
        (64, 1, []),
        (0, 0, [("flag", "unsolved_unknown", 1.0, 0.06)]),
    ],
)
def test_unsolved_needs_evidence(n, c, expected):
    """Nothing right in 8 or 16 proves nothing; in 64 it does."""
    assert expected == found({"name": "unsolved"}, pass_rates=rates({ONE: (n, c)}))


def test_saturated_needs_evidence():
    """All right in 8 is flagged, in 64 dropped."""
    assert [("flag", "saturated_unproven", 0.6756, 0.94)] == found(
        {"name": "saturated"}, pass_rates=rates({ONE: (8, 8)})
    )
    assert [("drop", "saturated", 0.9434, 0.94)] == found({"name": "saturated"}, pass_rates=rates({ONE: (64, 64)}))


def test_extremes_on_bare_counts():
    """Where a recipe wants it as most projects do, 0 of 8 goes on the bare count."""
    rule = {"name": "unsolved", "evidence": "none"}
    assert [("drop", "unsolved", 0.0, None)] == found(rule, pass_rates=rates({ONE: (8, 0)}))


def kept_of(n: int, **band: Any) -> list[int]:
    """Return which counts of ``n`` a band keeps."""
    rows = problems(range(n + 1))
    measured = rates({name: (n, c) for c, name in enumerate(rows["problem_id"])})
    decided = decide(inputs(rows, pass_rates=measured), Filters(rules=[{"name": "band", **band}]))
    gone = decided.collect()["record_id"].to_list()
    return [c for c, name in enumerate(rows["problem_id"]) if name not in gone]


@pytest.mark.parametrize(
    ("n", "band", "expected"),
    [
        (8, {"low": 0.1, "high": 0.6, "bounds": "open"}, [1, 2, 3, 4]),
        (8, {"low": 0.2, "high": 0.8}, [2, 3, 4, 5, 6]),
        (10, {"low": 0.2, "high": 0.8}, [2, 3, 4, 5, 6, 7, 8]),
        (10, {"low": 0.2, "high": 0.8, "bounds": "open"}, [3, 4, 5, 6, 7]),
        (10, {"low": 0.1, "high": 0.6, "bounds": "left"}, [1, 2, 3, 4, 5]),
        (10, {"low": 0.1, "high": 0.6, "bounds": "right"}, [2, 3, 4, 5, 6]),
        (8, {"low": "2/8", "high": "5/8"}, [2, 3, 4, 5]),
        (16, {"low": 0.5, "bounds": "right"}, list(range(9, 17))),
        (8, {"high": 0.625}, [0, 1, 2, 3, 4, 5]),
        (8, {"high": 0.75, "bounds": "left"}, [0, 1, 2, 3, 4, 5]),
        (16, {"low": "1/16", "high": "15/16"}, list(range(1, 16))),
    ],
)
def test_bands(n, band, expected):
    """The bands of known projects keep exactly the counts they should."""
    assert expected == kept_of(n, **band)


@given(counts(), st.integers(0, 100), st.integers(0, 100), st.sampled_from(["closed", "open", "left", "right"]))
def test_bands_are_exact(counted, one, other, bounds):
    """Membership is that of exact fractions, on every edge."""
    low, high = Fraction(min(one, other), 100), Fraction(max(one, other), 100)
    if low == high:
        bounds = "closed"
    rate = Fraction(counted[1], counted[0])
    left = rate >= low if bounds in ("closed", "left") else rate > low
    right = rate <= high if bounds in ("closed", "right") else rate < high
    rule = {"name": "band", "low": str(low), "high": str(high), "bounds": bounds}
    assert (left and right) == (found(rule, pass_rates=rates({ONE: counted})) == [])


def test_band_wants_its_samples():
    """A band meant for 16 samples does not judge on 8."""
    rule = {"name": "band", "low": 0.5, "samples": 16}
    assert [("flag", "band_unknown", 0.0, 0.5)] == found(rule, pass_rates=rates({ONE: (8, 0)}))
    assert [("drop", "band", 0.0, 0.5)] == found(rule, pass_rates=rates({ONE: (16, 0)}))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Prove that there are infinitely many primes.", "proof"),
        ("Show that x > 0.", "proof"),
        ("Which of the following is prime?", "multiple_choice"),
        ("What is it? (A) 1 (B) 2 (C) 3", "multiple_choice"),
        ("Pick:\nA. one\nB. two\nC. three\n", "multiple_choice"),
        ("True or false: 1 is prime.", "true_false"),
        ("In the figure, find x.", "figure"),
        ("[asy] draw(A--B); [/asy]", "figure"),
        ("See the diagram below.", "figure"),
        ("Read https://example.org/task and solve it.", "url"),
        ("(a) Find x. (b) Find y.", "multipart"),
    ],
)
def test_forms(text, form):
    """Each form is found, and nothing else with it; the matched text is the witness."""
    decided = decide(inputs(asking(text)), Filters(rules=[{"name": "form"}])).collect()
    assert [("drop", form)] == decided.select("verdict", "reason").rows()
    assert decided["witness"][0] in text


@pytest.mark.parametrize(
    "text",
    [
        "What is 3 plus four?",
        "Write a function that improves a proven estimate; figure out the case f(a) first, (b is positive).",
        "Return True or return False if the list shows that pattern.",
        "Compute the area of a triangle with graph paper squares.",
        "Given a directed graph, count its cycles. A. B. C. are names of nodes.",
    ],
)
def test_forms_leave_the_rest(text):
    """Ordinary statements with similar words pass."""
    assert [] == found({"name": "form"}, asking(text))


def test_choice_verifier_is_multiple_choice():
    """A problem judged by a letter is multiple choice whatever its text says."""
    rows = table(problem(1, verifier=canonical_json({"kind": "choice"})))
    assert [("drop", "multiple_choice", 1.0, None)] == found({"name": "form"}, rows)


def test_two_rules_about_forms_are_told_apart_by_their_reasons():
    """A reason stands before the form, so that two rules may look for one form in different sources."""
    rules = [{"name": "form", "forms": ["url"]}, {"name": "form", "forms": ["url", "proof"], "reason": "strict"}]
    decided = decide(inputs(asking("Prove that http://a.b is a page.")), Filters(rules=rules)).collect()
    assert ["strict_proof", "strict_url", "url"] == decided["reason"].sort().to_list()


def test_forms_and_patterns_can_be_chosen():
    """A recipe may look for one form only, by a pattern of its own."""
    rule = {"name": "form", "forms": ["proof"], "patterns": {"proof": "(?i)deduce"}}
    assert [] == found(rule, asking("Prove that x = 1."))
    assert [("drop", "proof", 1.0, None)] == found(rule, asking("Deduce x."))


def test_guessable():
    """A guessing policy that is right even once gives the problem away; its counts are never the pass rate."""
    rule = {"name": "guessable", "guesser": {"policy": "guess"}}
    measured = pl.concat([rates({ONE: (8, 4)}), rates({ONE: (8, 1)}, policy="guess")])
    assert [("drop", "guessable", 1.0, 0.0)] == found(rule, pass_rates=measured)
    assert [] == found({**rule, "at_most": 1}, pass_rates=measured)
    both = Filters(rules=[rule, {"name": "band", "low": 0.4, "high": 0.6}])
    assert 1 == decide(inputs(problems([1]), pass_rates=measured), both).collect().height


def test_majority_disagrees():
    """Most answers agree on what the key refuses: flagged, with the answer as witness."""
    said = ["#### 9", "#### 9", "#### 9", "#### 2"]
    made = rollouts(rollout(ONE, i, response=text, correct=text == "#### 2") for i, text in enumerate(said))
    settings = Filters(rules=[{"name": "majority_disagrees"}])
    decided = decide(inputs(problems([1]), rollouts=made), settings).collect()
    assert [("flag", "majority_disagrees", 0.75, 0.5, "9")] == decided.select(
        "verdict",
        "reason",
        "measured",
        "threshold",
        "witness",
    ).rows()


@pytest.mark.parametrize("said", [["9", "9", "2", "2"], ["9", "9", "9"], ["2", "2", "2", "9"]])
def test_majority_must_be_one(said):
    """Half is no majority, three answers are too few, and a majority the key accepts is right."""
    made = rollouts(rollout(ONE, i, response=f"#### {text}", correct=text == "2") for i, text in enumerate(said))
    assert [] == found({"name": "majority_disagrees"}, rollouts=made)


def test_rank_inversion():
    """The problem on which the stronger policy collapses is flagged, and both policies are named."""
    rows = problems(range(6))
    names = rows["problem_id"].to_list()
    weak = rates({**dict.fromkeys(names[1:], (16, 8)), names[0]: (16, 15)}, policy="weak")
    strong = rates({**dict.fromkeys(names[1:], (16, 16)), names[0]: (16, 1)}, policy="strong")
    settings = Filters(rules=[{"name": "rank_inversion"}])
    decided = decide(inputs(rows, pass_rates=pl.concat([weak, strong])), settings).collect()
    assert [(names[0], "flag", "strong@1 below weak@1")] == decided.select("record_id", "verdict", "witness").rows()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"references": 4, "references_passed": 3}, [("drop", "known_solutions_tpr", 0.75, 0.9)]),
        ({"wrong": 10, "wrong_passed": 3}, [("drop", "known_solutions_tnr", 0.7, 0.8)]),
        ({"wrong": 10, "wrong_passed": 2}, []),
        ({"references": 0, "references_passed": 0, "wrong": 0}, []),
    ],
)
def test_known_solutions(changes, expected):
    """Known-right solutions must be accepted and known-wrong ones refused, each to its share."""
    rule = {"name": "known_solutions", "min_tpr": 0.9, "min_tnr": 0.8}
    assert expected == found(rule, test_quality=quality({ONE: changes}))


@pytest.mark.parametrize(
    ("killed", "expected"),
    [
        (8, []),
        (7, [("drop", "test_strength", 0.7, 0.8)]),
        (None, [("flag", "test_strength_unknown", None, 0.8)]),
    ],
)
def test_test_strength(killed, expected):
    """The share of mutants that the tests kill must reach the floor."""
    mutants = None if killed is None else 10
    known = quality({ONE: {"mutants": mutants, "mutants_killed": killed}})
    assert expected == found({"name": "test_strength"}, test_quality=known)


def test_trivial_passes_and_flaky():
    """Tests that accept a trivial program, or change their mind, are out."""
    known = quality({ONE: {"trivial_passed": ["empty", "echo"], "flaky": True}})
    assert [("drop", "trivial_passes", 2.0, 0.0)] == found({"name": "trivial_passes"}, test_quality=known)
    assert [("drop", "flaky", 1.0, 0.0)] == found({"name": "flaky"}, test_quality=known)
    assert [] == found({"name": "trivial_passes"}, test_quality=quality({ONE: {}}))


def test_remeasured():
    """Counts of the wanted checkpoint must be there, and enough of them."""
    rule = {"name": "remeasured", "by": {"policy_revision": "2"}}
    assert [("drop", "remeasured_unknown", None, 8.0)] == found(rule, pass_rates=rates({ONE: (8, 1)}))
    few = rates({ONE: (4, 1)}, policy_revision="2")
    assert [("drop", "remeasured", 4.0, 8.0)] == found(rule, pass_rates=few)
    assert [] == found(rule, pass_rates=rates({ONE: (8, 1)}, policy_revision="2"))


def labelled(value: float, polarity: str) -> pl.DataFrame:
    """Return one problem with a difficulty label."""
    label = {"label": "level", "raw": "B", "value": value, "polarity": polarity}
    return table(problem(1, difficulty=[label]))


def test_difficulty():
    """A label is held against its range, hardest at 1, whatever its polarity was."""
    rule = {"name": "difficulty", "label": "level", "at_most": 0.5}
    assert [("drop", "difficulty", 0.75, 0.5)] == found(rule, labelled(0.75, "higher_is_easier"))
    assert [] == found(rule, labelled(0.5, "higher_is_harder"))
    assert [("flag", "difficulty_unknown", None, 0.5)] == found(rule)


def test_difficulty_refuses_what_has_no_order():
    """Letters of different sites cannot be ordered: the recipe is refused, with the way out."""
    with pytest.raises(UsageError, match=r"'level'.*'B'.*no order") as caught:
        found({"name": "difficulty", "label": "level"}, labelled(0.5, "unordered"))
    assert "pass rates" in caught.value.hint


@pytest.mark.parametrize(
    ("rule", "changes", "expected"),
    [
        ({"name": "license", "allow": ["MIT"]}, {}, "license"),
        ({"name": "license", "allow": ["Apache-2.0", "MIT"]}, {}, None),
        ({"name": "language", "allow": ["python"]}, {"language": "cpp"}, "language"),
        ({"name": "language", "allow": ["python"]}, {}, "language_unknown"),
        ({"name": "ability", "allow": ["code"]}, {}, "ability"),
        ({"name": "date_window", "since": "2024-08-01", "before": "2025-02-01"}, {"date": date(2024, 8, 1)}, None),
        (
            {"name": "date_window", "since": "2024-08-01", "before": "2025-02-01"},
            {"date": date(2025, 2, 1)},
            "date_window",
        ),
        ({"name": "date_window", "before": "2025-02-01"}, {"date": date(2025, 1, 31)}, None),
        ({"name": "date_window", "before": "2025-02-01"}, {}, "date_window_unknown"),
        ({"name": "min_statement", "characters": 27}, {}, "min_statement"),
        ({"name": "min_statement", "characters": 26}, {}, None),
        ({"name": "integer_answer"}, {}, None),
        ({"name": "integer_answer"}, {"tests": '[{"answer":"1/2"}]'}, "integer_answer"),
        ({"name": "integer_answer"}, {"tests": '[{"code":"assert True"}]'}, "integer_answer_unknown"),
    ],
)
def test_columns(rule, changes, expected):
    """Licence, language, ability, date (half-open), length and answer are held against the recipe."""
    rows = table(problem(10, prompt=[{"role": "user", "content": "How many legs has an ant?!"}], **changes))
    reasons = [reason for _, reason, _, _ in found(rule, rows)]
    assert ([] if expected is None else [expected]) == reasons


def test_hardest():
    """The lowest quarter by pass rate stays, rounded up, ties by id, measured problems only."""
    rows = problems(range(7))
    names = rows["problem_id"].sort().to_list()
    measured = rates({name: (8, [8, 1, 1, 4, 0, 8][i]) for i, name in enumerate(names[:6])})
    decided = decide(inputs(rows, pass_rates=measured), Filters(rules=[{"name": "hardest", "missing": "keep"}]))
    gone = decided.filter(verdict="drop").collect()
    assert sorted(set(names[:6]) - {names[4], names[1]}) == sorted(gone["record_id"].to_list())
    assert {0.125} == set(gone["threshold"].to_list())


def test_rules_can_be_confined():
    """A rule for one ability or source leaves the others alone; two bands stand side by side under own reasons."""
    assert [] == found({"name": "min_tests", "abilities": ["code"]})
    assert [("drop", "min_tests", 1.0, 5.0)] == found({"name": "min_tests", "sources": ["made"], "abilities": ["math"]})
    with pytest.raises(ValidationError, match="more than one rule decides as band"):
        Filters(rules=[{"name": "band"}, {"name": "band", "low": 0.1}])
    assert 2 == len(Filters(rules=[{"name": "band"}, {"name": "band", "reason": "second", "low": 0.1}]).rules)


def test_action_and_missing():
    """A rule may flag instead of drop, and unmeasured problems are kept, flagged or dropped as told."""
    bad = {"pass_rates": rates({ONE: (8, 8)})}
    assert [("flag", "band", 1.0, 0.8)] == found({"name": "band", "high": 0.8, "action": "flag"}, **bad)
    for missing, expected in (("keep", []), ("drop", [("drop", "band_unknown", None, 0.8)])):
        assert expected == found({"name": "band", "high": 0.8, "missing": missing})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"name": "min_test"}, "min_tests"),
        ({"name": "min_tests", "atleast": 5}, "atleast"),
        ({"name": "band", "low": 0.8, "high": 0.2}, "holds no pass rate"),
        ({"name": "band", "low": 1.2}, r"lies in \[0, 1\]"),
        ({"name": "band", "low": "a half"}, "a share is a number"),
        ({"name": "form", "patterns": {"proof": "("}}, "no regular expression"),
        ({"name": "form", "patterns": {"proof": "(?=look)ahead"}}, "look-ahead"),
        ({"name": "date_window", "since": "2025-01-01", "before": "2025-01-01"}, "holds no day"),
        ({"name": "license", "allow": []}, "at least 1"),
    ],
)
def test_wrong_settings(rule, message):
    """A wrong rule is refused before anything runs, saying what is allowed."""
    with pytest.raises(ValidationError, match=message):
        Filters(rules=[rule])
