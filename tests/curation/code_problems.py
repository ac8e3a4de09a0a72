"""Small problems of each kind, with references, known-wrong answers and sound tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.ids import canonical_json
from schemas.records import PROBLEM
from schemas.tables import TableRef
from tests.tables import problem
from warehouse.fingerprint import content_hash
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


def _made(number: int, text: str, verifier: dict[str, Any], tests: list[Any], **changes: Any) -> dict[str, Any]:
    made = {
        "prompt": [{"role": "user", "content": f"{text} ({number})"}],
        "verifier": canonical_json(verifier),
        "tests": canonical_json(tests),
        "language": "python",
        "ability": "code",
        "wrong_solutions": [],
    }
    return problem(number, **(made | changes))


def asserted(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a problem judged by asserts, different for each number."""
    verifier = {"kind": "asserts", "entry_point": "clamp", "prelude": ""}
    tests = [{"code": f"assert {test}"} for test in _CLAMP_TESTS]
    wrong = ["def clamp(value, low, high):\n    return value\n"]
    solutions = {"reference_solutions": [_CLAMP.format(shift=number)], "wrong_solutions": wrong}
    return _made(number, "Clamp a value.", verifier, tests, **(solutions | changes))


def called(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a problem judged by recorded calls of a method."""
    verifier = {"kind": "calls", "entry_point": "add", "candidate": "Solution().add", "compare": "json"}
    tests = [{"args": [a, b], "kwargs": {}, "expected": a + b + number} for a, b in ((1, 2), (0, 0), (-4, 9))]
    reference = f"class Solution:\n    def add(self, a, b):\n        return a + b + {number}\n"
    return _made(number, "Add two numbers.", verifier, tests, **({"reference_solutions": [reference]} | changes))


def stream(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a problem judged on standard input and output."""
    tests = [{"input": "3\n1\n2\n3\n", "output": "6\n"}, {"input": "0\n", "output": "0\n"}]
    tests.append({"input": "1\n-5\n", "output": "-5\n"})
    verifier = {"kind": "stdio", "compare": "tokens"}
    return _made(
        number, "Sum numbers.", verifier, tests, **({"reference_solutions": [_SUM.format(shift=number)]} | changes)
    )


def stored(workspace: Workspace, problems: Iterable[dict[str, Any]]) -> TableRef:
    """Write problems as a table of the warehouse, and refer to it."""
    path = workspace.root / "given" / "part-00000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(list(problems), schema=pl.Schema(PROBLEM.arrow)).write_parquet(path)
    return TableRef("given", "problem", *content_hash([path], PROBLEM))
