"""Judging whole programs: text in on a real file, text out on a real pipe, one process per test."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from curation.verify.comparators import same_text
from curation.verify.functions import death, limits_of
from curation.verify.inside.frames import ProtocolError, split
from curation.verify.inside.lockdown import Limits
from curation.verify.inside.values import decode
from curation.verify.judgement import Judgement, verdict
from curation.verify.problems import Problem
from curation.verify.slots import Child, Exit, Slot, SlotError
from schemas.enums import Isolation, Status
from schemas.recipe.verify import Verify

__all__ = ["judge_stdio"]

_LINGER_S = 0.5
_CHECKER_LIMITS = Limits(10.0, 30.0, 512)
_STOPS: dict[str, set[Status]] = {
    "never": {Status.CE},
    "timeout": {Status.CE, Status.TLE, Status.ILE},
    "failure": set(Status) - {Status.AC, Status.XX},
}


def judge_stdio(slot: Slot, problem: Problem, program: str, settings: Verify, isolation: Isolation) -> Judgement:
    """Run the program once per test and compare what it printed."""
    limits = limits_of(problem, settings)
    cap = int(settings.output_mb * (1 << 20))
    statuses: list[Status] = []
    stops = _STOPS[settings.stop]
    detail, cpu, wall = "", 0.0, 0.0
    for number, case in enumerate(problem.tests):
        if statuses and statuses[-1] in stops:
            statuses.append(statuses[-1])
            continue
        end = _run(slot, program, case, limits, cap, problem)
        status, reason = _status(slot, end, case, limits, problem)
        statuses.append(status)
        cpu, wall = cpu + end.cpu_s, wall + end.wall_s
        detail = detail or (f"test {number}: {reason}" if reason else "")
    return verdict(statuses, isolation, detail, cpu, wall)


def _run(slot: Slot, program: str, case: dict[str, Any], limits: Limits, cap: int, problem: Problem) -> Exit:
    child = Child(
        "program",
        {"program": program},
        limits,
        {"channel": 1 << 16, "stdout": cap, "stderr": cap},
        stdin=case["input"].encode("utf-8", "surrogatepass"),
    )

    def enough(output: Mapping[str, bytearray]) -> bool:
        return _main_status(output["channel"]) == 0 and _right(slot, output["stdout"], case, problem, final=False)

    (end,) = slot.run([child], enough, _LINGER_S)
    return end


def _main_status(channel: bytes | bytearray) -> int | None:
    """Return the exit status that the main code left with, where a thread or exit handler keeps the process alive."""
    for body in split(channel):
        try:
            message = decode(body)
        except ProtocolError:
            return None
        if isinstance(message, dict) and isinstance(message.get("main"), int):
            return message["main"]
    return None


def _status(slot: Slot, end: Exit, case: dict[str, Any], limits: Limits, problem: Problem) -> tuple[Status, str]:
    if end.killed != "stopped" or end.overflow:
        bodies = split(end.output["channel"])
        if bodies and b'"load":"CE"' in bodies[0][:20]:
            return Status.CE, bodies[0][:250].decode(errors="replace")
        if end.overflow or end.killed or end.status != 0:
            status, reason = death(end, limits)
            last = _last_line(end.output["stderr"])
            if status is Status.RE and os.waitstatus_to_exitcode(end.status) == 1 and last.startswith("MemoryError"):
                return Status.MLE, last
            return status, f"{reason}: {last}" if last else reason
    if _right(slot, end.output["stdout"], case, problem, final=True):
        return Status.AC, ""
    return Status.WA, "another output than expected"


def _last_line(stderr: bytes) -> str:
    lines = stderr[-4096:].decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def _right(slot: Slot, output: bytes | bytearray, case: dict[str, Any], problem: Problem, *, final: bool) -> bool:
    spec = problem.spec
    mode = spec.get("compare", "lines")
    text = output.decode("utf-8", "replace")
    if mode == "checker":
        return final and _checked(slot, text, case, spec["checker"])
    options = {name: float(spec.get(name, 0.0)) for name in ("rel_tol", "abs_tol")}
    return same_text(mode, case["output"], text, **options)


def _checked(slot: Slot, text: str, case: dict[str, Any], checker: str) -> bool:
    """Ask the problem's checker, a program in a sandbox of its own, which prints 1 or 0."""
    question = json.dumps({"input": case["input"], "expected": case["output"], "output": text}).encode()
    child = Child("program", {"program": checker}, _CHECKER_LIMITS, {"channel": 1 << 16, "stdout": 1 << 16}, question)
    (end,) = slot.run([child])
    said = end.output["stdout"].split()
    if end.status != 0 or not said or said[-1] not in (b"0", b"1"):
        raise SlotError("the problem's checker failed")
    return said[-1] == b"1"
