"""Suites of tests looked at without running them: how many, how many twice, and whether they contradict."""

from __future__ import annotations

import ast
import json
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curation.problems import Problem, verifier
from schemas.enums import VerifierKind
from schemas.ids import canonical_json

__all__ = ["Suite", "suite"]


@dataclass(frozen=True, slots=True)
class Suite:
    """What a problem's tests are.

    Parameters
    ----------
    tests
        Number of tests.
    duplicates
        Tests that repeat an earlier one.
    contradiction
        An input for which two tests expect different results; None if there is none.
    """

    tests: int
    duplicates: int
    contradiction: str | None


def suite(problem: Problem) -> Suite:
    """Return what a problem's tests are; what is no JSON object counts as no test.

    Examples
    --------
    >>> tests = '[{"input":"1","output":"2"},{"input":"1","output":"3"},{"input":"1","output":"3"}]'
    >>> suite({"verifier": '{"kind":"stdio"}', "tests": tests})
    Suite(tests=3, duplicates=1, contradiction='1')
    """
    try:
        given = json.loads(problem["tests"])
    except (ValueError, RecursionError):
        given = []
    tests = [test for test in given if isinstance(test, dict)] if isinstance(given, list) else []
    distinct = {canonical_json(test) for test in tests}
    return Suite(len(tests), len(tests) - len(distinct), _contradiction(verifier(problem), tests))


def _contradiction(settings: Mapping[str, Any], tests: list[Mapping[str, Any]]) -> str | None:
    if settings.get("compare") == "checker":
        return None
    expected: dict[str, set[str]] = defaultdict(set)
    for test in tests:
        for given, wanted in _expectations(settings["kind"], test):
            expected[given].add(wanted)
    return next((given for given, wanted in expected.items() if len(wanted) > 1), None)


def _expectations(kind: str, test: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield ``(input, expected result)`` of a test, where it says so plainly."""
    if kind == VerifierKind.STDIO:
        yield str(test.get("input")), str(test.get("output")).strip()
    elif kind == VerifierKind.CALLS:
        yield canonical_json([test.get("args", []), test.get("kwargs", {})]), canonical_json(test.get("expected"))
    elif kind == VerifierKind.ASSERTS:
        yield from _asserted(str(test.get("code")))


def _asserted(code: str) -> Iterator[tuple[str, str]]:
    """Yield the two sides of each top-level ``assert call == literal``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statements = ast.parse(code).body
            for statement in statements:
                match statement:
                    case ast.Assert(test=ast.Compare(left=ast.Call() as call, ops=[ast.Eq()], comparators=[wanted])):
                        yield ast.unparse(call), repr(ast.literal_eval(wanted))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return
