"""What a person should see of the rollouts: problems never solved, or not answered at all."""

from __future__ import annotations

import polars as pl

from schemas.enums import Status, Verdict

__all__ = ["remarks"]


def remarks(problems: pl.LazyFrame, rollouts: pl.LazyFrame) -> pl.LazyFrame:
    """Return flags by problem; never a drop.

    - ``unsolved``: some policy's answers were all wrong; measured is the most answers that such a policy gave.
    - ``no_answers``: no policy answered; a recorded table does not know the problem, or it has no reference.

    Parameters
    ----------
    problems, rollouts
        Tables of these contracts.
    """
    judged = rollouts.filter(pl.col("status") != Status.XX.value)
    counted = judged.group_by("problem_id", "policy", "policy_revision").agg(
        n=pl.len(),
        c=(pl.col("status") == Status.AC.value).sum(),
    )
    named = pl.concat_str("policy", pl.lit("@"), "policy_revision").sort()
    unsolved = (
        counted.filter(pl.col("c") == 0)
        .group_by("problem_id")
        .agg(measured=pl.col("n").max(), detail=pl.struct(policies=named.implode()).struct.json_encode().first())
    )
    unanswered = problems.join(rollouts, on="problem_id", how="anti").select(
        "problem_id",
        measured=pl.lit(0),
        detail=pl.lit(None, pl.String),
    )
    return pl.concat([_flagged(unsolved, "unsolved"), _flagged(unanswered, "no_answers")])


def _flagged(frame: pl.LazyFrame, reason: str) -> pl.LazyFrame:
    return frame.select(
        record_id="problem_id",
        verdict=pl.lit(Verdict.FLAG.value),
        reason=pl.lit(reason),
        measured=pl.col("measured").cast(pl.Float64),
        threshold=pl.lit(None, pl.Float64),
        witness=pl.lit(None, pl.String),
        detail="detail",
    )
