"""What a child can be."""

from __future__ import annotations

import json
import os
from typing import Any

from .candidate import run_calls, serve
from .grader import run_grader, same
from .native import compile_program, run_native
from .program import run_program
from .tester import run_suite
from .values import decode

__all__ = ["CHANNEL", "LINK", "read_payload", "run", "warm"]

CHANNEL = 3
"""Where a child talks to the judge, or a candidate to its tester."""
LINK = 4
"""Where a tester talks to its candidate; for a compiled program, its executable."""


def read_payload(fd: int) -> dict[str, Any]:
    """Read what the child is to work on."""
    with os.fdopen(fd, "rb") as file:
        body = file.read()
    return decode(body) if b'"!"' in body else json.loads(body)


def warm(role: str) -> None:
    """Do once, before any child is forked, what every child of a role would do first."""
    if role == "grader":
        same("\\boxed{\\frac{1}{2}}", "\\boxed{0.5}")


def run(role: str, payload: dict[str, Any]) -> None:
    """Do what ``role`` does."""
    if role == "tester":
        run_suite(payload, CHANNEL, LINK)
    else:
        _ROLES[role](payload, CHANNEL)


_ROLES = {
    "calls": run_calls,
    "compile": compile_program,
    "grader": run_grader,
    "native": run_native,
    "program": run_program,
    "serve": serve,
}
