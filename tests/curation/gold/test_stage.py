"""Gold sanity: bad references, weak tests, flaky and unjudgeable problems are found, with the evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from curation.gold import GOLD
from curation.gold.suites import Suite, suite
from curation.gold.trivial import trivial_programs
from schemas.ids import canonical_json
from schemas.recipe.gold import Gold
from schemas.recipe.verify import Verify
from schemas.records import TEST_QUALITY
from tests.curation.code_problems import asserted, called, problems_stored, stream
from tests.tables import problem
from warehouse.runner import run_stage
from warehouse.stages import Services, StageRun

_QUICK = Verify(time_limit_s=2, workers=2)


def _gold(services: Services, *problems: dict[str, Any], **changes: Any) -> StageRun:
    config = Gold(**({"verify": _QUICK, "mutants": 0} | changes))
    return run_stage(GOLD, {"rows": problems_stored(services.workspace, problems)}, config, services)


def _decided(services: Services, run: StageRun) -> dict[tuple[str, str], dict[str, Any]]:
    rows = services.workspace.scan(run.tables["decisions"]).collect().to_dicts()
    return {(row["verdict"], row["reason"]): row for row in rows}


def _quality(services: Services, run: StageRun) -> dict[str, dict[str, Any]]:
    rows = services.workspace.scan(run.tables["test_quality"]).collect().to_dicts()
    return {row["problem_id"]: row for row in rows}


@pytest.mark.parametrize("make", [asserted, called, stream, problem])
def test_a_sound_problem_is_kept(services: Services, make: Callable[[int], dict[str, Any]]) -> None:
    """References pass, known-wrong and trivial answers fail, mutants are killed: nothing to remark."""
    made = make(2)
    run = _gold(services, made, mutants=6)

    row = _quality(services, run)[made["problem_id"]]
    assert {"in": 1, "kept": 1, "dropped": {}, "failed": 0} == run.counts
    assert {} == _decided(services, run)
    assert (1, 1) == (row["references"], row["references_passed"])
    assert (len(made["wrong_solutions"]), 0) == (row["wrong"], row["wrong_passed"])
    assert ([], False) == (row["trivial_passed"], row["flaky"])
    assert 1 <= row["mutants_killed"] <= row["mutants"] <= 6


@pytest.mark.parametrize(
    ("made", "status", "evidence"),
    [
        (asserted(1, reference_solutions=["def clamp(v, l, h): return 1 / 0"]), "RE", "ZeroDivisionError"),
        (stream(1, reference_solutions=["print(6)"]), "WA", ""),
        (called(1, reference_solutions=["class Solution: pass"]), "RE", ""),
        (asserted(1, reference_solutions=["def clamp(:"]), "CE", ""),
        (problem(1, reference_solutions=["3"]), "WA", ""),
    ],
)
def test_a_failing_reference_drops_its_problem(
    services: Services,
    made: dict[str, Any],
    status: str,
    evidence: str,
) -> None:
    """The problem goes, and the decision says which reference failed, at which test, and why."""
    run = _gold(services, made, mutants=3)

    decided = _decided(services, run)["drop", "reference_fails"]
    detail = json.loads(decided["detail"])
    assert {"reference_fails": 1} == run.counts["dropped"]
    assert (0.0, 1.0) == (decided["measured"], decided["threshold"])
    assert (status, 0) == (detail["status"], detail["reference"])
    assert evidence in detail["evidence"]
    assert None is _quality(services, run)[made["problem_id"]]["mutants"]


def test_one_good_reference_is_enough_unless_all_are_asked_for(services: Services) -> None:
    """With ``any`` a second reference saves the problem and the failure is flagged; with ``all`` it does not."""
    bad = "def clamp(value, low, high):\n    return value\n"
    made = asserted(1, reference_solutions=[bad, asserted(1)["reference_solutions"][0]], wrong_solutions=[])

    lenient = _gold(services, made, references=2)
    strict = _gold(services, made, references=2, accept="all")

    assert {("flag", "some_references_fail")} == _decided(services, lenient).keys()
    assert {("drop", "reference_fails")} == _decided(services, strict).keys()
    assert (2, 1) == tuple(
        _quality(services, strict)[made["problem_id"]][c] for c in ("references", "references_passed")
    )


@pytest.mark.parametrize("action", ["flag", "drop"])
def test_settings_say_what_becomes_of_weak_problems(services: Services, action: str) -> None:
    """No reference, known-wrong answers that pass, trivial programs that pass: dropped or flagged as asked."""
    bare = asserted(1, reference_solutions=[])
    loose = asserted(2, wrong_solutions=["def clamp(value, low, high):\n    return min(high, max(low, value))\n"])
    empty = stream(3, tests=canonical_json([{"input": "0\n", "output": "0\n"}]))
    actions = dict.fromkeys(("no_reference", "wrong_passes", "trivial_passes"), action)

    run = _gold(services, bare, loose, empty, **actions)

    decided = _decided(services, run)
    assert {(action, reason) for reason in actions} == decided.keys()
    assert ["echo", "constant 0"] == json.loads(decided[action, "trivial_passes"]["detail"])["programs"]
    assert [0] == json.loads(decided[action, "wrong_passes"]["detail"])["wrong_solutions"]
    assert (0 if action == "drop" else 3) == run.counts["kept"]


def test_a_flaky_reference_is_set_aside(services: Services) -> None:
    """Two runs that differ prove nothing against the problem, nor for it."""
    coin = "import os\nprint(5 + os.urandom(1)[0] % 2)\n"
    tests = canonical_json([{"input": f"{n}\n", "output": "6\n"} for n in range(40)])
    made = stream(1, reference_solutions=[coin], tests=tests)

    run = _gold(services, made)

    decided = _decided(services, run)
    assert {("fail", "flaky")} == decided.keys()
    assert (1, True) == (run.counts["failed"], _quality(services, run)[made["problem_id"]]["flaky"])
    assert 2 == len(json.loads(decided["fail", "flaky"]["detail"])["runs"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tests": "[]"}, ("drop", "no_tests")),
        ({"tests": '[{"input":"1"}]'}, ("fail", "invalid_problem")),
        ({"tests": '{"input":"1"}'}, ("drop", "no_tests")),
        ({"tests": '[{"input":"1","output":"1"},{"input":"1","output":"2"}]'}, ("drop", "contradictory_tests")),
    ],
)
def test_problems_that_cannot_be_judged(services: Services, changes: dict[str, str], expected: tuple[str, str]) -> None:
    """No tests, broken tests, tests that contradict: each has its own reason, none is a failing reference."""
    made = stream(1, **changes)

    run = _gold(services, made)

    assert {expected} == _decided(services, run).keys()
    assert (0, 0) == (run.counts["kept"], _quality(services, run)[made["problem_id"]]["references"])


def test_contradicting_asserts_are_found_with_their_call(services: Services) -> None:
    """Two asserts that expect different results of one call contradict, and the call is the witness."""
    tests = [{"code": "assert clamp(1, 2, 3) == 2"}, {"code": "assert clamp(1,2,3)==3"}]
    made = asserted(1, tests=canonical_json(tests), reference_solutions=[])

    run = _gold(services, made, contradictory_tests="flag")

    assert "clamp(1, 2, 3)" == _decided(services, run)["flag", "contradictory_tests"]["witness"]


def test_the_outcome_does_not_depend_on_the_order_of_rows(services: Services) -> None:
    """The same problems in another order give the same tables."""
    problems = [asserted(1), stream(2), called(3), problem(4), stream(5, reference_solutions=["print(6)"])]

    runs = [_gold(services, *given, mutants=4) for given in (problems, problems[::-1])]

    hashes = [{name: ref.content_hash for name, ref in run.tables.items()} for run in runs]
    assert hashes[0] == hashes[1]
    assert TEST_QUALITY.names == services.workspace.scan(runs[0].tables["test_quality"]).collect_schema().names()


def test_a_suite_is_counted_without_running_it() -> None:
    """Tests, repeats whatever the order of their keys, and contradictions that a checker would resolve."""
    tests = '[{"input":"1","output":"2"},{"output":"2","input":"1"},{"input":"1","output":"3"}]'
    made = stream(1, tests=tests)
    checked = made | {"verifier": '{"kind":"stdio","compare":"checker","checker":"pass"}'}

    assert Suite(tests=3, duplicates=1, contradiction="1") == suite(made)
    assert Suite(tests=3, duplicates=1, contradiction=None) == suite(checked)
    assert Suite(tests=0, duplicates=0, contradiction=None) == suite(stream(1, tests="[" * 100_000))


@pytest.mark.parametrize("make", [asserted, called, stream])
def test_trivial_programs_are_programs(make: Callable[[int], dict[str, Any]]) -> None:
    """Every trivial program is valid Python, and names are not given twice."""
    programs = list(trivial_programs(make(1)))

    assert all(compile(text, name, "exec") for name, text in programs)
    assert len(programs) == len(dict(programs)) >= 7


def test_scratch_files_go_with_the_run(services: Services) -> None:
    """Nothing but finished work is left in the stage's folder."""
    run = _gold(services, problem(1))

    assert [run.key] == [path.name for path in (services.workspace.root / "work" / "gold").iterdir()]
    assert 1 == services.workspace.scan(run.rows).select(pl.len()).collect().item()
