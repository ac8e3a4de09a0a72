"""Programs that do nothing worth the name; tests that accept one tell nothing apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from curation.problems import CODE_KINDS, Problem, verifier
from schemas.enums import VerifierKind
from schemas.ids import statement

__all__ = ["trivial_programs"]

_METHOD = re.compile(r"(\w+)\(\)\.(\w+)")
_RETURNED = ("None", "True", "False", "0", "1", "-1", "''", "[]")
_PRINTED = ("0", "1", "-1", "YES", "NO")
_ECHO = "import sys\nsys.stdout.write(sys.stdin.read())\n"


def trivial_programs(problem: Problem) -> Iterator[tuple[str, str]]:
    r"""Yield ``(name, answer)`` pairs: nothing, the question itself, and constants.

    Constants are tried on programs only: the right answer to a question may well be 0.

    Examples
    --------
    >>> problem = {"verifier": '{"kind":"asserts","entry_point":"f"}', "prompt": [], "starter_code": None}
    >>> dict(trivial_programs(problem))["constant 0"]
    'def f(*args, **kwargs):\n    return 0\n'
    """
    settings = verifier(problem)
    kind = settings["kind"]
    if kind not in CODE_KINDS:
        yield "empty", ""
        yield "echo", statement(problem["prompt"])
    elif kind == VerifierKind.STDIO:
        yield "empty", "pass\n"
        yield "echo", _ECHO
        yield from ((f"constant {text}", f"print({text!r})\n") for text in _PRINTED)
    else:
        candidate = settings.get("candidate") or settings["entry_point"]
        yield "empty", "pass\n"
        yield "echo", _function(candidate, "(args + tuple(kwargs.values()) + (None,))[0]")
        yield from ((f"constant {value}", _function(candidate, value)) for value in _RETURNED)


def _function(candidate: str, value: str) -> str:
    """Return a program in which calling ``candidate`` gives ``value``."""
    if method := _METHOD.fullmatch(candidate):
        return f"class {method[1]}:\n    def {method[2]}(self, *args, **kwargs):\n        return {value}\n"
    return f"def {candidate}(*args, **kwargs):\n    return {value}\n"
