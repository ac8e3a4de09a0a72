"""A problem as the judge needs it: kind, settings, tests, checked before anything runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from curation.verify.finals import is_label
from curation.verify.inside.values import NotPlainError, encode
from curation.verify.plugins import graders
from schemas.enums import VerifierKind
from schemas.ids import canonical_json

__all__ = ["InvalidProblemError", "Problem", "parse"]

_NUMBERS = {"time_limit": 86_400.0, "memory_limit_mb": 1 << 20, "rel_tol": 1.0, "abs_tol": math.inf}
"""Settings that are numbers, and the largest that makes sense."""
_TEXTS = ("prelude", "candidate", "language")
_COMPARATORS = ("json", "exact", "lines", "tokens", "float", "unordered", "checker")


class InvalidProblemError(ValueError):
    """A problem that no answer can be judged by: evidence of nothing."""


@dataclass(frozen=True)
class Problem:
    """A verifier and its tests.

    Parameters
    ----------
    kind
        A kind of `schemas.enums.VerifierKind`, or the name of a grader plug-in.
    spec
        The verifier's JSON object.
    tests
        The tests, each a JSON object; never empty.
    """

    kind: str
    spec: dict[str, Any]
    tests: list[dict[str, Any]]


@lru_cache(maxsize=256)
def parse(verifier: str, tests: str) -> Problem:
    """Read a verifier and its tests.

    Raises
    ------
    InvalidProblemError
        If there are no tests, a test lacks what its kind needs, an expected value is null, two tests ask the same and
        expect different things, or a setting is unknown.
    """
    try:
        spec, cases = json.loads(verifier), json.loads(tests)
    except (ValueError, RecursionError) as error:
        raise InvalidProblemError(f"verifier or tests are not JSON: {error}") from error
    if not isinstance(spec, dict) or not isinstance(spec.get("kind"), str):
        raise InvalidProblemError("the verifier is not an object with a kind")
    if not isinstance(cases, list) or not cases or not all(isinstance(case, dict) for case in cases):
        raise InvalidProblemError("there are no tests" if cases == [] else "the tests are not an array of objects")
    _settings(spec)
    check = _CHECKS.get(spec["kind"])
    if check is not None:
        check(spec, cases)
    elif spec["kind"] not in graders():
        known = ", ".join([*_CHECKS, *graders()])
        raise InvalidProblemError(f"no grader is called {spec['kind']!r}; known are {known}")
    return Problem(spec["kind"], spec, cases)


def _settings(spec: dict[str, Any]) -> None:
    for name, most in _NUMBERS.items():
        value = spec.get(name)
        if value is not None and not (type(value) in (int, float) and 0 <= value <= most):
            raise InvalidProblemError(f"{name} is {value!r:.60}, not a number from 0 to {most}")
    for name in _TEXTS:
        if not isinstance(spec.get(name, ""), str):
            raise InvalidProblemError(f"{name} is {spec[name]!r:.60}, not a text")


def _asserts(spec: dict[str, Any], cases: list[dict[str, Any]]) -> None:
    _texts(spec, "entry_point")
    for number, case in enumerate(cases):
        _require(case, number, "code", str)
        if not case["code"].strip():
            raise InvalidProblemError(f"test {number} is empty")


def _calls(spec: dict[str, Any], cases: list[dict[str, Any]]) -> None:
    _texts(spec, "entry_point")
    _comparator(spec, "json")
    for number, case in enumerate(cases):
        _require(case, number, "args", list)
        if not isinstance(case.get("kwargs", {}), dict):
            raise InvalidProblemError(f"test {number}: kwargs is not an object")
        if "expected" not in case:
            raise InvalidProblemError(f"test {number} expects nothing")
        try:
            encode([case["args"], case.get("kwargs", {})])
        except NotPlainError as error:
            raise InvalidProblemError(f"test {number}: {error}") from error
    try:
        pairs = [(canonical_json([c["args"], c.get("kwargs", {})]), canonical_json(c["expected"])) for c in cases]
    except (ValueError, RecursionError) as error:
        raise InvalidProblemError(f"a value that JSON has no word for: {error}") from error
    _no_contradiction(pairs)


def _stdio(spec: dict[str, Any], cases: list[dict[str, Any]]) -> None:
    _comparator(spec, "lines")
    if spec.get("compare") == "checker":
        _texts(spec, "checker")
    for number, case in enumerate(cases):
        _require(case, number, "input", str)
        _require(case, number, "output", str)
    if spec.get("compare") != "checker":
        _no_contradiction([(case["input"], case["output"]) for case in cases])


def _answer(spec: dict[str, Any], cases: list[dict[str, Any]]) -> None:
    if spec["kind"] == VerifierKind.MATH and spec.get("format", "math") not in ("gsm8k", "math", "aime"):
        raise InvalidProblemError(f"unknown answer format {spec.get('format')!r}")
    for number, case in enumerate(cases):
        if "answer" not in case or (case["answer"] is None and spec["kind"] != VerifierKind.JSON):
            raise InvalidProblemError(f"test {number} has no answer")
        _REASONABLE.get(spec["kind"], lambda *_: None)(number, case["answer"])


def _mathematical(number: int, answer: Any) -> None:
    if type(answer) not in (str, int, float) or not str(answer).strip():
        raise InvalidProblemError(f"test {number}: {answer!r:.60} is no answer: a text or a number is one")


def _label(number: int, answer: Any) -> None:
    if not is_label(str(answer).strip().strip("()")):
        raise InvalidProblemError(f"test {number}: {answer!r:.60} names no choice: a letter or a digit does")


_REASONABLE: dict[str, Callable[[int, Any], None]] = {
    VerifierKind.MATH: _mathematical,
    VerifierKind.CHOICE: _label,
}

_CHECKS = {
    VerifierKind.ASSERTS: _asserts,
    VerifierKind.CALLS: _calls,
    VerifierKind.STDIO: _stdio,
    VerifierKind.MATH: _answer,
    VerifierKind.CHOICE: _answer,
    VerifierKind.EXACT: _answer,
    VerifierKind.JSON: _answer,
}


def _texts(spec: dict[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(spec.get(name), str) or not spec[name].strip():
            raise InvalidProblemError(f"the verifier has no {name}")


def _require(case: dict[str, Any], number: int, name: str, kind: type) -> None:
    if not isinstance(case.get(name), kind):
        raise InvalidProblemError(f"test {number}: {name} is {case.get(name)!r:.60}, not a {kind.__name__}")


def _comparator(spec: dict[str, Any], default: str) -> None:
    if spec.get("compare", default) not in _COMPARATORS:
        raise InvalidProblemError(f"unknown comparator {spec['compare']!r}")


def _no_contradiction(pairs: list[tuple[str, str]]) -> None:
    expected: dict[str, str] = {}
    for number, (given, wanted) in enumerate(pairs):
        if expected.setdefault(given, wanted) != wanted:
            raise InvalidProblemError(f"test {number} contradicts an earlier test of the same input")
