"""DRIVE's stage 1, entropy expansion: a uniform draw of medium prompts over difficulty, source and tag."""

from __future__ import annotations

import polars as pl

from curation.draws import stratified
from curation.measure.bands import slice_of
from schemas.recipe.curricula import DriveStage1
from schemas.recipe.measures import Band

__all__ = ["PHASE", "expansion"]

PHASE = "stage1"


def expansion(known: pl.LazyFrame, medium: Band, settings: DriveStage1) -> pl.LazyFrame:
    """Draw stage 1; the order is that of the draw, so that every stretch of it is as mixed as the whole.

    Parameters
    ----------
    known
        One row per problem, with ``source``, ``tags``, counts and ``band``.
    medium
        The band drawn from, cut into equal slices as strata.

    Returns
    -------
    LazyFrame
        The drawn rows of ``known`` with ``phase``, ``dup_index`` and ``order_index``.
    """
    pool = known.filter(pl.col("band") == "medium")
    if settings.sources:
        pool = pool.filter(pl.col("source").is_in(settings.sources))
    slices = slice_of(medium, settings.difficulty_bins).cast(pl.Int64)
    cut = pool.with_columns(slice=slices, tag=pl.col("tags").list.first().fill_null(""))
    strata = ["slice", *(["source"] if settings.by_source else []), *(["tag"] if settings.by_tag else [])]
    drawn = stratified(cut, strata, settings.size, settings.seed).drop("turn", "slice", "tag")
    return drawn.with_columns(
        phase=pl.lit(PHASE),
        dup_index=pl.lit(0, dtype=pl.Int32),
        order_index=pl.int_range(pl.len(), dtype=pl.Int64),
    )
