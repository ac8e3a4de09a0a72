"""How well the targets can still be predicted from a release: the error of a classifier trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.evaluate.boosting import gradient_boosting, one_thread

__all__ = ["Fold", "class_shares", "classifier_errors", "majority_error"]

Codes = npt.NDArray[Any]


def majority_error(train: Codes, test: Codes, weights: npt.ArrayLike | None = None) -> float:
    """Return the share of test rows that are not of the commonest class of the training rows.

    Parameters
    ----------
    weights
        Weights of the test rows.

    Examples
    --------
    >>> majority_error(np.array([0, 0, 1]), np.array([0, 1]))
    0.5
    """
    return float(np.average(test != np.bincount(train).argmax(), weights=weights))


@dataclass(frozen=True)
class Fold:
    """Rows of a release with what is to be predicted.

    Parameters
    ----------
    release
        Released columns as bucket numbers, or the one column of cells.
    target
        Class of each row.
    weights
        Records that each row stands for; None for one each.
    """

    release: Mapping[str, Codes]
    target: Codes
    weights: npt.ArrayLike | None = None

    def matrix(self, columns: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return released columns side by side."""
        return np.column_stack([self.release[name] for name in columns]).astype(np.float64)

    def error(self, guessed: Codes) -> float:
        """Return the share of rows that are not of the guessed class."""
        return float(np.average(guessed != self.target, weights=self.weights))


def classifier_errors(train: Fold, tests: Sequence[Fold], seed: int = 0) -> list[float]:
    """Return the errors on several parts held back of gradient boosting trained once on released buckets.

    One released column (as in a `cell` release) is not trained on but counted: the commonest class of each cell.
    None at all leaves the commonest class of all.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.

    Examples
    --------
    >>> cells = Fold({"cell": np.array([0, 0, 1])}, np.array([1, 1, 0]))
    >>> classifier_errors(cells, [cells])
    [0.0]
    """
    columns = list(train.release)
    if not columns:
        return [majority_error(train.target, test.target, test.weights) for test in tests]
    if len(columns) == 1:
        (name,) = columns
        return [test.error(_commonest(train, train.release[name], test.release[name])) for test in tests]
    model = gradient_boosting()(random_state=seed)
    with one_thread():
        model.fit(train.matrix(columns), train.target, sample_weight=train.weights)
        return [test.error(model.predict(test.matrix(columns))) for test in tests]


def class_shares(fold: Fold, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return how likely gradient boosting holds each class to be, row by row of the data that it is trained on.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    features = fold.matrix(list(fold.release))
    model = gradient_boosting()(random_state=seed)
    shares = np.zeros((len(features), int(fold.target.max()) + 1))
    with one_thread():
        model.fit(features, fold.target, sample_weight=fold.weights)
        shares[:, model.classes_] = model.predict_proba(features)
    return shares


def _commonest(train: Fold, codes: Codes, asked: Codes) -> Codes:
    """Return the commonest class of each cell asked about; of all cells where it is new."""
    classes = int(train.target.max()) + 1
    cells = max(int(codes.max()), int(asked.max())) + 1
    counts = np.bincount(codes.astype(np.int64) * classes + train.target, train.weights, cells * classes)
    table = counts.reshape(cells, classes)
    overall = table.sum(axis=0).argmax()
    return np.where(table.sum(axis=1) > 0, table.argmax(axis=1), overall)[asked]
