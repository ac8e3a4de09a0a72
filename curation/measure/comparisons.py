"""Pass rates held against each other: one checkpoint against the next, a strong policy against a weak one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import polars as pl

from curation.measure.estimators import interval_columns
from curation.measure.pass_rates import matching
from schemas.recipe.measures import Interval, Measure

__all__ = ["compare", "inversions", "trend"]

_ALIKE = ("problem_id", "sampler", "verifier_version")


def compare(
    rates: pl.LazyFrame,
    a: Measure,
    b: Measure,
    *,
    kind: Interval = "wilson",
    confidence: float = 0.95,
) -> pl.LazyFrame:
    """Compare two checkpoints problem by problem, where sampler and verifier version are the same.

    Parameters
    ----------
    rates
        Rows of the ``pass_rate`` contract.
    a, b
        The earlier and the later measurement.

    Returns
    -------
    LazyFrame
        ``problem_id``, ``sampler``, ``verifier_version``, counts ``n_a, c_a, n_b, c_b``, ``delta`` (b minus a) with
        bounds ``delta_low`` and ``delta_high``, and ``change``: up or down where the bounds exclude 0, else same.
        Problems measured by both only.

    References
    ----------
    Newcombe 1998, Statistics in Medicine 17, method 10: bounds of a difference from the bounds of both rates.
    """
    sides = [
        rates.filter(matching(one) & (pl.col("n") > 0))
        .group_by(_ALIKE)
        .agg(pl.col("n", "c").sum())
        .with_columns(interval_columns(kind, confidence))
        for one in (a, b)
    ]
    both = sides[0].join(sides[1], on=_ALIKE, suffix="_b")
    rate_a, rate_b = pl.col("c") / pl.col("n"), pl.col("c_b") / pl.col("n_b")
    shortfall = ((rate_b - pl.col("low_b")) ** 2 + (pl.col("high") - rate_a) ** 2).sqrt()
    surplus = ((rate_a - pl.col("low")) ** 2 + (pl.col("high_b") - rate_b) ** 2).sqrt()
    delta = rate_b - rate_a
    table = both.select(
        *_ALIKE,
        *(pl.col(side).alias(name) for side, name in (("n", "n_a"), ("c", "c_a"), ("n_b", "n_b"), ("c_b", "c_b"))),
        delta=delta,
        delta_low=delta - shortfall,
        delta_high=delta + surplus,
    )
    up, down = pl.col("delta_low") > 0, pl.col("delta_high") < 0
    return table.with_columns(
        change=pl.when(up).then(pl.lit("up")).when(down).then(pl.lit("down")).otherwise(pl.lit("same")),
    ).sort(_ALIKE)


def inversions(
    rates: pl.LazyFrame,
    weakest_first: Sequence[Measure] = (),
    *,
    kind: Interval = "wilson",
    confidence: float = 0.95,
) -> pl.LazyFrame:
    """Find problems on which a stronger policy does significantly worse than a weaker one.

    Parameters
    ----------
    weakest_first
        Policies from weak to strong. If empty, every pair of policies is ordered by its pass rate over the
        problems that both answered under like conditions; equal pairs are passed over.

    Returns
    -------
    LazyFrame
        One row per problem, that of the largest fall: ``problem_id``, ``stronger``, ``weaker``, ``delta``
        (stronger minus weaker) and ``delta_high``, the bound that lies below 0.
    """
    pairs = list(combinations(weakest_first, 2)) or [
        _ordered(rates, *pair) for pair in combinations(_policies(rates), 2)
    ]
    found = [_falls(rates, *pair, kind, confidence) for pair in pairs]
    if not found:
        shape = {"problem_id": pl.String, "stronger": pl.String, "weaker": pl.String}
        return pl.LazyFrame(schema={**shape, "delta": pl.Float64, "delta_high": pl.Float64})
    worst = pl.concat(found).sort("problem_id", "delta", "stronger", "weaker")
    return worst.unique(subset="problem_id", keep="first", maintain_order=True)


def _policies(rates: pl.LazyFrame) -> list[Measure]:
    names = rates.select("policy", "policy_revision").unique().sort("policy", "policy_revision").collect()
    return [Measure(**row) for row in names.iter_rows(named=True)]


def _falls(rates: pl.LazyFrame, weak: Measure, strong: Measure, kind: Interval, confidence: float) -> pl.LazyFrame:
    worse = compare(rates, weak, strong, kind=kind, confidence=confidence).filter(change="down")
    return worse.select(
        "problem_id",
        pl.lit(_shown(strong)).alias("stronger"),
        pl.lit(_shown(weak)).alias("weaker"),
        "delta",
        "delta_high",
    )


def _ordered(rates: pl.LazyFrame, one: Measure, other: Measure) -> tuple[Measure, Measure]:
    sums = compare(rates, one, other).select(pl.col("n_a", "c_a", "n_b", "c_b").sum()).collect().row(0, named=True)
    stronger = sums["c_a"] * sums["n_b"] > sums["c_b"] * sums["n_a"]
    return (other, one) if stronger else (one, other)


def _shown(measure: Measure) -> str:
    return "@".join(measure.model_dump(exclude_none=True).values())


def trend(rates: pl.LazyFrame, checkpoints: Sequence[Measure], edges: tuple[float, float] = (0.2, 0.8)) -> pl.LazyFrame:
    """Follow accuracy over checkpoints by the band in which each problem began.

    Medium problems are seen to improve fastest, hard ones to stagnate and easy ones to saturate.

    Parameters
    ----------
    checkpoints
        Measurements in training order; the first decides the band.
    edges
        Lowest and highest pass rate of the medium band.

    Returns
    -------
    LazyFrame
        ``checkpoint`` (0-based), ``began`` (hard, medium, easy), ``problems``, ``pass_rate`` (mean over problems).

    References
    ----------
    DRIVE, arXiv 2511.06307, analysis of training dynamics by first accuracy.
    """
    pooled = [
        rates.filter(matching(one) & (pl.col("n") > 0))
        .group_by("problem_id")
        .agg(rate=pl.col("c").sum() / pl.col("n").sum())
        for one in checkpoints
    ]
    low, high = edges
    rate = pl.col("rate")
    named = pl.when(rate < low).then(pl.lit("hard")).when(rate > high).then(pl.lit("easy")).otherwise(pl.lit("medium"))
    began = pooled[0].select("problem_id", began=named)
    steps = [
        table.join(began, on="problem_id").with_columns(checkpoint=pl.lit(step)) for step, table in enumerate(pooled)
    ]
    grouped = pl.concat(steps).group_by("checkpoint", "began")
    return grouped.agg(problems=pl.len(), pass_rate=pl.col("rate").mean()).sort("checkpoint", "began")
