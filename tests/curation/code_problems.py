"""Small problems of each kind, with references, known-wrong answers and sound tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.ids import canonical_json
from schemas.records import PROBLEM
from schemas.tables import TableRef
from tests.tables import problem, stored
from warehouse.stages import Workspace

__all__ = ["asserted", "called", "stored", "stream"]

_CLAMP = """\
def clamp(value, low, high):
    if value < low:
        return low
    if value > high:
        return high
    return value + {shift} - {shift}
"""
_CLAMP_TESTS = ("clamp(5, 1, 9) == 5", "clamp(-3, 1, 9) == 1", "clamp(12, 1, 9) == 9", "clamp(1, 1, 9) == 1")
_SUM = """\
total = {shift}
for _ in range(int(input())):
    total += int(input())
print(total - {shift})
"""


def _made(number: int, text: str, verifier: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made = {
        "prompt": [{"role": "user", "content": f"{text} ({number})"}],
        "verifier": canonical_json(verifier),
        "language": "python",
        "ability": "code",
        "wrong_solutions": [],
    }
    return problem(number, **(made | fields))


def asserted(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a problem judged by asserts, different for each number."""
    fields = {
        "tests": canonical_json([{"code": f"assert {test}"} for test in _CLAMP_TESTS]),
        "reference_solutions": [_CLAMP.format(shift=number)],
        "wrong_solutions": ["def clamp(value, low, high):\n    return value\n"],
    }
    verifier = {"kind": "asserts", "entry_point": "clamp", "prelude": ""}
    return _made(number, "Clamp a value.", verifier, **(fields | changes))


def called(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a problem judged by recorded calls of a method."""
    calls = [{"args": [a, b], "kwargs": {}, "expected": a + b + number} for a, b in ((1, 2), (0, 0), (-4, 9))]
    reference = f"class Solution:\n    def add(self, a, b):\n        return a + b + {number}\n"
    fields = {"tests": canonical_json(calls), "reference_solutions": [reference]}
    verifier = {"kind": "calls", "entry_point": "add", "candidate": "Solution().add", "compare": "json"}
    return _made(number, "Add two numbers.", verifier, **(fields | changes))


def stream(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a problem judged on standard input and output."""
    tests = [
        {"input": given, "output": out} for given, out in (("3\n1\n2\n3\n", "6\n"), ("0\n", "0\n"), ("1\n-5\n", "-5\n"))
    ]
    fields = {"tests": canonical_json(tests), "reference_solutions": [_SUM.format(shift=number)]}
    return _made(number, "Sum numbers.", {"kind": "stdio", "compare": "tokens"}, **(fields | changes))


def problems_stored(workspace: Workspace, problems: Iterable[dict[str, Any]]) -> TableRef:
    """Write problems as a table of the warehouse, and refer to it."""
    return stored(workspace, "rows", pl.DataFrame(list(problems), schema=pl.Schema(PROBLEM.arrow)), "problem")
