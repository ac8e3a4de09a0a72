"""The iterative baseline: groups by the weight of values, coarsened one attribute after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.evaluate.learners import scikit_learn
from privacy.minimize.evaluate.risk import exposure
from privacy.minimize.learn.baselines.simple import compressed
from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.columns import Named, quantile_codes
from privacy.minimize.learn.generalize import Buckets, Generalization
from privacy.minimize.learn.sample import Sample

__all__ = ["grouped", "iterative"]

_FIRST = 4
_MARGIN = 0.001


def iterative(binning: Binning, train: Sample, valid: Sample, accuracy: float) -> Generalization:
    """Coarsen attribute by attribute, those first that cost privacy most and accuracy least, while accuracy allows.

    With A_i and C_i the accuracies of attacker and classifier without attribute i, attributes are taken by falling
    (attacker - A_i) - (classifier - C_i); each loses buckets, from 4, until the classifier would fall below
    ``accuracy`` + 0.001. The classifier is a logistic regression on one-hot buckets, the attacker the exact one.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    weights = _weights(train)
    sizes = [_FIRST] * len(binning.layout.codings)
    attacker, classifier = _figures(binning, sizes, weights, train, valid)
    gains = []
    for column in range(len(sizes)):
        without = _figures(binning, _with(sizes, column, 1), weights, train, valid)
        gains.append((attacker - without[0]) - (classifier - without[1]))
    for column in np.argsort(-np.array(gains), kind="stable").tolist():
        while sizes[column] > 1:
            fewer = _with(sizes, column, sizes[column] - 1)
            if _accuracy(_release(binning, fewer, weights), train, valid) < accuracy + _MARGIN:
                break
            sizes = fewer
    return _release(binning, sizes, weights)


def grouped(values: npt.NDArray[np.float64], groups: int) -> Buckets:
    """Divide values into runs of their order so that the mean of the runs' variances is least.

    Examples
    --------
    >>> grouped(np.array([0.0, 9.0, 0.1, 8.8]), 2).tolist()
    [0, 1, 0, 1]
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    size, groups = len(ranked), min(groups, len(ranked))
    spread = np.full((size + 1, size + 1), np.inf)
    for start in range(size):
        for end in range(start + 1, size + 1):
            spread[start, end] = ranked[start:end].var()
    best, came = np.full((groups + 1, size + 1), np.inf), np.zeros((groups + 1, size + 1), dtype=np.intp)
    best[0, 0] = 0
    for number in range(1, groups + 1):
        totals = best[number - 1][:, None] + spread
        came[number], best[number] = totals.argmin(axis=0), totals.min(axis=0)
    home, end = np.zeros(size, dtype=np.intp), size
    for number in range(groups, 0, -1):
        start = int(came[number, end])
        home[order[start:end]] = number - 1
        end = start
    return home


def _release(binning: Binning, sizes: list[int], weights: list[npt.NDArray[np.float64]]) -> Generalization:
    codings = zip(binning.layout.codings, sizes, weights, strict=True)
    return Generalization(
        binning.layout,
        tuple(
            grouped(weight, size) if isinstance(coding, Named) else compressed(quantile_codes(coding.weights, size))
            for coding, size, weight in codings
        ),
    )


def _figures(
    binning: Binning, sizes: list[int], weights: list[npt.NDArray[np.float64]], train: Sample, valid: Sample
) -> tuple[float, float]:
    """Return the accuracies of attacker and classifier."""
    found = _release(binning, sizes, weights)
    numbers = range(len(binning.layout.personal))
    train_side, valid_side = (
        (found.release(one), {f"p{number}": one.personal(number) for number in numbers}, one.weights)
        for one in (train, valid)
    )
    return exposure(train_side, valid_side).mean(), _accuracy(found, train, valid)


def _accuracy(found: Generalization, train: Sample, valid: Sample) -> float:
    fitted = _regression().fit(_one_hot(found, train), train.targets[0], sample_weight=train.weights)
    return float(fitted.score(_one_hot(found, valid), valid.targets[0], sample_weight=valid.weights))


def _weights(train: Sample) -> list[npt.NDArray[np.float64]]:
    """Return the weight of each bin in a logistic regression at full resolution."""
    bins = [coding.bins for coding in train.layout.codings]
    features = np.hstack([np.eye(size)[codes] for size, codes in zip(bins, train.columns, strict=True)])
    fitted = _regression().fit(features, train.targets[0], sample_weight=train.weights)
    return np.split(fitted.coef_[0], np.cumsum(bins)[:-1])


def _one_hot(found: Generalization, sample: Sample) -> npt.NDArray[np.float64]:
    parts = zip(found.sizes, found.buckets, sample.columns, strict=True)
    return np.hstack([np.eye(size)[buckets[codes]] for size, buckets, codes in parts])


def _regression() -> Any:
    with scikit_learn():
        from sklearn.linear_model import LogisticRegression
    return LogisticRegression(max_iter=200)


def _with(sizes: list[int], column: int, size: int) -> list[int]:
    return [*sizes[:column], size, *sizes[column + 1 :]]
