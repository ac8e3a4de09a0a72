"""Tests that a model wrote are admitted by what they say of right and wrong answers, and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.gold.generated import admit, admitted_tests, proposals
from curation.verify import Judge
from schemas.errors import UsageError
from schemas.recipe.gold import Gold
from schemas.recipe.verify import Verify
from schemas.records import GENERATED_TEST
from tests.curation.code_problems import asserted, called, stream

CONFIG = Gold(verify=Verify(time_limit_s=1, workers=1), mutants=4)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """A judge of one worker."""
    with Judge(CONFIG.verify) as made:
        yield made


def test_each_reason(judge: Judge) -> None:
    """A test is right and sharp, right and blunt, or wrong; the column says which, and why."""
    problem = asserted(1, wrong_solutions=["def clamp(value, low, high):\n    return value\n"])
    texts = [
        "assert clamp(12, 1, 9) == 9\nassert clamp(5, 1, 9) == 5, 'inside'",
        "assert clamp(12, 1, 9) == 12\nassert clamp(12,1,9)==9\nassert clamp(",
    ]
    table = admit(problem, texts, judge, Gold(verify=CONFIG.verify, mutants=0))
    found = {
        row["test"]: (row["reason"], row["proposed"], row["rivals"], row["wrong_killed"]) for row in table.to_dicts()
    }
    assert {
        "assert clamp(12, 1, 9) == 9": ("admitted", 2, 1, 1),
        "assert clamp(5, 1, 9) == 5": ("kills_nothing", 1, 0, 0),
        "assert clamp(12, 1, 9) == 12": ("reference_fails", 1, 1, 0),
    } == found
    assert GENERATED_TEST.names == table.columns


def test_mutants_are_evidence_too(judge: Judge) -> None:
    """Without a known-wrong answer a test is admitted if it tells a mutant from the reference."""
    table = admit(asserted(1), ["assert clamp(12, 1, 9) == 9", "assert clamp(5, 1, 9) != 'x'"], judge, CONFIG)
    assert ["admitted", "kills_nothing"] == table["reason"].to_list()
    assert 0 < table["mutants_killed"][0] <= table["mutants"][0] == 4


def test_a_test_that_never_ends_spoils_no_other(judge: Judge) -> None:
    """The tests after one that exhausts the reference are judged by themselves."""
    loops = "def clamp(value, low, high):\n    while value > 100: pass\n    return min(max(value, low), high)\n"
    problem = asserted(1, reference_solutions=[loops], wrong_solutions=["def clamp(*a): return 0"])
    texts = ["assert clamp(0, 1, 9) == 1\nassert clamp(200, 1, 9) == 9\nassert clamp(12, 1, 9) == 9"]
    table = admit(problem, texts, judge, CONFIG)
    assert ["AC", "TLE", "AC"] == table["reference"].to_list()
    assert ["admitted", "reference_fails", "admitted"] == table["reason"].to_list()


def test_a_reference_that_counts_its_calls_contradicts_itself(judge: Judge) -> None:
    """Two results for one call are not both admitted, even where the reference gives both."""
    counts = "n = 0\ndef clamp(*a):\n    global n\n    n += 1\n    return n\n"
    problem = asserted(1, reference_solutions=[counts], wrong_solutions=["def clamp(*a): return 0"])
    table = admit(problem, ["assert clamp(1, 1, 9) == 1\nassert clamp(1, 1, 9) == 2"], judge, CONFIG)
    assert ["contradicted"] * 2 == table["reason"].to_list()


def test_without_a_reference_nothing_is_admitted(judge: Judge) -> None:
    """Agreement among tests is no evidence of their being right."""
    problem = asserted(1, reference_solutions=[])
    assert ["not_judged"] == admit(problem, ["assert clamp(12, 1, 9) == 9"], judge, CONFIG)["reason"].to_list()


def test_problems_of_recorded_calls_get_tests_too(judge: Judge) -> None:
    """Whatever judges a function now, asserts about it can be proposed."""
    problem = called(1)
    name = json.loads(problem["verifier"])["entry_point"]
    table = admit(problem, [f"assert {name}('nonsense', 1, 2, 3, 4) == 5"], judge, CONFIG)
    assert ["reference_fails"] == table["reason"].to_list()


def test_only_functions_are_tested_so(judge: Judge) -> None:
    """Problems of other kinds are refused by name."""
    with pytest.raises(UsageError, match="judged by 'stdio'"):
        admit(stream(1), [], judge, CONFIG)


def test_every_reference_must_pass(judge: Judge) -> None:
    """A test that only one way of being right passes is not admitted, if a second reference is tried."""
    lenient = "def clamp(value, low, high):\n    return min(max(value, low), high) if value < 100 else None\n"
    wrong = ["def clamp(*a): return 0"]
    problem = asserted(1)
    problem |= {"reference_solutions": [*problem["reference_solutions"], lenient], "wrong_solutions": wrong}
    texts = ["assert clamp(12, 1, 9) == 9\nassert clamp(200, 1, 9) == 9"]
    both = admit(problem, texts, judge, Gold(verify=CONFIG.verify, mutants=0, references=2))
    first = admit(problem, texts, judge, Gold(verify=CONFIG.verify, mutants=0))
    assert ["admitted", "admitted"] == first["reason"].to_list()
    assert [("admitted", "AC"), ("reference_fails", "WA")] == both.select("reason", "reference").rows()


def test_tests_that_refuse_different_mistakes_are_chosen(judge: Judge) -> None:
    """Two sharp tests of one mistake do not keep out the blunter test of another."""
    wrong = [
        "def clamp(v, a, b): return max(v, a)",
        "def clamp(v, a, b): return v",
        "def clamp(v, a, b): return min(v, b)",
    ]
    texts = ["assert clamp(12, 1, 9) == 9\nassert clamp(13, 1, 9) == 9\nassert clamp(-3, 1, 9) == 1\n"]
    problem = asserted(1, wrong_solutions=wrong)
    table = admit(problem, texts, judge, Gold(verify=CONFIG.verify, mutants=0))
    (chosen,) = admitted_tests(table, 2).values()
    assert {"assert clamp(12, 1, 9) == 9", "assert clamp(-3, 1, 9) == 1"} == {t["code"] for t in json.loads(chosen)}


def test_the_sharpest_are_chosen(judge: Judge) -> None:
    """Of the admitted tests those come first that refuse most."""
    problem = asserted(1, wrong_solutions=["def clamp(v, a, b): return v", "def clamp(v, a, b): return min(v, b)"])
    texts = ["assert clamp(12, 1, 9) == 9\nassert clamp(-3, 1, 9) == 1"]
    table = admit(problem, texts, judge, Gold(verify=CONFIG.verify, mutants=0))
    assert {problem["problem_id"]: '[{"code": "assert clamp(-3, 1, 9) == 1"}]'} == admitted_tests(table, 1)


@given(st.lists(st.text("assert f(1)=2\n'[x"), max_size=4))
def test_any_text_is_read(texts: list[str]) -> None:
    """Whatever a model writes, what is found are asserts on the function, each once."""
    found = proposals(texts, "f")
    assert len({test.code for test in found}) == len(found)
    assert all(compile(test.code, "", "exec") and "f" in test.code for test in found)
