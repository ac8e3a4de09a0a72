"""Judging whole programs: text in on a real file, text out on a real pipe, one process per test."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from curation.verify.comparators import same_text
from curation.verify.functions import death, limits_of
from curation.verify.inside.frames import ProtocolError, split
from curation.verify.inside.orders import LINK, Limits
from curation.verify.inside.values import decode
from curation.verify.judgement import Judgement, verdict
from curation.verify.languages import language
from curation.verify.problems import Problem
from curation.verify.slots import Child, Exit, Slot, SlotError
from schemas.enums import Isolation, Status
from schemas.recipe.verify import Verify

__all__ = ["judge_stdio"]

_LINGER_S = 0.5
_COMPILER_MB, _EXECUTABLE_CAP = 2048, 64 << 20
_OUT_OF_MEMORY = ("MemoryError", "std::bad_alloc", "heap out of memory")
_CHECKER_LIMITS = Limits(10.0, 30.0, 512)
_STOPS: dict[str, set[Status]] = {
    "never": {Status.CE},
    "timeout": {Status.CE, Status.TLE, Status.ILE},
    "failure": set(Status) - {Status.AC, Status.XX},
}


def judge_stdio(slot: Slot, problem: Problem, program: str, settings: Verify, isolation: Isolation) -> Judgement:
    """Run the program once per test and compare what it printed."""
    trial = _Trial(slot, problem, settings)
    if refusal := trial.prepare(program):
        return verdict([refusal[0]] * len(problem.tests), isolation, refusal[1])
    statuses: list[Status] = []
    stops = _STOPS[settings.stop]
    detail, cpu, wall = "", 0.0, 0.0
    for number, case in enumerate(problem.tests):
        if statuses and statuses[-1] in stops:
            statuses.append(statuses[-1])
            continue
        end = trial.run(case)
        status, reason = trial.status(end, case)
        if number == 0 and status is Status.RE and (said := trial.malformed()):
            return verdict([Status.CE] * len(problem.tests), isolation, said, end.cpu_s, end.wall_s)
        statuses.append(status)
        cpu, wall = cpu + end.cpu_s, wall + end.wall_s
        detail = detail or (f"test {number}: {reason}" if reason else "")
    return verdict(statuses, isolation, detail, cpu, wall)


class _Trial:
    """One program on trial: how to run it, and how to read what it printed."""

    def __init__(self, slot: Slot, problem: Problem, settings: Verify) -> None:
        self.slot, self.problem, self.settings = slot, problem, settings
        self.limits, self.cap = limits_of(problem, settings), int(settings.output_mb * (1 << 20))
        self.role, self.payload, self.executable = "program", {}, None

    def prepare(self, program: str) -> tuple[Status, str] | None:
        """Compile what needs it; return the verdict on a program that cannot be run."""
        spoken = language(self.problem.spec.get("language", "python"))
        self.payload = {"program": program}
        if spoken.source_name is None:
            return None
        work = {"program": program, "source_name": spoken.source_name, "command": spoken.command()}
        work["dialects"] = spoken.dialects
        if spoken.interpreter:
            self.role, self.payload = "native", work
            return None
        said, executable = self._compile(work)
        self.role, self.payload, self.executable = "native", {"program": program, "executable": LINK}, executable
        return (Status.CE, said) if said else None

    def malformed(self) -> str:
        """Return what the language says of a program that failed: why it cannot be read, or nothing."""
        spoken = language(self.problem.spec.get("language", "python"))
        return self._compile({**self.payload, "command": spoken.check_command()})[0] if spoken.check else ""

    def _compile(self, work: dict[str, Any]) -> tuple[str, bytes]:
        """Run a compiler; return what it has against the program, and what it made of it."""
        limit = self.settings.compile_limit_s
        limits = Limits(limit, max(self.settings.wall_factor * limit, limit + 2), _COMPILER_MB)
        child = Child("compile", work, limits, {"channel": 1 << 16, "stdout": _EXECUTABLE_CAP, "stderr": 1 << 16})
        (end,) = self.slot.run([child])
        reports = split(end.output["channel"])
        if reports or end.status != 0 or end.overflow:
            said = json.loads(reports[0])["detail"] if reports else f"compiler: {death(end)[1]}"
            return said, b""
        return "", end.output["stdout"]

    def run(self, case: dict[str, Any]) -> Exit:
        """Run the program on one test."""
        captures = {"channel": 1 << 16, "stdout": self.cap, "stderr": self.cap}
        given = case["input"].encode("utf-8", "surrogatepass")
        child = Child(self.role, self.payload, self.limits, captures, given, self.executable)

        def enough(output: Mapping[str, bytearray]) -> bool:
            return _main_status(output["channel"]) == 0 and self._right(output["stdout"], case, final=False)

        (end,) = self.slot.run([child], enough, _LINGER_S)
        return end

    def status(self, end: Exit, case: dict[str, Any]) -> tuple[Status, str]:
        """Judge one test by how the program ended and what it printed."""
        if end.killed != "stopped" or end.overflow:
            bodies = split(end.output["channel"]) if self.role == "program" else []
            if bodies and b'"load":"CE"' in bodies[0][:20]:
                return Status.CE, bodies[0][:250].decode(errors="replace")
            if (end.overflow or end.killed or end.status != 0) and not self._excused(end):
                return self._death(end)
        if self._right(end.output["stdout"], case, final=True):
            return Status.AC, ""
        return self._death(end) if self._excused(end) else (Status.WA, "another output than expected")

    def _excused(self, end: Exit) -> bool:
        """Tell whether a program left by itself, with an exit status other than zero that alone is no failure."""
        left = not (end.killed or end.overflow) and os.waitstatus_to_exitcode(end.status) > 0
        return left and self.settings.exit_status == "any"

    def _death(self, end: Exit) -> tuple[Status, str]:
        status, reason = death(end)
        last = _last_line(end.output["stderr"])
        if status is Status.RE and any(word in last for word in _OUT_OF_MEMORY):
            return Status.MLE, last
        return status, f"{reason}: {last}" if last else reason

    def _right(self, output: bytes | bytearray, case: dict[str, Any], *, final: bool) -> bool:
        spec = self.problem.spec
        mode = spec.get("compare", "lines")
        text = output.decode("utf-8", "replace")
        if mode == "checker":
            return final and self._checked(text, case)
        options = {name: float(spec.get(name, 0.0)) for name in ("rel_tol", "abs_tol")}
        return same_text(mode, case["output"], text, **options)

    def _checked(self, text: str, case: dict[str, Any]) -> bool:
        """Ask the problem's checker; one that fails even on the expected output is a fault, not a verdict."""
        said = self._ask(text, case)
        if said is None and self._ask(case["output"], case) is None:
            raise SlotError("the problem's checker fails on the expected output")
        return bool(said)

    def _ask(self, text: str, case: dict[str, Any]) -> bool | None:
        """Run the checker in a sandbox of its own; it prints 1 or 0, and None stands for anything else."""
        question = json.dumps({"input": case["input"], "expected": case["output"], "output": text}).encode()
        captures = {"channel": 1 << 16, "stdout": 1 << 16}
        child = Child("program", {"program": self.problem.spec["checker"]}, _CHECKER_LIMITS, captures, question)
        (end,) = self.slot.run([child])
        said = end.output["stdout"].split()
        return {b"1": True, b"0": False}.get(said[-1]) if end.status == 0 and said else None


def _main_status(channel: bytes | bytearray) -> int | None:
    """Return the exit status that the main code left with, where a thread or exit handler keeps the process alive."""
    match split(channel):
        case [body]:  # a second word, and the program would be asked about more than one output
            with suppress(ProtocolError):
                message = decode(body)
                return message.get("main") if isinstance(message, dict) else None
    return None


def _last_line(stderr: bytes) -> str:
    lines = stderr[-4096:].decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
