"""Functions to write, judged by assert statements: HumanEval, MBPP, LeetCodeDataset, and LeetCode as rllm packs it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from curation.sources.asserts import called_name, entry_prelude, refuse_contradictions, split_suite
from curation.sources.difficulty import label
from curation.sources.drafts import Draft, Reason, Reject
from curation.sources.fields import as_date, as_texts, listed, text
from curation.sources.layouts.leetcode_names import prelude_for
from schemas.enums import VerifierKind
from schemas.recipe.sources import Source

__all__ = ["humaneval", "leetcode", "mbpp", "rllm_leetcode"]

_CHECKED = re.compile(r"^check\((?P<candidate>.+)\)\s*$", re.MULTILINE)


def humaneval(row: Mapping[str, Any], source: Source) -> Draft:
    """Read HumanEval: the prompt is code that a completion continues (Chen et al. 2021, arXiv 2107.03374)."""
    prompt, entry_point = text(row, "prompt"), text(row, "entry_point")
    suite = f"{text(row, 'test').strip()}\n\ncheck({entry_point})\n"
    return Draft(
        prompt=prompt,
        verifier=_verifier(entry_point, entry_prelude(prompt, entry_point), entry_point),
        tests=_tests([suite], source),
        source_id=text(row, "task_id"),
        starter_code=prompt,
        reference_solutions=[prompt + text(row, "canonical_solution")],
        license="MIT",
        language="python",
    )


def mbpp(row: Mapping[str, Any], source: Source) -> Draft:
    """Read MBPP: a sentence and the asserts that its authors show with it (Austin et al. 2021, arXiv 2108.07732)."""
    shown = as_texts(listed(row.get("test_list"), "test_list"), "test_list")
    challenge = as_texts(row.get("challenge_test_list"), "challenge_test_list") if source.challenge_tests else []
    imports = "\n".join(as_texts(row.get("test_imports"), "test_imports"))
    code, setup = text(row, "code"), (row.get("test_setup_code") or imports).strip()
    task = text(row, "text" if "text" in row else "prompt").strip()
    entry_point = called_name([*shown, *challenge], code)
    if shown and entry_point is None:
        raise Reject(Reason.MISSING_FIELD, "the tests call no function that the solution defines")
    asserts = "\n".join(shown)
    return Draft(
        prompt=f"{task}\nYour code should pass these tests:\n\n{asserts}" if source.show_tests else task,
        verifier=_verifier(str(entry_point), "", str(entry_point)),
        tests=_tests([f"{setup}\n{test}".strip() for test in (*shown, *challenge)], source),
        source_id=str(row.get("task_id", "")),
        reference_solutions=[code],
        license="CC-BY-4.0",
        language="python",
    )


def leetcode(row: Mapping[str, Any], source: Source) -> Draft:
    """Read LeetCodeDataset, whose ``prompt`` is the code to run first (Xia et al. 2025, arXiv 2504.14655)."""
    candidate = text(row, "entry_point")
    suite = f"{text(row, 'test').strip()}\n\ncheck({candidate})\n"
    return Draft(
        prompt=row.get("query") or f"{text(row, 'problem_description')}\n\n{text(row, 'starter_code')}",
        verifier=_verifier(_method(candidate), text(row, "prompt"), candidate),
        tests=_tests([suite], source),
        source_id=str(row.get("task_id") or row.get("question_id") or ""),
        starter_code=None,
        reference_solutions=[text(row, "completion")] if row.get("completion") else [],
        license="Apache-2.0",
        date=as_date(row.get("estimated_date")),
        language="python",
        difficulty=label("difficulty", row.get("difficulty"), "words"),
        tags=as_texts(row.get("tags"), "tags"),
        meta={name: row[name] for name in ("question_id",) if row.get(name) is not None},
    )


def rllm_leetcode(row: Mapping[str, Any], source: Source) -> Draft:
    """Read a LeetCode problem of rllm's files: ``tests.functional`` is a suite that ends in its call."""
    suite = text(row["tests"], "functional")
    prompt, solutions = text(row, "problem"), as_texts(row.get("solutions"), "solutions")
    calls = _CHECKED.findall(suite)
    if not calls:
        raise Reject(Reason.NO_TESTS, "tests.functional does not call check(...)")
    return Draft(
        prompt=prompt,
        verifier=_verifier(_method(calls[-1]), prelude_for(prompt, suite, *solutions), calls[-1]),
        tests=_tests([suite], source),
        source_id="",
        reference_solutions=solutions,
        language="python",
    )


def _verifier(entry_point: str, prelude: str, candidate: str) -> dict[str, Any]:
    return {"kind": VerifierKind.ASSERTS, "entry_point": entry_point, "prelude": prelude, "candidate": candidate}


def _method(candidate: str) -> str:
    return candidate.rpartition(".")[2]


def _tests(suites: Sequence[str], source: Source) -> list[dict[str, Any]]:
    refuse_contradictions(suites)
    parts = [part for suite in suites for part in split_suite(suite)] if source.split_asserts else suites
    return [{"code": part} for part in parts]
