"""DRIVE's stage 2, hard focus: Pre-GRPO carries the lowest pass rates from one phase to the next.

Each phase is ranked by the checkpoint that starts it; problems that nobody solved stay unless a recipe says
otherwise, and ties go by id.
"""

from __future__ import annotations

import polars as pl

from schemas.recipe.curricula import DriveStage2

__all__ = ["STAGE", "focus", "phase_name", "pool_of", "retained"]

STAGE = "stage2"


def phase_name(phase: int) -> str:
    """Return the name of a phase, counted from 1."""
    return f"{STAGE}.{phase}"


def retained(available: int, phase: int, settings: DriveStage2) -> int:
    """Return how many problems phase ``phase`` (from 1) keeps of ``available``.

    Examples
    --------
    >>> [retained(175, 1, DriveStage2()), retained(72, 2, DriveStage2()), retained(35, 1, DriveStage2())]
    [72, 50, 15]
    """
    chain = (settings.pool_size, *settings.sizes)
    before, size = chain[phase - 1], chain[phase]
    absolute = settings.retention == "absolute" or (settings.retention == "auto" and available >= before)
    return min(available, size if absolute else -(-available * size // before))


def pool_of(known: pl.LazyFrame, settings: DriveStage2) -> pl.LazyFrame:
    """Return the problems that stage 2 may choose from: measured, and tested enough."""
    pool = known.filter((pl.col("n") > 0) & (pl.col("n_tests") >= settings.min_tests))
    if settings.sources:
        pool = pool.filter(pl.col("source").is_in(settings.sources))
    return pool if settings.unsolved == "keep" else pool.filter(pl.col("c") > 0)


def ranking(settings: DriveStage2) -> pl.Expr:
    """Return the key by which a phase is ranked, lowest first.

    A quotient of counts is rounded once, so equal rates are equal floats and ties are real ties.
    """
    part, whole = {"all_pass": ("c", "n"), "tests": ("tests_passed", "tests_total")}[settings.rank_by]
    return pl.col(part) / pl.col(whole)


def focus(pool: pl.LazyFrame, phase: int, settings: DriveStage2) -> pl.LazyFrame:
    """Keep the lowest pass rates of ``pool`` for a phase, lowest first.

    Returns
    -------
    LazyFrame
        The kept rows with ``phase``, ``dup_index`` and ``order_index``.
    """
    ranked = pool.sort(ranking(settings), "problem_id", nulls_last=True)
    available = ranked.select(pl.len()).collect(engine="streaming").item()
    return ranked.head(retained(available, phase, settings)).with_columns(
        phase=pl.lit(phase_name(phase)),
        dup_index=pl.lit(0, dtype=pl.Int32),
        order_index=pl.int_range(pl.len(), dtype=pl.Int64),
    )
