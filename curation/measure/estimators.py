"""Estimators over counts: pass@k, intervals, and how likely a group of answers is to teach anything.

Every function takes numbers or arrays; `over` turns one into a polars expression.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from schemas.errors import UsageError
from schemas.recipe.measures import Interval

__all__ = [
    "interval",
    "interval_columns",
    "jeffreys",
    "keep_probability",
    "over",
    "pass_at_k",
    "wilson",
    "with_estimates",
]

Floats = NDArray[np.float64]
_PASS_AT = (1, 8, 64)


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int) -> Floats:
    """Return the unbiased estimate of the chance that one of ``k`` answers passes.

    The product form of 1 - C(n - c, k) / C(n, k): every factor lies in [0, 1], so nothing over- or underflows.

    Parameters
    ----------
    n, c
        Answers judged and answers right.
    k
        Answers drawn, at least 1.

    Returns
    -------
    ndarray
        NaN where fewer than ``k`` answers were judged.

    References
    ----------
    Chen et al. 2021, arXiv 2107.03374, equation 1.

    Examples
    --------
    >>> float(pass_at_k(16, 1, 8))
    0.5
    """
    if k < 1:
        raise UsageError(f"received k={k!r}; pass@k needs a k of at least 1.")
    n, c = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    missed = np.ones(np.broadcast_shapes(n.shape, c.shape))
    for drawn in range(k):
        missed = missed * np.clip((n - c - drawn) / np.maximum(n - drawn, 1), 0, 1)
    return np.where(n >= k, 1 - missed, np.nan)


def wilson(n: ArrayLike, c: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return Wilson's score interval of the pass rate; [0, 1] where nothing was judged.

    References
    ----------
    Wilson 1927, J. Am. Stat. Assoc. 22.

    Examples
    --------
    >>> [round(float(bound), 4) for bound in wilson(8, 5)]
    [0.3057, 0.8632]
    """
    n, c = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    square = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    centre = c + square / 2
    reach = np.sqrt(square * (c * (n - c) / np.maximum(n, 1) + square / 4))
    low = np.where(c == 0, 0.0, (centre - reach) / (n + square))
    high = np.where(c == n, 1.0, (centre + reach) / (n + square))
    return low, high


def jeffreys(n: ArrayLike, c: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the equal-tailed interval under Jeffreys' prior Beta(1/2, 1/2), closed at 0 and 1 by convention.

    References
    ----------
    Brown, Cai and DasGupta 2001, Statistical Science 16, section 3.1.2.
    """
    from scipy.special import betaincinv

    n, c = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    tail = (1 - confidence) / 2
    low = np.where(c == 0, 0.0, betaincinv(c + 0.5, n - c + 0.5, tail))
    high = np.where(c == n, 1.0, betaincinv(c + 0.5, n - c + 0.5, 1 - tail))
    return low, high


def interval(kind: Interval, confidence: float = 0.95) -> Callable[[ArrayLike, ArrayLike], tuple[Floats, Floats]]:
    """Return the interval called ``kind`` as a function of ``n`` and ``c``."""
    return partial({"wilson": wilson, "jeffreys": jeffreys}[kind], confidence=confidence)


def keep_probability(n: ArrayLike, c: ArrayLike, group: int) -> Floats:
    """Return the chance that ``group`` answers are neither all right nor all wrong: 1 - p^G - (1 - p)^G at p = c / n.

    What dynamic sampling keeps; its complement is the share of groups without any gradient.

    References
    ----------
    DAPO, arXiv 2503.14476, section 3.2.

    Examples
    --------
    >>> round(1 - float(keep_probability(50, 1, 64)), 4)
    0.2745
    """
    n, c = np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64)
    p = c / np.where(n > 0, n, np.nan)
    return 1 - p**group - (1 - p) ** group


def over(function: Callable[..., Floats], *columns: str) -> pl.Expr:
    """Return ``function`` of the named columns as an expression; NaN becomes null."""

    def apply(rows: pl.Series) -> pl.Series:
        values = function(*(rows.struct.field(column).to_numpy() for column in columns))
        return pl.Series(values, dtype=pl.Float64, nan_to_null=True)

    return pl.struct(*columns).map_batches(apply, return_dtype=pl.Float64, is_elementwise=True)


def _bound(bounds: Callable[..., tuple[Floats, Floats]], side: int) -> Callable[..., Floats]:
    return lambda n, c: bounds(n, c)[side]


def interval_columns(kind: Interval, confidence: float = 0.95, prefix: str = "") -> list[pl.Expr]:
    """Return the bounds of an interval over columns ``n`` and ``c``, as ``<prefix>low`` and ``<prefix>high``."""
    bounds = interval(kind, confidence)
    return [over(_bound(bounds, side), "n", "c").alias(prefix + name) for side, name in enumerate(("low", "high"))]


def with_estimates(
    counts: pl.LazyFrame,
    *,
    pass_at: tuple[int, ...] = _PASS_AT,
    group: int = 8,
    confidence: float = 0.95,
) -> pl.LazyFrame:
    """Return counts with what follows from them.

    Adds ``pass_rate``, ``wilson_low``, ``wilson_high``, ``jeffreys_low``, ``jeffreys_high``, ``pass_at_<k>``,
    ``test_rate`` (mean share of tests passed), ``truncation_rate``, ``mean_chars_correct`` and
    ``keep_probability``; null where too little was judged.

    Parameters
    ----------
    counts
        Rows of the ``pass_rate`` contract.
    group
        Answers per prompt for ``keep_probability``.
    """
    some = {name: pl.when(pl.col(name) > 0).then(pl.col(name)) for name in ("n", "c", "tests_total")}
    return counts.with_columns(
        *interval_columns("wilson", confidence, "wilson_"),
        *interval_columns("jeffreys", confidence, "jeffreys_"),
        *(over(partial(pass_at_k, k=k), "n", "c").alias(f"pass_at_{k}") for k in pass_at),
        over(partial(keep_probability, group=group), "n", "c").alias("keep_probability"),
        pass_rate=pl.col("c") / some["n"],
        test_rate=pl.col("tests_passed") / some["tests_total"],
        truncation_rate=pl.col("truncated") / some["n"],
        mean_chars_correct=pl.col("chars_correct") / some["c"],
    )
