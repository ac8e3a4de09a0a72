"""Final answers read from responses, and problems whose answers agree with each other but not with the key."""

from __future__ import annotations

import polars as pl

from curation.columns import verifier_kind
from schemas.enums import VerifierKind

__all__ = ["final_answer", "majorities"]

_READABLE = (VerifierKind.MATH.value, VerifierKind.EXACT.value, VerifierKind.CHOICE.value)
_BRACES = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_PATTERNS = (
    rf"(?s).*\\boxed\s*{_BRACES}",
    r"(?s).*####[ \t]*([^\n]+)",
    r"(?s).*(?:^|\n)A:[ \t]*([^\n]+)",
    r"(?is).*\b(?:final )?answer(?: is)?\s*[:=]?\s*([^\n]+?)\s*(?:\.\s|\.?$|\n)",
)


def final_answer(response: pl.Expr) -> pl.Expr:
    r"""Return the last answer that a response states: ``\boxed{...}``, ``#### ...``, ``A: ...`` or ``answer is ...``.

    White space, dollar signs, thousands separators, a trailing full stop and letter case do not count, so that
    equal answers become equal text. Null where no answer is stated.
    """
    stated = pl.coalesce(response.str.extract(pattern) for pattern in _PATTERNS)
    bare = stated.str.replace_all(r"\\[,;! ]|\\left|\\right|[\s$]", "").str.replace_all(r"(\d),(\d{3})\b", "$1$2")
    bare = (
        bare.str.replace(r"\.+$", "")
        .str.replace(r"^(-?\d+)\.0+$", "$1")
        .str.replace(r"^\(([A-Za-z])\)$", "$1")
        .str.to_lowercase()
    )
    return pl.when(bare != "").then(bare)


def majorities(problems: pl.LazyFrame, rollouts: pl.LazyFrame) -> pl.LazyFrame:
    """Find each problem's largest group of equal answers.

    Only problems whose answer can be read from text (math, exact, choice) are looked at; a group counts as
    refused if the verifier refused every member.

    Returns
    -------
    LazyFrame
        ``problem_id``, ``majority`` (the answer), ``votes``, ``answers`` (read in all) and ``refused``; equal
        groups go by the answer's text.
    """
    readable = problems.filter(verifier_kind().is_in(_READABLE)).select("problem_id")
    judged = rollouts.filter(pl.col("all_passed").is_not_null()).join(readable, on="problem_id", how="semi")
    read = judged.select("problem_id", "all_passed", majority=final_answer(pl.col("response")))
    groups = (
        read.filter(pl.col("majority").is_not_null())
        .group_by("problem_id", "majority")
        .agg(votes=pl.len().cast(pl.Int64), refused=~pl.col("all_passed").any())
    )
    totals = groups.group_by("problem_id").agg(answers=pl.col("votes").sum())
    largest = groups.sort("problem_id", "votes", "majority", descending=[False, True, False])
    return largest.unique(subset="problem_id", keep="first", maintain_order=True).join(totals, on="problem_id")
