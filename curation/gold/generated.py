"""Tests that a model wrote, admitted only by evidence: the reference passes them, and they refuse something wrong."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

import polars as pl

from curation.problems import Problem, verifier
from curation.rollouts.mutants.sampler import mutants
from curation.verify import Judgement, Task
from schemas.enums import Status, VerifierKind
from schemas.errors import UsageError
from schemas.ids import canonical_json
from schemas.recipe.gold import Gold
from schemas.records import GENERATED_TEST

__all__ = ["Proposal", "admit", "admitted_tests", "proposals"]

_ASSERT = re.compile(r"^[ \t]*assert\b", re.MULTILINE)
_MOST_LINES = 8
_DEADLY = (Status.TLE, Status.ILE, Status.MLE, Status.OLE)
_MOST_DEATHS = 8
_RUNS = 2
_ABOUT_FUNCTIONS = (VerifierKind.ASSERTS, VerifierKind.CALLS)


class _Judge(Protocol):
    def judge(self, tasks: Iterable[Task]) -> Iterator[Judgement]: ...


@dataclass(frozen=True, eq=False)
class Proposal:
    """One distinct test.

    Parameters
    ----------
    code
        An assert statement, as `ast.unparse` writes it, without its message.
    proposed
        How many of the texts contain it.
    claim
        The call whose result it gives, and the result, if that is all it says.
    """

    code: str
    proposed: int
    claim: tuple[str, Any] | None


def proposals(texts: Iterable[str], entry_point: str) -> list[Proposal]:
    r"""Return the distinct tests in texts written by a model, in the order of first mention.

    A test is an assert statement that uses ``entry_point`` and ends within the text; what else the model wrote
    (other code, half a statement, asserts about nothing) is passed over.

    Examples
    --------
    >>> [(p.code, p.proposed) for p in proposals(["assert f(1)==2, 'so'\nassert f(", "assert f(1) == 2"], "f")]
    [('assert f(1) == 2', 2)]
    """
    counts: Counter[str] = Counter()
    claims: dict[str, tuple[str, Any] | None] = {}
    for text in texts:
        for code, condition in {_written(found): found for found in _asserts(text, entry_point)}.items():
            counts[code] += 1
            claims[code] = _claim(condition)
    return [Proposal(code, count, claims[code]) for code, count in counts.items()]


def _asserts(text: str, entry_point: str) -> Iterator[ast.expr]:
    """Yield the conditions of the asserts in a text that Python can read and that use the function."""
    starts = [match.start() for match in _ASSERT.finditer(text)]
    for start, end in pairwise([*starts, len(text)]):
        condition = _condition(text[start:end].strip().removeprefix("assert").strip())
        if condition is not None and any(
            isinstance(node, ast.Name) and node.id == entry_point for node in ast.walk(condition)
        ):
            yield condition


def _condition(text: str) -> ast.expr | None:
    """Return the condition at the beginning of a text, over as few lines as make a statement."""
    lines = text.split("\n")
    for count in range(1, min(len(lines), _MOST_LINES) + 1):
        try:
            with warnings.catch_warnings(action="ignore"):
                (statement,) = ast.parse("assert " + "\n".join(lines[:count])).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return statement.test if isinstance(statement, ast.Assert) else None
    return None


def _written(condition: ast.expr) -> str:
    return f"assert {ast.unparse(condition)}"


def _claim(condition: ast.expr) -> tuple[str, Any] | None:
    match condition:
        case ast.Compare(left=ast.Call() as call, ops=[ast.Eq() | ast.Is()], comparators=[wanted]):
            with suppress(ValueError, TypeError, RecursionError, MemoryError):
                return ast.unparse(call), ast.literal_eval(wanted)
    return None


def admit(problem: Problem, texts: Sequence[str], judge: _Judge, config: Gold) -> pl.DataFrame:
    """Judge the tests that a model has proposed for a problem, and say of each whether it is admitted and why.

    A test is admitted if the first reference passes it twice and the others once, no other test that they pass
    contradicts it, and it refuses at least one answer that is wrong: a known-wrong one or a mutant of the reference. A
    test that refuses nothing may be right, and tells nothing (Chen et al., "CodeT", 2022, choose by agreement instead,
    which needs no reference and admits tests that are wrong together).

    Parameters
    ----------
    problem
        A problem that asks for a function. Its references are believed.
    texts
        What a model wrote when asked for tests.
    judge
        What judges: a `curation.verify.Judge` or a `curation.judging.CachedJudge`.
    config
        How many references, known-wrong answers and mutants are tried.

    Returns
    -------
    polars.DataFrame
        A row per distinct test (contract ``generated_test``).

    Raises
    ------
    UsageError
        If the problem asks for no function.
    """
    settings = verifier(problem)
    if settings["kind"] not in _ABOUT_FUNCTIONS:
        raise UsageError(
            f"generated tests are asserts about functions; {problem['problem_id']} is judged by {settings['kind']!r}."
        )
    references = list(problem["reference_solutions"] or ())[: config.references]
    trial = _Trial(canonical_json({**settings, "kind": VerifierKind.ASSERTS}), judge)
    tests = [_Evidence(proposal) for proposal in proposals(texts, settings["entry_point"])]
    for reference in references[:1] * _RUNS:
        trial.note(reference, tests, "reference")
    sound = [test for test in tests if test.reference == [Status.AC] * _RUNS]
    for reference in references[1:]:
        trial.note(reference, sound, "reference")
        sound = [test for test in sound if test.reference[-1] is Status.AC]
    for number, answer in enumerate(list(problem["wrong_solutions"] or ())[: config.wrong]):
        trial.note(answer, sound, "wrong", f"wrong {number}")
    bent = [mutant for one in references[:1] for mutant in mutants(problem, one, config.mutants, config.seed)]
    for number, answer in enumerate(bent):
        trial.note(answer, sound, "mutants", f"mutant {number}")
    rivals = _rivals([test.proposal for test in tests])
    passed = {test.proposal for test in sound}
    rows = [test.row(problem["problem_id"], rivals[test.proposal], passed) for test in tests]
    return pl.DataFrame(rows, schema=pl.DataFrame(GENERATED_TEST.arrow.empty_table()).schema)


@dataclass
class _Evidence:
    """A test, and what it says of each answer tried; answers of which that was not found out are left out."""

    proposal: Proposal
    reference: list[Status] = field(default_factory=list)
    wrong: list[Status] = field(default_factory=list)
    mutants: list[Status] = field(default_factory=list)
    refuses: list[str] = field(default_factory=list)

    def row(self, problem_id: str, rivals: list[Proposal], passed: set[Proposal]) -> dict[str, Any]:
        """Return the row of the contract; ``passed`` are the tests that the reference passes."""
        return {
            "problem_id": problem_id,
            "test": self.proposal.code,
            "proposed": self.proposal.proposed,
            "rivals": len(rivals),
            "reference": next((s.value for s in self.reference if s is not Status.AC), Status.AC.value)
            if self.reference
            else None,
            "wrong": len(self.wrong),
            "wrong_killed": sum(status is not Status.AC for status in self.wrong),
            "mutants": len(self.mutants),
            "mutants_killed": sum(status is not Status.AC for status in self.mutants),
            "refuses": self.refuses,
            "reason": self._reason(contradicted=not passed.isdisjoint(rivals)),
        }

    def _reason(self, *, contradicted: bool) -> str:
        if len(self.reference) < _RUNS:
            return "not_judged"
        if self.reference[0] is not self.reference[1]:
            return "flaky"
        if any(status is not Status.AC for status in self.reference):
            return "reference_fails"
        if contradicted:
            return "contradicted"
        return "admitted" if self.refuses else "kills_nothing"


class _Trial:
    """Answers run against many small tests at once."""

    def __init__(self, settings: str, judge: _Judge) -> None:
        self.settings, self.judge = settings, judge

    def note(self, answer: str, tests: Sequence[_Evidence], role: str, name: str = "") -> None:
        """Note what each test says of an answer, and under which name it refuses one that is wrong.

        A test that exhausts the program takes the tests after it along: those are run again without it.
        """
        done = 0
        for _ in range(_MOST_DEATHS):
            rest = tests[done:]
            if not rest:
                return
            given = canonical_json([{"code": test.proposal.code} for test in rest])
            (judgement,) = self.judge.judge([Task(self.settings, given, answer)])
            for test, status in zip(rest, judgement.statuses, strict=False):
                done += 1
                getattr(test, role).append(status)
                if name and status is not Status.AC:
                    test.refuses.append(name)
                if status in _DEADLY:
                    break
            else:
                return


def _rivals(proposed: Sequence[Proposal]) -> dict[Proposal, list[Proposal]]:
    """Return for each test those that give another result for the same call."""
    about: dict[str, list[Proposal]] = defaultdict(list)
    for test in proposed:
        if test.claim is not None:
            about[test.claim[0]].append(test)
    return {
        test: [other for other in about[test.claim[0]] if other.claim[1] != test.claim[1]] if test.claim else []
        for test in proposed
    }


def admitted_tests(table: pl.DataFrame, most: int) -> dict[str, str]:
    """Return the tests of each problem (JSON, by problem id): at most ``most``, which together refuse most.

    The next test is always the one that refuses most of the wrong answers that none before it refuses, until all are
    refused; then again from the beginning (the greedy cover of Chvatal, 1979). Ten sharp tests of one mistake would
    let every other pass.
    """
    admitted = (
        table.filter(pl.col("reason") == "admitted")
        .sort("problem_id", -pl.col("refuses").list.len().cast(pl.Int64), -pl.col("proposed"), "test")
        .group_by("problem_id", maintain_order=True)
        .agg("test", "refuses")
    )
    return {
        problem: json.dumps([{"code": codes[at]} for at in _covering([set(names) for names in refused], most)])
        for problem, codes, refused in admitted.iter_rows()
    }


def _covering(refused: Sequence[set[str]], most: int) -> list[int]:
    """Return the positions of at most ``most`` sets, none of them empty, that cover all over and over."""
    chosen: list[int] = []
    left, covered = list(range(len(refused))), set[str]()
    while left and len(chosen) < most:
        best = max(left, key=lambda at: (len(refused[at] - covered), -at))
        if refused[best] <= covered:
            covered = set()
            continue
        chosen.append(best)
        left.remove(best)
        covered |= refused[best]
    return chosen
