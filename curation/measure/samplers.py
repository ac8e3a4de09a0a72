"""Sampling weights over counts: how often a trainer or a draw should visit a problem.

Each function takes and returns polars expressions or frames over columns ``n`` and ``c``.
"""

from __future__ import annotations

import polars as pl

from schemas.recipe.curricula import Weighted

__all__ = ["SPO_PRIOR", "gaussian", "kimi", "spo", "spo_update", "spo_value", "weight", "with_weights"]

SPO_PRIOR = 8.0
"""N0, the effective number of offline samples: 1 / (1 - 0.875), the least that SPO's memory may hold."""
_FLOOR = 0.05
_RHO_LOW, _RHO_HIGH = 0.875, 0.96
_HALF_LIFE = 0.06


def spo_value(n: pl.Expr, c: pl.Expr) -> pl.Expr:
    """Return SPO's first estimate of the value, (c + 1/2) / (n + 1), as in its released code.

    References
    ----------
    SPO, arXiv 2509.13232, and its released training code for the prior counts.
    """
    return (c + 0.5) / (n + 1)


def spo(n: pl.Expr, c: pl.Expr, *, published: bool = False, gamma: float = 0.5) -> pl.Expr:
    """Return SPO's weight, sqrt(v (1 - v)) + 0.05.

    Parameters
    ----------
    published
        Divide the first term by (effective samples)^gamma as in the paper; the released code does not.
    """
    value = spo_value(n, c)
    spread = (value * (1 - value)).sqrt()
    return (spread / SPO_PRIOR**gamma if published else spread) + _FLOOR


def spo_update(alpha: float, beta: float, reward: int, drift: float) -> tuple[float, float]:
    """Return SPO's (alpha, beta) after one more reward of 0 or 1.

    Parameters
    ----------
    drift
        How far the policy moved since the last visit; the memory 2^(-drift / 0.06) is held in [0.875, 0.96].
    """
    memory = min(max(2 ** (-drift / _HALF_LIFE), _RHO_LOW), _RHO_HIGH)
    return memory * alpha + reward, memory * beta + 1 - reward


def kimi(n: pl.Expr, c: pl.Expr, *, highest: float = 1.0) -> pl.Expr:
    """Return Kimi k1.5's weight, 1 - pass rate, cut at ``highest``.

    References
    ----------
    Kimi k1.5, arXiv 2501.12599, section 2.3.5.
    """
    return (1 - c / n).clip(upper_bound=highest)


def gaussian(n: pl.Expr, c: pl.Expr, *, mean: float = 0.5, deviation: float = 0.2) -> pl.Expr:
    """Return a bell over the pass rate, 1 at its centre, as progressive batching in Llama-Nemotron uses.

    References
    ----------
    Llama-Nemotron, arXiv 2505.00949.
    """
    return (-0.5 * ((c / n - mean) / deviation) ** 2).exp()


def weight(settings: Weighted) -> pl.Expr:
    """Return the weight that a recipe asks for, null where nothing was judged."""
    n, c = pl.col("n"), pl.col("c")
    chosen = {
        "spo": spo(n, c),
        "spo_paper": spo(n, c, published=True, gamma=settings.gamma),
        "kimi": kimi(n, c, highest=settings.highest),
        "gaussian": gaussian(n, c, mean=float(settings.mean), deviation=settings.deviation),
    }[settings.by]
    return pl.when(n > 0).then(chosen)


def with_weights(counts: pl.LazyFrame) -> pl.LazyFrame:
    """Return counts with ``spo_alpha``, ``spo_beta``, ``weight_spo``, ``weight_kimi`` and ``weight_gaussian``.

    Weights are not normalised, and null where nothing was judged.
    """
    value = spo_value(pl.col("n"), pl.col("c"))
    return counts.with_columns(
        spo_alpha=SPO_PRIOR * value,
        spo_beta=SPO_PRIOR * (1 - value),
        **{f"weight_{by}": weight(Weighted(size=1, by=by)) for by in ("spo", "kimi", "gaussian")},  # type: ignore[arg-type]
    )
