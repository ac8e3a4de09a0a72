"""Baselines without a search: equal widths and random groups, or the best columns at nearly full resolution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privacy.minimize.evaluate.learners import scikit_learn
from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.columns import Coding, Named, Ordered
from privacy.minimize.learn.generalize import Buckets, Generalization
from privacy.minimize.learn.sample import Sample

__all__ = ["compressed", "equal_widths", "feature_selection", "positions", "uniform"]

_FINE = 100
"""Equal widths of an ordered column that feature selection keeps."""


def uniform(binning: Binning, buckets: int, seed: int = 0) -> Generalization:
    """Cut ordered columns into equal widths and put every name into a random bucket.

    Examples
    --------
    >>> import polars as pl
    >>> from schemas.minimize import Fit
    >>> table = pl.DataFrame({"age": [10, 20, 30, 40], "y": [0, 1, 0, 1]})
    >>> uniform(Binning.learn(table.lazy(), Fit(targets=("y",))), 2).buckets[0].tolist()
    [0, 0, 1, 1]
    """
    draw = np.random.default_rng(seed)
    return Generalization(
        binning.layout,
        tuple(
            compressed(draw.integers(0, buckets, coding.bins))
            if isinstance(coding, Named)
            else equal_widths(coding, buckets)
            for coding in binning.layout.codings
        ),
    )


def feature_selection(binning: Binning, sample: Sample, columns: int) -> Generalization:
    """Keep the columns whose codes differ most between the classes of the first target, by the F test; drop the rest.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    with scikit_learn():
        from sklearn.feature_selection import f_classif
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.nan_to_num(f_classif(np.column_stack(sample.columns).astype(float), sample.targets[0])[0])
    kept = set(np.argsort(-scores, kind="stable")[:columns].tolist())
    return Generalization(
        binning.layout,
        tuple(
            _fine(coding) if column in kept else np.zeros(coding.bins, dtype=np.intp)
            for column, coding in enumerate(binning.layout.codings)
        ),
    )


def equal_widths(coding: Ordered, buckets: int) -> Buckets:
    """Return equal widths of an ordered column; missing values, where there are any, apart."""
    place = np.minimum((positions(coding) * buckets).astype(np.intp), buckets - 1)
    return compressed(np.append(place, buckets) if coding.missing else place)


def positions(coding: Ordered) -> npt.NDArray[np.float64]:
    """Return where each bin lies between the smallest and the largest value, in [0, 1]."""
    middle = (coding.lows.to_physical().cast(float) + coding.highs.to_physical().cast(float)).to_numpy() / 2
    return (middle - middle.min()) / max(float(np.ptp(middle)), 1e-300)


def compressed(buckets: npt.NDArray[np.integer]) -> Buckets:  # type: ignore[type-arg]
    """Return buckets renumbered in order, without gaps."""
    return np.unique(buckets, return_inverse=True)[1].reshape(-1)


def _fine(coding: Coding) -> Buckets:
    return np.arange(coding.bins) if isinstance(coding, Named) else equal_widths(coding, _FINE)
