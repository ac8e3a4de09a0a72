"""Judging functions: recorded calls compared here, and assert suites run by a tester against the candidate."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from curation.verify.comparators import same_value
from curation.verify.inside.frames import Frames, ProtocolError, split
from curation.verify.inside.orders import Limits
from curation.verify.inside.values import decode
from curation.verify.judgement import Judgement, verdict
from curation.verify.problems import InvalidProblemError, Problem
from curation.verify.slots import Child, Exit, Slot, SlotError
from curation.verify.suites import LiteralCall, translate
from schemas.enums import Isolation, Status
from schemas.recipe.verify import Verify

__all__ = ["KILLED", "death", "judge_asserts", "judge_calls", "limits_of"]

KILLED = "ended by signal 9, which the sandbox has not sent"
_SAID = ("CE", "RE", "MLE", "OLE")
_KILLED = {"cpu": Status.TLE, "wall": Status.ILE, "memory": Status.MLE}


def limits_of(problem: Problem, settings: Verify) -> Limits:
    """Return the limits of one program: the problem's own where it has them."""
    cpu = float(problem.spec.get("time_limit") or settings.time_limit_s)
    wall = max(settings.wall_factor * cpu, cpu + 2)
    memory = int(problem.spec.get("memory_limit_mb") or settings.memory_mb)
    return Limits(cpu, wall, memory)


def death(end: Exit) -> tuple[Status, str]:
    """Say how a process died that did not finish its work.

    Raises
    ------
    SlotError
        If it ran out of time while it waited for the judge to read what it wrote.
    """
    if end.overflow:
        return Status.OLE, f"wrote more than allowed to {', '.join(sorted(end.overflow))}"
    if end.killed == "wall" and end.backed_up:
        raise SlotError("the judge did not keep up with the output")
    if end.killed in _KILLED:
        return _KILLED[end.killed], f"stopped after {end.cpu_s:.2f} s of CPU and {end.wall_s:.2f} s of time"
    code = os.waitstatus_to_exitcode(end.status)
    if code == -signal.SIGKILL and end.killed is None:
        return Status.RE, KILLED
    return Status.RE, f"ended by signal {-code}" if code < 0 else f"left with exit status {code}"


@dataclass
class _Call:
    """A call to make, and whether its result will do."""

    args: Any
    kwargs: Any
    holds: Callable[[Any], bool]


def judge_calls(slot: Slot, problem: Problem, program: str, settings: Verify, isolation: Isolation) -> Judgement:
    """Make the recorded calls in the sandbox, and compare what comes back here."""
    spec = problem.spec
    mode = spec.get("compare", "json")
    options = {name: float(spec.get(name, 0.0)) for name in ("rel_tol", "abs_tol")}
    calls = [
        _Call(c["args"], c.get("kwargs", {}), partial(same_value, mode, c["expected"], **options))
        for c in problem.tests
    ]
    caller = _Caller(slot, problem, program, settings)
    target = spec.get("candidate") or spec["entry_point"]
    if settings.state == "program":
        results = caller.make(target, calls)
        return verdict(results.finished(), isolation, results.detail, results.end.cpu_s, results.end.wall_s)
    each = [caller.make(target, [call]) for call in calls]
    statuses = [status for results in each for status in results.finished()]
    detail = next((results.detail for results in each if results.detail), "")
    return verdict(statuses, isolation, detail, sum(r.end.cpu_s for r in each), sum(r.end.wall_s for r in each))


@dataclass
class _Caller:
    """A program, and where to call it."""

    slot: Slot
    problem: Problem
    program: str
    settings: Verify

    def make(self, target: str, calls: Sequence[_Call], *, all_or_none: bool = False) -> _Results:
        """Call ``target`` in one process; with ``all_or_none``, only until the first result that will not do."""
        limits = limits_of(self.problem, self.settings)
        results = _Results(calls, stop_early=all_or_none or self.settings.stop == "failure")
        payload = {
            "program": self.program,
            "prelude": self.problem.spec.get("prelude", ""),
            "candidate": target,
            "calls": [[call.args, call.kwargs] for call in calls],
            "nonce": results.nonce,
        }
        cap = int(self.settings.output_mb * (1 << 20))
        (results.end,) = self.slot.run([Child("calls", payload, limits, {"channel": cap})], results.read)
        results.read(results.end.output)
        return results


