"""How sure a measured accuracy is: Wilson's interval, widened where a client brings many rows."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl

__all__ = ["effective_size", "interval", "wilson"]


def wilson(share: float, size: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a share (Wilson 1927, JASA 22:209-212).

    Parameters
    ----------
    share
        Share observed, in [0, 1].
    size
        Independent observations; need not be a whole number.

    Examples
    --------
    >>> [round(end, 4) for end in wilson(0.5, 100)]
    [0.4038, 0.5962]
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def effective_size(hit: np.ndarray, weights: np.ndarray | None = None, clients: pl.Series | None = None) -> float:
    """Return how many independent records would leave the share of hits as unsure as these rows do.

    The variance of the share is that of a ratio over clients (Cochran 1977, Sampling Techniques, eq. 2.39); the
    effective size is what a binomial share of that variance would have (Kish 1965), at most the number of clients
    where all rows of one fare alike, and never more than the rows.

    Examples
    --------
    >>> hit = np.array([True, True, False, False])
    >>> effective_size(hit), effective_size(hit, clients=pl.Series(["a", "a", "b", "b"]))
    (4.0, 2.0)
    """
    weight = np.ones(len(hit)) if weights is None else np.asarray(weights, dtype=float)
    rows = pl.DataFrame(
        {"client": np.arange(len(hit)) if clients is None else clients, "hit": weight * hit, "all": weight}
    )
    sums = rows.group_by("client").sum().sort("hit", "all") if clients is not None else rows
    total, units = sums["all"].sum(), len(sums)
    share = sums["hit"].sum() / total
    spread = ((sums["hit"] - share * sums["all"]) ** 2).sum() / total**2
    if spread == 0:
        return float(units)
    return float(min(share * (1 - share) / spread, len(hit)))


def interval(
    hit: np.ndarray,
    weights: np.ndarray | None = None,
    clients: pl.Series | None = None,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the interval of the share of hits, by client where one has many rows.

    Parameters
    ----------
    hit
        Whether each row was guessed right.
    weights
        Records that each row stands for.
    clients
        Whose row it is.
    """
    share = float(np.average(hit, weights=weights))
    return wilson(share, effective_size(hit, weights, clients), confidence)
