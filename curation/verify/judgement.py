"""What is asked of the judge, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.enums import Isolation, Status

__all__ = ["VERIFIER_VERSION", "Judgement", "Task", "fault", "verdict"]

VERIFIER_VERSION = "6"
"""Changes whenever a verdict may."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Task:
    """One answer to one problem.

    Parameters
    ----------
    verifier
        JSON object of the problem: kind and settings.
    tests
        JSON array of the problem's tests.
    answer
        A whole program, or the text of an answer.
    """

    verifier: str
    tests: str
    answer: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge says of one answer.

    Parameters
    ----------
    status
        AC if every test gave positive evidence, otherwise the status of the first test that did not.
    passed, total
        Tests passed and tests of the problem; None exactly when the status is XX.
    statuses
        One per test; empty when the status is XX.
    cpu_ms, wall_ms
        CPU and wall time of the judged processes, in milliseconds.
    isolation
        The rung that held.
    detail
        First evidence against the answer, in one short line.
    """

    status: Status
    passed: int | None
    total: int | None
    statuses: tuple[Status, ...]
    cpu_ms: float
    wall_ms: float
    isolation: Isolation
    detail: str = ""

    @property
    def all_passed(self) -> bool | None:
        """The hard reward; None when there is no verdict."""
        return None if self.status is Status.XX else self.status is Status.AC


def verdict(
    statuses: Sequence[Status],
    isolation: Isolation,
    detail: str = "",
    cpu_s: float = 0.0,
    wall_s: float = 0.0,
) -> Judgement:
    """Return the judgement that follows from one status per test; any XX among them makes it XX."""
    if Status.XX in statuses:
        return fault(detail, isolation, cpu_s, wall_s)
    first = next((status for status in statuses if status is not Status.AC), Status.AC)
    passed = sum(status is Status.AC for status in statuses)
    return Judgement(
        first,
        passed,
        len(statuses),
        tuple(statuses),
        cpu_s * 1e3,
        wall_s * 1e3,
        isolation,
        _line(detail),
    )


def fault(detail: str, isolation: Isolation, cpu_s: float = 0.0, wall_s: float = 0.0) -> Judgement:
    """Return the judgement that is none: the sandbox or the problem failed, not the answer."""
    return Judgement(Status.XX, None, None, (), cpu_s * 1e3, wall_s * 1e3, isolation, _line(detail))


def _line(detail: str) -> str:
    """Return what a program may have written as one short line that no terminal or file format chokes on."""
    short = detail[:_LONGEST]
    return short if short.isprintable() else "".join(c if c.isprintable() else " " for c in short)
