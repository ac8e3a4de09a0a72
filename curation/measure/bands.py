"""Where a pass rate lies in a band, decided on the counts as integers."""

from __future__ import annotations

import polars as pl

from schemas.recipe.measures import Band

__all__ = ["above", "band_label", "below", "slice_of"]


def below(band: Band) -> pl.Expr:
    """Return whether c / n lies under the band; null where nothing was judged."""
    difference = pl.col("c") * band.low.denominator - pl.col("n") * band.low.numerator
    under = difference < 0 if band.bounds in ("closed", "left") else difference <= 0
    return pl.when(pl.col("n") > 0).then(under)


def above(band: Band) -> pl.Expr:
    """Return whether c / n lies over the band; null where nothing was judged."""
    difference = pl.col("c") * band.high.denominator - pl.col("n") * band.high.numerator
    over = difference > 0 if band.bounds in ("closed", "right") else difference >= 0
    return pl.when(pl.col("n") > 0).then(over)


def band_label(medium: Band) -> pl.Expr:
    """Return ``hard``, ``medium`` or ``easy`` by pass rate; null where nothing was judged."""
    return (
        pl.when(below(medium))
        .then(pl.lit("hard"))
        .when(above(medium))
        .then(pl.lit("easy"))
        .when(pl.col("n") > 0)
        .then(pl.lit("medium"))
    )


def slice_of(band: Band, slices: int) -> pl.Expr:
    """Return which of ``slices`` equal parts of the band holds c / n, 0 for the lowest; edges go to the upper part."""
    low, width = band.low, band.high - band.low
    part = pl.col("c") * low.denominator - pl.col("n") * low.numerator
    scale = width.denominator * slices
    whole = pl.col("n") * (low.denominator * width.numerator)
    return (part * scale // pl.when(whole > 0).then(whole)).clip(0, slices - 1).fill_null(0)
