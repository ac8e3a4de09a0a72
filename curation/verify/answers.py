"""Judging short answers by equality of choices, numbers, text, JSON or mathematics."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from curation.verify.comparators import same_value
from curation.verify.finals import chosen, extract
from curation.verify.functions import death
from curation.verify.glyphs import as_latex
from curation.verify.inside.frames import ProtocolError, split
from curation.verify.inside.orders import Limits
from curation.verify.inside.values import decode, untagged
from curation.verify.judgement import Judgement, verdict
from curation.verify.plugins import graders
from curation.verify.problems import Problem
from curation.verify.slots import Child, Slot
from schemas.enums import Isolation, Status, VerifierKind
from schemas.recipe.verify import Verify

__all__ = ["judge_answers"]

_DOLLAR = re.compile(r"(?<!\\)\$")
_GAP = re.compile(r",?(?:\\[,!;: ]|\{,\})+")
"""Between groups of three digits."""
_PLAIN = re.compile(r"(?=[+-]?\.?\d)[+-]?(?:\d*|\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+)(?:\.\d*)?(?:[eE][+-]?\d{1,4})?")
_LONGEST = 4000
_GRADING_S = 3.0
"""CPU seconds that mathematics may take at least: a limit that suits short programs is none for it."""


def _number(text: str) -> Decimal | None:
    """Return the one number that a text is, as written by hand or in LaTeX."""
    plain = _GAP.sub(",", text).replace("\\$", "").replace("$", "").strip().rstrip(".")
    return Decimal(plain.replace(",", "").replace(" ", "")) if _PLAIN.fullmatch(plain) else None


def judge_answers(
    slot: Slot,
    problems: Sequence[Problem],
    answers: Sequence[str],
    settings: Verify,
    isolation: Isolation,
) -> list[Judgement]:
    """Hold answers against the right ones; what needs mathematics goes to the grader's sandbox in one batch."""
    statuses: list[list[Status | None]] = [
        [_DIRECT[problem.kind](problem.spec, case["answer"], answer) for case in problem.tests]
        if problem.kind in _DIRECT
        else [None] * len(problem.tests)
        for problem, answer in zip(problems, answers, strict=True)
    ]
    open_cases = [(i, j) for i, row in enumerate(statuses) for j, status in enumerate(row) if status is None]
    items = [_item(problems[i], problems[i].tests[j], answers[i]) for i, j in open_cases]
    cpu = [0.0] * len(problems)
    said = [""] * len(problems)
    for (i, j), (status, reason, seconds) in zip(open_cases, _grade(slot, items, settings), strict=True):
        statuses[i][j] = status
        said[i] = said[i] or reason
        cpu[i] += seconds
    return [
        verdict([s or Status.XX for s in row], isolation, said[i] or _detail(problems[i], answers[i], row), cpu[i])
        for i, row in enumerate(statuses)
    ]


def _item(problem: Problem, case: dict[str, Any], answer: str) -> dict[str, Any]:
    """Return what the grader's sandbox needs to judge one case."""
    if problem.kind != VerifierKind.MATH:
        return {"grader": graders()[problem.kind], "spec": problem.spec, "test": case, "answer": answer}
    return {"right": _delimited(as_latex(str(case["answer"]))), "given": _delimited(_given(problem, answer))}


def _given(problem: Problem, answer: str) -> str:
    return extract(problem.spec.get("format", "math"), answer) or ""


def _delimited(text: str) -> str:
    return text if _DOLLAR.search(text) or "\\boxed" in text else f"\\boxed{{{text}}}"


def _detail(problem: Problem, answer: str, row: Sequence[Status | None]) -> str:
    if all(status is Status.AC for status in row):
        return ""
    got = _given(problem, answer) if problem.kind == VerifierKind.MATH else answer.strip()
    return f"answered {got[:120]!r}"


def _math(spec: dict[str, Any], right: Any, answer: str) -> Status | None:
    """Decide what text and numbers decide; None where it takes mathematics."""
    style = spec.get("format", "math")
    given = extract(style, answer)
    if not given or len(given) > _LONGEST:
        return Status.WA
    wanted = as_latex(str(right)).strip()
    if style == "gsm8k":
        given, wanted = given.replace(",", ""), (extract(style, wanted) or wanted).replace(",", "")
    if given == wanted:
        return Status.AC
    numbers = _number(given), _number(wanted)
    if None not in numbers:
        return Status.AC if numbers[0] == numbers[1] else Status.WA
    return Status.WA if style == "gsm8k" else None


def _choice(_: dict[str, Any], right: Any, answer: str) -> Status:
    wanted = str(right).strip().strip("()").upper()
    return Status.AC if chosen(answer, digits=wanted.isdigit()) == wanted else Status.WA


def _exact(_: dict[str, Any], right: Any, answer: str) -> Status:
    return Status.AC if answer.strip() == str(right).strip() else Status.WA


def _json(_: dict[str, Any], right: Any, answer: str) -> Status:
    try:
        return Status.AC if same_value("json", right, decode(answer.strip(), untagged)) else Status.WA
    except ProtocolError:
        return Status.WA


_DIRECT: dict[str, Callable[[dict[str, Any], Any, str], Status | None]] = {
    VerifierKind.MATH: _math,
    VerifierKind.CHOICE: _choice,
    VerifierKind.EXACT: _exact,
    VerifierKind.JSON: _json,
}


def _grade(slot: Slot, items: list[dict[str, Any]], settings: Verify) -> Iterator[tuple[Status, str, float]]:
    """Run items through the grader's sandbox; one that exhausts it alone gets the status of that, the rest go on."""
    limit = max(_GRADING_S, settings.time_limit_s)
    limits = Limits(limit, max(settings.wall_factor * limit, limit + 2), settings.memory_mb)
    done = 0
    while done < len(items):
        (end,) = slot.run([Child("grader", {"items": items[done:]}, limits, {"channel": 1 << 20})])
        reports = [json.loads(body) for body in split(end.output["channel"])]
        share = end.cpu_s / max(1, len(reports))
        for report in reports:
            if "fault" in report:
                yield Status.XX, report["fault"], share
            else:
                yield Status.AC if report["same"] else Status.WA, "", share
        if not reports:
            yield (*death(end), end.cpu_s)
        done += max(1, len(reports))
