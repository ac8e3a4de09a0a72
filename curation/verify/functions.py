"""Judging functions: recorded calls compared here, and assert suites run by a tester against the candidate."""

from __future__ import annotations

import os
import secrets
import signal
from typing import Any

from curation.verify.comparators import same_value
from curation.verify.inside.frames import ProtocolError, split
from curation.verify.inside.lockdown import Limits
from curation.verify.inside.values import decode
from curation.verify.judgement import Judgement, verdict
from curation.verify.problems import Problem
from curation.verify.slots import Child, Exit, Slot
from schemas.enums import Isolation, Status
from schemas.recipe.verify import Verify

__all__ = ["death", "judge_asserts", "judge_calls", "limits_of"]

_KILLED = {"cpu": Status.TLE, "wall": Status.ILE, "memory": Status.MLE}


def limits_of(problem: Problem, settings: Verify) -> Limits:
    """Return the limits of one program: the problem's own where it has them."""
    cpu = float(problem.spec.get("time_limit") or settings.time_limit_s)
    wall = max(settings.wall_factor * cpu, cpu + 2)
    memory = int(problem.spec.get("memory_limit_mb") or settings.memory_mb)
    return Limits(cpu, wall, memory)


def death(end: Exit, limits: Limits) -> tuple[Status, str]:
    """Say how a process died that did not finish its work."""
    if end.overflow:
        return Status.OLE, f"wrote more than allowed to {', '.join(sorted(end.overflow))}"
    if end.killed in _KILLED:
        return _KILLED[end.killed], f"stopped after {end.cpu_s:.2f} s of CPU and {end.wall_s:.2f} s of time"
    code = os.waitstatus_to_exitcode(end.status)
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and end.cpu_s >= limits.cpu_s):
        return Status.TLE, f"stopped after {end.cpu_s:.2f} s of CPU"
    if end.rss_mb > limits.memory_mb:
        return Status.MLE, f"used {end.rss_mb:.0f} MiB"
    return Status.RE, f"ended by signal {-code}" if code < 0 else f"left with exit status {code}"


def judge_calls(slot: Slot, problem: Problem, program: str, settings: Verify, isolation: Isolation) -> Judgement:
    """Make the recorded calls in the sandbox, and compare what comes back here."""
    limits = limits_of(problem, settings)
    nonce = secrets.token_hex(8)
    spec = problem.spec
    payload = {
        "program": program,
        "prelude": spec.get("prelude", ""),
        "candidate": spec.get("candidate") or spec["entry_point"],
        "calls": [[case["args"], case.get("kwargs", {})] for case in problem.tests],
        "nonce": nonce,
    }
    cap = int(settings.output_mb * (1 << 20))
    (end,) = slot.run([Child("calls", payload, limits, {"channel": cap})])
    statuses, detail = _compare_calls(end, problem, nonce, limits)
    return verdict(statuses, isolation, detail, end.cpu_s, end.wall_s)


def _compare_calls(end: Exit, problem: Problem, nonce: str, limits: Limits) -> tuple[list[Status], str]:
    """Return a status per test from the frames the candidate wrote, which may hold anything."""
    frames, _ = split(end.output["channel"])
    spec = problem.spec
    options = {name: float(spec.get(name, 0.0)) for name in ("rel_tol", "abs_tol")}
    statuses: list[Status] = []
    detail = ""
    for index, case in enumerate(problem.tests):
        status, reason = _read_result(frames[index], nonce, index) if index < len(frames) else (None, "")
        if isinstance(status, _Value):
            same = same_value(spec.get("compare", "json"), case["expected"], status.value, **options)
            status = Status.AC if same else Status.WA
            reason = "" if same else f"test {index}: another value than expected"
        if status is None:
            break
        statuses.append(status)
        detail = detail or reason
        if reason.startswith("load:") or reason.startswith("protocol:"):
            break
    if len(statuses) < len(problem.tests):
        broken = statuses and detail.startswith(("load:", "protocol:"))
        status, reason = (statuses[-1], detail) if broken else death(end, limits)
        detail = detail or reason
        statuses += [status] * (len(problem.tests) - len(statuses))
    return statuses, detail


class _Value:
    def __init__(self, value: Any) -> None:
        self.value = value


def _read_result(body: bytes, nonce: str, index: int) -> tuple[Status | _Value, str]:
    try:
        message = decode(body)
    except ProtocolError as error:
        return Status.RE, f"protocol: {error}"
    if not isinstance(message, dict):
        return Status.RE, "protocol: not an object"
    if index == 0 and message.get("load") in ("CE", "RE", "MLE"):
        return Status(message["load"]), f"load: {str(message.get('detail'))[:250]}"
    if message.get("nonce") != nonce or message.get("t") != index or type(message.get("t")) is not int:
        return Status.RE, "protocol: not the result that was due"
    if "ok" in message:
        return _Value(message["ok"]), ""
    status = message.get("status")
    return Status(status) if status in ("RE", "MLE", "OLE") else Status.RE, str(message.get("detail"))[:250]


def judge_asserts(slot: Slot, problem: Problem, program: str, settings: Verify, isolation: Isolation) -> Judgement:
    """Run the assert suites in a tester process against the candidate in another."""
    limits = limits_of(problem, settings)
    spec = problem.spec
    prelude = spec.get("prelude", "")
    common = {"prelude": prelude}
    suite = {
        **common,
        "tests": [case["code"] for case in problem.tests],
        "entry_point": spec["entry_point"],
        "candidate": spec.get("candidate") or spec["entry_point"],
    }
    candidate = Child("serve", {**common, "program": program}, limits, {})
    cap = 1 << 20
    tester = Child("tester", suite, limits, {"channel": cap})
    ends = slot.run([candidate, tester])
    statuses, detail = _read_suite(ends[0], ends[1], len(problem.tests), limits)
    return verdict(statuses, isolation, detail, ends[0].cpu_s, max(end.wall_s for end in ends))


def _read_suite(candidate: Exit, tester: Exit, total: int, limits: Limits) -> tuple[list[Status], str]:
    """Return a status per test from the tester's reports; what it did not report is the candidate's end."""
    statuses: list[Status] = []
    detail = ""
    for body in split(tester.output["channel"])[0]:
        report = decode(body)
        if report["status"] == "gone":
            break
        if report["t"] == -1:
            return [Status(report["status"])] * total, report["detail"]
        statuses.append(Status(report["status"]))
        detail = detail or report["detail"]
    if len(statuses) < total:
        status, reason = death(candidate, limits)
        if candidate.killed in (None, "finished", "stopped") and tester.killed in _KILLED:
            status, reason = _KILLED[tester.killed], "the tests could not finish on the answers given"
        detail = detail or reason
        statuses += [status] * (total - len(statuses))
    return statuses, detail
