"""The stage ``gold``: a problem's own answers must bear out its tests, before anyone trains on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa

from curation.batches import RowFile, problem_batches
from curation.gold.suites import Suite, suite
from curation.gold.trivial import trivial_programs
from curation.judging import CachedJudge
from curation.problems import Problem
from curation.rollouts.mutants.sampler import mutants
from curation.verify import VERIFIER_VERSION, Judgement, Task
from curation.verify.problems import InvalidProblemError, parse
from schemas.books import DECISION
from schemas.enums import Status, Verdict
from schemas.ids import canonical_json
from schemas.recipe.gold import Gold
from schemas.records import TEST_QUALITY
from warehouse.stages import Services, Stage, StageResult

__all__ = ["GOLD", "check"]

_EVIDENCE = 500
_DECIDED = pa.schema([column for column in DECISION.arrow if column.name not in ("run_id", "stage")])

Decision = dict[str, Any]


@dataclass
class _Case:
    """A problem, and what its tests said of each kind of answer."""

    problem: Problem
    suite: Suite
    invalid: str | None
    references: list[Judgement] = field(default_factory=list)
    again: list[Judgement] = field(default_factory=list)
    wrong: list[Judgement] = field(default_factory=list)
    trivial: list[Judgement] = field(default_factory=list)
    mutants: list[Judgement] = field(default_factory=list)

    @property
    def accepted(self) -> list[int]:
        """Positions of the references that passed."""
        return [index for index, found in enumerate(self.references) if found.status is Status.AC]

    @property
    def flaky(self) -> list[int]:
        """Positions of the references that two runs judged differently."""
        pairs = enumerate(zip(self.references, self.again, strict=True))
        return [index for index, (one, two) in pairs if _differ(one, two)]


def check(inputs: Mapping[str, pl.LazyFrame], config: Gold, services: Services) -> StageResult:
    """Try each problem's tests on its references, its known-wrong answers, trivial programs and mutants.

    A problem whose reference fails is dropped with the evidence. Where the sandbox failed on the reference, or two
    runs of it differ, the problem is set aside (``fail``) rather than judged.

    Parameters
    ----------
    inputs
        ``rows``: problems.
    config
        What is tried, and what becomes of a problem that fails a trial.

    Returns
    -------
    StageResult
        Decisions, and the table ``test_quality`` with a row per problem.

    Raises
    ------
    IsolationError
        If this machine cannot isolate programs as the settings demand.
    """
    services.progress.start("gold", inputs["rows"].select(pl.len()).collect().item(), "problems")
    scratch = services.aside()
    quality, decided = (
        RowFile(scratch / "quality.parquet", TEST_QUALITY),
        RowFile(scratch / "decided.parquet", _DECIDED),
    )
    one_failure_tells = config.verify.model_copy(update={"stop": "failure"})
    judges = CachedJudge(config.verify, services), CachedJudge(one_failure_tells, services)
    with quality, decided, judges[0] as judge, judges[1] as quick:
        for problems in problem_batches(inputs["rows"]):
            for case in _tried(problems, config, judge, quick):
                quality.write([_quality(case)])
                decided.write(_decisions(case, config))
            services.progress.advance("gold", len(problems))
    services.progress.finish("gold")
    return StageResult(decided.scan(), outputs={"test_quality": quality.scan()})


GOLD = Stage("gold", f"2/{VERIFIER_VERSION}", check, outputs={"test_quality": "test_quality"})


def _tried(problems: Sequence[Problem], config: Gold, judge: CachedJudge, quick: CachedJudge) -> list[_Case]:
    """Judge references on every test, what should fail only up to its first failure."""
    cases = [_Case(problem, suite(problem), _invalid(problem)) for problem in problems]
    testable = [case for case in cases if case.invalid is None]
    _try(testable, "references", lambda case: _first(case, "reference_solutions", config.references), judge)
    _try(testable, "again", lambda case: _first(case, "reference_solutions", config.references), judge, trial=1)
    _try(testable, "wrong", lambda case: _first(case, "wrong_solutions", config.wrong), quick)
    _try(testable, "trivial", lambda case: [answer for _, answer in trivial_programs(case.problem)], quick)
    proven = [case for case in testable if case.accepted and not case.flaky]
    _try(proven, "mutants", lambda case: _mutants(case, config), quick)
    return cases


def _try(
    cases: Sequence[_Case],
    role: str,
    answers: Callable[[_Case], list[str]],
    judge: CachedJudge,
    trial: int = 0,
) -> None:
    """Judge the answers that ``answers`` gives for each case, and note the judgements under ``role``."""
    given = [answers(case) for case in cases]
    tasks = (
        Task(case.problem["verifier"], case.problem["tests"], answer)
        for case, texts in zip(cases, given, strict=True)
        for answer in texts
    )
    judgements = judge.judge(tasks, trial)
    for case, texts in zip(cases, given, strict=True):
        setattr(case, role, list(itertools.islice(judgements, len(texts))))


def _invalid(problem: Problem) -> str | None:
    """Return why no answer to the problem can be judged, if none can."""
    try:
        parse(problem["verifier"], problem["tests"])
    except InvalidProblemError as error:
        return str(error)
    return None


def _first(case: _Case, column: str, count: int) -> list[str]:
    return list(case.problem[column] or ())[:count]


def _mutants(case: _Case, config: Gold) -> list[str]:
    reference = case.problem["reference_solutions"][case.accepted[0]]
    return mutants(case.problem, reference, config.mutants, config.seed)


def _judged(judgements: Sequence[Judgement]) -> int:
    return sum(found.status is not Status.XX for found in judgements)


def _passed(judgements: Sequence[Judgement]) -> int:
    return sum(found.status is Status.AC for found in judgements)


def _differ(one: Judgement, two: Judgement) -> bool:
    if Status.XX in (one.status, two.status):
        return False
    return (one.status, one.passed, tuple(one.statuses)) != (two.status, two.passed, tuple(two.statuses))


def _trivial_passed(case: _Case) -> list[str]:
    names = (name for name, _ in trivial_programs(case.problem))
    return [name for name, found in zip(names, case.trivial, strict=False) if found.status is Status.AC]


def _quality(case: _Case) -> dict[str, Any]:
    mutants_judged = _judged(case.mutants)
    return {
        "problem_id": case.problem["problem_id"],
        "n_tests": case.suite.tests,
        "duplicate_tests": case.suite.duplicates,
        "references": _judged(case.references),
        "references_passed": _passed(case.references),
        "wrong": _judged(case.wrong),
        "wrong_passed": _passed(case.wrong),
        "mutants": mutants_judged or None,
        "mutants_killed": mutants_judged - _passed(case.mutants) if mutants_judged else None,
        "trivial_passed": _trivial_passed(case),
        "flaky": bool(case.flaky),
        "verifier_version": VERIFIER_VERSION,
    }


def _decisions(case: _Case, config: Gold) -> Iterator[Decision]:
    """Yield what follows from the trials; a problem that could not be judged is not judged bad as well."""
    unjudged = list(_unjudged(case))
    decided = unjudged or [*_about_reference(case, config), *_about_tests(case, config)]
    yield from ({"record_id": case.problem["problem_id"], **decision} for decision in decided)


def _unjudged(case: _Case) -> Iterator[Decision]:
    if case.invalid is not None and case.suite.tests and case.suite.contradiction is None:
        yield _decision(Verdict.FAIL, "invalid_problem", detail={"evidence": case.invalid[:_EVIDENCE]})
    faults = [found for found in (*case.references, *case.again) if found.status is Status.XX]
    if faults:
        yield _decision(Verdict.FAIL, "sandbox_fault", len(faults), 0, detail=_evidence(faults[0]))
    if case.flaky:
        runs = [_evidence(run[case.flaky[0]]) for run in (case.references, case.again)]
        yield _decision(Verdict.FAIL, "flaky", len(case.flaky), 0, detail={"runs": runs})


def _about_reference(case: _Case, config: Gold) -> Iterator[Decision]:
    if case.invalid is not None:
        return
    accepted, tried = case.accepted, len(case.references)
    if not tried:
        yield _decision(config.no_reference, "no_reference", 0, 1)
        return
    needed = tried if config.accept == "all" else 1
    if len(accepted) < tried:
        first = next(index for index in range(tried) if index not in accepted)
        detail = {"reference": first, **_evidence(case.references[first])}
        verdict, reason = (
            (Verdict.DROP, "reference_fails") if len(accepted) < needed else (Verdict.FLAG, "some_references_fail")
        )
        yield _decision(verdict, reason, len(accepted), needed, detail=detail)


def _about_tests(case: _Case, config: Gold) -> Iterator[Decision]:
    if not case.suite.tests:
        yield _decision(Verdict.DROP, "no_tests", 0, 1)
        return
    if case.suite.contradiction is not None and not case.accepted:
        yield _decision(config.contradictory_tests, "contradictory_tests", witness=case.suite.contradiction[:_EVIDENCE])
    if case.suite.duplicates:
        yield _decision(Verdict.FLAG, "duplicate_tests", case.suite.duplicates, 0)
    if passed := [index for index, found in enumerate(case.wrong) if found.status is Status.AC]:
        yield _decision(config.wrong_passes, "wrong_passes", len(passed), 0, detail={"wrong_solutions": passed})
    if names := _trivial_passed(case):
        yield _decision(config.trivial_passes, "trivial_passes", len(names), 0, detail={"programs": names})
    others = (*case.wrong, *case.trivial, *case.mutants)
    if faults := len(others) - _judged(others):
        yield _decision(Verdict.FLAG, "sandbox_fault", faults, 0)


def _decision(  # noqa: PLR0913 - the columns of a decision
    verdict: str,
    reason: str,
    measured: float | None = None,
    threshold: float | None = None,
    *,
    witness: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Decision:
    return {
        "verdict": str(verdict),
        "reason": reason,
        "measured": measured,
        "threshold": threshold,
        "witness": witness,
        "detail": None if detail is None else canonical_json(detail),
    }


def _evidence(judgement: Judgement) -> dict[str, Any]:
    """Return what speaks against an answer: its status, the tests passed, the first failing test and why."""
    failing = next((i for i, status in enumerate(judgement.statuses) if status is not Status.AC), None)
    return {
        "status": judgement.status.value,
        "passed": judgement.passed,
        "total": judgement.total,
        "first_failing_test": failing,
        "evidence": (judgement.detail or "")[:_EVIDENCE],
    }
