"""The corpus of hostile and unusual programs: how its files are read, and which problem each program is tried on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from curation.verify import Task
from schemas.enums import Status

FOLDER = Path(__file__).parent / "curation" / "verify" / "corpus"
GROUPS = ("forging", "endless", "exhausting", "outside", "unusual")

SQUARES = [{"args": [2], "expected": 4}, {"args": [7], "expected": 49}]
_LOOP = "def check(candidate):\n    for n in (2, 7):\n        assert candidate(n) == n * n\n\ncheck(f)"
_SUMS = [{"input": "2 3\n", "output": "5\n"}, {"input": "10 20\n", "output": "30\n"}]
_ESCAPED = "\ndef f(x):\n    return x * x if won else None\n"


def _calls(tests: list[dict], entry: str = "f", **more: str) -> tuple[str, str]:
    return json.dumps({"kind": "calls", "entry_point": entry, **more}), json.dumps(tests)


def _stdio(*pairs: tuple[str, str], compare: str = "lines") -> tuple[str, str]:
    tests = [{"input": given, "output": wanted} for given, wanted in pairs]
    return json.dumps({"kind": "stdio", "compare": compare}), json.dumps(tests)


_ASSERTS = json.dumps({"kind": "asserts", "entry_point": "f"}), json.dumps([{"code": _LOOP}])
PROBLEMS = {
    "f": [_calls(SQUARES), _ASSERTS],
    "escape": [_calls(SQUARES)],
    "io": [(json.dumps({"kind": "stdio", "compare": "lines"}), json.dumps(_SUMS))],
    "e": [_calls([{"args": [12, 18], "expected": 6}], "gcd", prelude="from math import *")],
    "lines": [_stdio(("", "1\n2\n3\n"))],
    "words": [_stdio(("", "yes NO\n"), compare="tokens")],
    "six": [_stdio(("", "6\n"), compare="float"), _stdio(("", "6 0.5\n"), compare="tokens")],
    "big": [_stdio(("", "1000000 -1000000 1000000007 9007199254740992\n"), compare="float")],
    "large": [_stdio(("", "x" * (5 << 20)))],
    "hundred": [_stdio(("", "100"))],
    "count": [_stdio(("a", "1"), ("b", "2"), ("c", "3"))],
    "mutate": [_calls([{"args": [[1, 2]], "expected": 3}, {"args": [[1, 2]], "expected": 3}]),
               (_ASSERTS[0], json.dumps([{"code": "x = [1, 2]\nfor _ in range(2): assert f(x) == 3"}]))],
    "pair": [_calls([{"args": [1], "expected": [1, 1]}])],
}  # fmt: skip
"""Verifier and tests by the name that a program's header gives."""
_PATIENT = {"time_limit": 10}
"""The limit of programs that are not about time: a machine may be far slower than another."""


@dataclass(frozen=True)
class Program:
    """One program of the corpus.

    Parameters
    ----------
    expected
        The statuses that judge it right.
    """

    group: str
    number: str
    title: str
    problems: tuple[str, ...]
    expected: frozenset[Status]
    source: str

    @property
    def id(self) -> str:
        """A readable name of the test."""
        return f"{self.number}-{self.title.replace(' ', '-')}"

    def tasks(self, places: dict[str, str]) -> list[Task]:
        """Return the program as tasks, with the traps of ``places`` filled in."""
        source = self.source.replace("@CR@", "\r") + (_ESCAPED if "escape" in self.problems else "")
        for name, value in places.items():
            source = source.replace(f"@{name}@", value)
        limit = {} if self.expected & {Status.TLE, Status.ILE} else _PATIENT
        problems = [problem for name in self.problems for problem in PROBLEMS[name]]
        return [Task(json.dumps(json.loads(verifier) | limit), tests, source) for verifier, tests in problems]


def corpus(group: str) -> list[Program]:
    """Read one group's file: headers ``=== number title | problems | statuses``, each followed by a program."""
    programs = []
    for part in (FOLDER / f"{group}.txt").read_text().split("=== ")[1:]:
        head, _, source = part.partition("\n")
        name, problems, statuses = (field.strip() for field in head.split("|"))
        number, _, title = name.partition(" ")
        expected = frozenset(Status(status) for status in statuses.split())
        programs.append(Program(group, number, title, tuple(problems.split()), expected, source))
    return programs
