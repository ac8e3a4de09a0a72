"""Random draws that depend on seeds and ids alone: never on row order, batch size or process."""

from __future__ import annotations

import numpy as np
import polars as pl

from schemas.ids import digest

__all__ = ["lot", "stratified", "uniform", "weighted"]

_HEX_DIGITS = 13
_STEPS = 16.0**_HEX_DIGITS


def lot(seed: int, *columns: str, purpose: str = "") -> pl.Expr:
    """Return each row's lot: 32 hex digits from seed, purpose and the named columns; sort by it to shuffle."""

    def draw(rows: pl.Series) -> pl.Series:
        values = [digest([seed, purpose, *row.values()]) for row in rows]
        return pl.Series(values, dtype=pl.String)

    return pl.struct(*columns).map_batches(draw, return_dtype=pl.String, is_elementwise=True)


def uniform(seed: int, *columns: str, purpose: str = "") -> pl.Expr:
    """Return each row's number in (0, 1), uniform over seeds."""

    def draw(lots: pl.Series) -> pl.Series:
        numbers = np.fromiter((int(text[:_HEX_DIGITS], 16) for text in lots), dtype=np.float64, count=len(lots))
        return pl.Series((numbers + 0.5) / _STEPS)

    return lot(seed, *columns, purpose=purpose).map_batches(draw, return_dtype=pl.Float64, is_elementwise=True)


def stratified(frame: pl.LazyFrame, strata: list[str], size: int, seed: int) -> pl.LazyFrame:
    """Draw ``size`` rows as evenly over strata as their sizes allow.

    Strata are served in turn, each in an order drawn by lot; so any two strata that still have rows left give
    numbers that differ by at most one.

    Parameters
    ----------
    frame
        Rows with ``problem_id`` and the columns of ``strata``.

    Returns
    -------
    LazyFrame
        The drawn rows, with ``turn`` (0-based) in which each was drawn.
    """
    own = lot(seed, "problem_id", purpose="row")
    ranked = frame.with_columns(own=own).with_columns(
        turn=pl.struct("own", "problem_id").rank("ordinal").over(strata or pl.lit(0)) - 1,
        stratum=lot(seed, *strata, purpose="stratum") if strata else pl.lit(""),
    )
    drawn = ranked.sort("turn", "stratum", "own", "problem_id").head(size)
    return drawn.drop("own", "stratum")


def weighted(frame: pl.LazyFrame, weight: str, size: int, seed: int) -> pl.LazyFrame:
    """Draw ``size`` rows without replacement, each next one with a chance proportional to its weight.

    The rows with the largest u^(1/w), compared as log(u)/w; weights of 0 are never drawn.

    References
    ----------
    Efraimidis and Spirakis 2006, Information Processing Letters 97, algorithm A-Res.
    """
    luck = uniform(seed, "problem_id", purpose="weighted").log() / pl.col(weight)
    return (
        frame.filter(pl.col(weight) > 0)
        .with_columns(luck=luck)
        .sort("luck", "problem_id", descending=[True, False])
        .head(size)
        .drop("luck")
    )
