"""A plain curriculum: everything that survived, in one order by pass rate or by lot, or a weighted draw of it."""

from __future__ import annotations

import polars as pl

from curation.draws import lot, weighted
from curation.measure.samplers import weight
from schemas.recipe.curricula import Plain

__all__ = ["PHASE", "ordered"]

PHASE = "all"


def ordered(known: pl.LazyFrame, settings: Plain) -> pl.LazyFrame:
    """Lay out a plain curriculum.

    Parameters
    ----------
    known
        One row per problem, with its counts.

    Returns
    -------
    LazyFrame
        ``known`` with ``phase``, ``dup_index`` and ``order_index``.
    """
    if settings.draw is not None:
        weighed = known.with_columns(weight=weight(settings.draw))
        known = weighted(weighed, "weight", settings.draw.size, settings.seed).drop("weight")
    rate = pl.col("c") / pl.when(pl.col("n") > 0).then(pl.col("n"))
    keys = {
        "easy_to_hard": [-rate, pl.col("problem_id")],
        "hard_to_easy": [rate, pl.col("problem_id")],
        "shuffled": [lot(settings.seed, "problem_id", purpose="order")],
    }[settings.order]
    return known.sort(keys, nulls_last=True).with_columns(
        phase=pl.lit(PHASE),
        dup_index=pl.lit(0, dtype=pl.Int32),
        order_index=pl.int_range(pl.len(), dtype=pl.Int64),
    )