class _Results:
    """What a candidate writes about its calls, read strictly, for it may be anything."""

    end: Exit

    def __init__(self, calls: Sequence[_Call], *, stop_early: bool) -> None:
        self.calls, self.stop_early = calls, stop_early
        self.nonce = secrets.token_hex(8)
        self.statuses: list[Status] = []
        self.detail = ""
        self.broken = False
        self._frames = Frames()

    def read(self, output: Mapping[str, bytes | bytearray]) -> bool:
        """Judge the results that have arrived; tell whether the rest does not matter."""
        for body in self._frames.read(output["channel"]):
            if self.broken or len(self.statuses) == len(self.calls):
                break
            index = len(self.statuses)
            status, reason = self._judge(body, index)
            self.statuses.append(status)
            self.detail = self.detail or reason
        failed = any(status is not Status.AC for status in self.statuses)
        return self.broken or len(self.statuses) == len(self.calls) or (self.stop_early and failed)

    def _judge(self, body: bytes, index: int) -> tuple[Status, str]:
        try:
            message = decode(body)
        except ProtocolError as error:
            self.broken = True
            return Status.RE, f"the program wrote to the channel: {error}"
        if not isinstance(message, dict) or message.get("nonce") != self.nonce or message.get("t") not in (index, -1):
            self.broken = True
            return Status.RE, "the program wrote to the channel: not the result that was due"
        if "ok" in message:
            return self._compare(message["ok"], index)
        self.broken = message["t"] == -1
        status = message.get("status")
        detail = message.get("detail")
        return Status(status) if status in _SAID else Status.RE, detail if isinstance(detail, str) else ""

    def _compare(self, value: Any, index: int) -> tuple[Status, str]:
        try:
            holds = bool(self.calls[index].holds(value))
        except Exception as error:  # noqa: BLE001 - whatever comparing unfit types raises, the answer does not hold
            return Status.WA, f"call {index}: the result cannot be compared: {type(error).__name__}"
        return (Status.AC, "") if holds else (Status.WA, f"call {index}: another value than expected")

    def finished(self) -> list[Status]:
        """Return a status per call; those without a result get the way the process ended."""
        missing = len(self.calls) - len(self.statuses)
        if missing:
            status, reason = (self.statuses[-1], "") if self.broken or self._stopped() else death(self.end)
            self.detail = self.detail or reason
            return self.statuses + [status] * missing
        return _within(self.statuses, self.end)

    def _stopped(self) -> bool:
        return self.end.killed == "stopped" and not self.end.overflow and bool(self.statuses)


def _within(statuses: list[Status], end: Exit) -> list[Status]:
    """Return the statuses of answers; the last is none in time if it came before anybody saw a limit exceeded."""
    exceeded = statuses[-1] is Status.AC and end.killed in _KILLED
    return [*statuses[:-1], _KILLED[end.killed]] if exceeded else statuses


def judge_asserts(slot: Slot, problem: Problem, program: str, settings: Verify, isolation: Isolation) -> Judgement:
    """Run the assert suites in a tester process against the candidate in another."""
    spec = problem.spec
    codes = tuple(case["code"] for case in problem.tests)
    literal = translate(codes, spec["entry_point"], spec.get("candidate") or spec["entry_point"])
    if literal is not None and len({call.callee for call in literal}) == 1:
        return _judge_literal(_Caller(slot, problem, program, settings), literal, isolation)
    limits = limits_of(problem, settings)
    prelude = spec.get("prelude", "")
    common = {"prelude": prelude}
    suite = {
        **common,
        "tests": list(codes),
        "entry_point": spec["entry_point"],
        "candidate": spec.get("candidate") or spec["entry_point"],
    }
    payload = {**common, "program": program, "nonce": "", "candidate": suite["candidate"]}
    candidate = Child("serve", payload, limits, {})
    cap = 1 << 20
    tester = Child("tester", suite, limits, {"channel": cap})
    ends = slot.run([candidate, tester])
    statuses, detail = _read_suite(ends[0], ends[1], len(problem.tests))
    return verdict(statuses, isolation, detail, ends[0].cpu_s, max(end.wall_s for end in ends))


def _judge_literal(caller: _Caller, literal: list[LiteralCall], isolation: Isolation) -> Judgement:
    """Make the calls that the asserts are; a suite that is one test passes or fails as one."""
    calls = [_Call(call.args, call.kwargs, call.holds) for call in literal]
    whole = len(caller.problem.tests) == 1
    results = caller.make(literal[0].callee, calls, all_or_none=whole)
    statuses = results.finished()
    if whole:
        statuses = [next((status for status in statuses if status is not Status.AC), Status.AC)]
    return verdict(statuses, isolation, results.detail, results.end.cpu_s, results.end.wall_s)


def _report(body: bytes) -> tuple[int, str, str]:
    """Read what a tester says of one test; a suite may write anything to the channel, and then is no suite."""
    try:
        report = decode(body)
    except ProtocolError:
        report = None
    match report:
        case {"t": int(number), "status": str(status), "detail": str(detail)} if status in (*Status, "gone"):
            return number, status, detail
    raise InvalidProblemError("the tests wrote to the channel")


def _read_suite(candidate: Exit, tester: Exit, total: int) -> tuple[list[Status], str]:
    """Return a status per test from the tester's reports; what it did not report is the candidate's end."""
    statuses: list[Status] = []
    detail = ""
    for body in split(tester.output["channel"]):
        number, said, reason = _report(body)
        if said == "gone":
            break
        if number == -1:
            return [Status(said)] * total, reason
        if number != len(statuses) or number >= total:
            raise InvalidProblemError("the tests wrote to the channel")
        statuses.append(Status(said))
        detail = detail or reason
    if len(statuses) < total:
        status, reason = death(candidate)
        if candidate.killed in (None, "finished", "stopped") and tester.killed in _KILLED:
            status, reason = _KILLED[tester.killed], "the tests could not finish on the answers given"
        detail = detail or reason
        statuses += [status] * (total - len(statuses))
    return _within(statuses, candidate), detail
