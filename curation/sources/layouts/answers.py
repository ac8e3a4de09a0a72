"""Answers to give: GSM8K, MATH, and mathematics as rllm packs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.sources.difficulty import label
from curation.sources.drafts import Draft, Reason, Reject
from curation.sources.fields import need, text
from curation.verify.finals import boxed
from schemas.enums import VerifierKind
from schemas.recipe.sources import Source

__all__ = ["gsm8k", "math", "rllm_math"]


def gsm8k(row: Mapping[str, Any], source: Source) -> Draft:  # noqa: ARG001 - all layouts are called alike
    """Read GSM8K: the answer follows ``####`` (Cobbe et al. 2021, arXiv 2110.14168)."""
    solution = text(row, "answer")
    _, mark, final = solution.rpartition("####")
    answer = final.strip().replace(",", "")
    if not (mark and answer):
        raise Reject(Reason.NO_FINAL_ANSWER, "the answer has nothing after ####")
    return _draft(need(row, "question"), answer, "gsm8k", reference=solution, license="MIT")


def math(row: Mapping[str, Any], source: Source) -> Draft:
    r"""Read MATH: the answer is boxed in the solution (Hendrycks et al. 2021, arXiv 2103.03874)."""
    if "answer" in row and "level" not in row:
        return rllm_math(row, source)
    solution = text(row, "solution")
    answer = row.get("answer") or boxed(solution)
    if not answer:
        raise Reject(Reason.NO_FINAL_ANSWER, "the solution boxes no answer")
    draft = _draft(need(row, "problem"), answer, "math", reference=solution, license="MIT")
    draft.difficulty = label("level", row.get("level"), "level_5")
    draft.tags = [kind] if isinstance(kind := row.get("type", row.get("subject")), str) else []
    draft.source_id = str(row.get("unique_id", ""))
    return draft


def rllm_math(row: Mapping[str, Any], source: Source) -> Draft:
    """Read rllm's mathematics: levels 1 to 5 for MATH, the mean of votes from 1 to 10 (-1 unknown) for AIME."""
    answer = need(row, "answer")
    contest = "aime_number" in row
    scale = source.difficulty_scale or ("votes_10" if contest or "year" in row else "level_5")
    draft = _draft(need(row, "problem"), answer, "aime" if contest else "math")
    draft.difficulty = label("difficulty", row.get("difficulty"), scale)
    draft.tags = [row["type"]] if isinstance(row.get("type"), str) else []
    draft.source_id = str(row.get("unique_id") or "")
    draft.meta = {name: row[name] for name in ("year", "aime_number", "problem_number") if row.get(name) is not None}
    if contest:
        draft.source_id = "-".join(str(row.get(name)) for name in ("year", "aime_number", "problem_number"))
    if isinstance(row.get("solution"), str):
        draft.meta = {**draft.meta, "solution": row["solution"]}
    return draft


def _draft(
    prompt: Any,
    answer: Any,
    form: str,
    reference: str | None = None,
    license: str = "LicenseRef-unknown",  # noqa: A002 - the column's name
) -> Draft:
    if answer is None or not str(answer).strip():
        raise Reject(Reason.NULL_EXPECTED, "the expected answer is null or blank")
    written = str(answer).strip()
    return Draft(
        prompt=prompt,
        verifier={"kind": VerifierKind.MATH, "format": form},
        tests=[{"answer": written}],
        source_id="",
        reference_solutions=[reference if reference is not None else f"\\boxed{{{written}}}"],
        license=license,
        ability="math",
    )
