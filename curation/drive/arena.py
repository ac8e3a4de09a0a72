"""Arena learning over recorded predictions: of five folds, keep what the model of the fold before gets wrong.

References
----------
Luo et al. 2024, arXiv 2407.10627, as DRIVE (arXiv 2511.06307) uses it to condense its supervised prompts.
"""

from __future__ import annotations

import polars as pl

from curation.draws import lot
from curation.measure.pass_rates import select
from schemas.recipe.curricula import FOLDS, Arena
from schemas.recipe.measures import Measure

__all__ = ["arena", "folds"]


def folds(problems: pl.LazyFrame, seed: int) -> pl.LazyFrame:
    """Split problems into five folds, 1 to 5, whose sizes differ by at most one; lots decide, not row order."""
    by_lot = problems.select("problem_id", lot=lot(seed, "problem_id", purpose="fold")).sort("lot", "problem_id")
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    return by_lot.select("problem_id", fold=place % FOLDS + 1)


def arena(problems: pl.LazyFrame, rates: pl.LazyFrame, settings: Arena) -> pl.LazyFrame:
    """Return what the arena keeps.

    Parameters
    ----------
    problems
        Anything with ``problem_id``.
    rates
        Rows of the ``pass_rate`` contract that hold the predictors' counts.

    Returns
    -------
    LazyFrame
        ``problem_id``, ``fold``, ``failed`` (null in fold 1 and where nothing was predicted) and ``kept``.
    """
    predicted = [
        select(rates, _by(settings, predictor)).select("problem_id", "n", "c", fold=pl.lit(fold, dtype=pl.Int64))
        for fold, predictor in enumerate(settings.predictors, start=2)
    ]
    limit = settings.fail_at_most
    failed = pl.col("c") * limit.denominator <= pl.col("n") * limit.numerator
    split = folds(problems, settings.seed).join(pl.concat(predicted), on=["problem_id", "fold"], how="left")
    first = pl.col("fold") == 1
    return split.select(
        "problem_id",
        "fold",
        failed=pl.when(pl.col("n") > 0).then(failed),
    ).with_columns(
        kept=pl.when(first)
        .then(pl.lit(settings.keep_first_fold))
        .otherwise(pl.col("failed").fill_null(value=settings.unpredicted == "keep")),
    )


def _by(settings: Arena, predictor: Measure) -> Measure:
    if settings.fail_by == "judge":
        return predictor.model_copy(update={"verifier_version": settings.judge_version})
    return predictor
