"""How well the targets can still be predicted from a release: the error of a classifier trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privacy.minimize.evaluate.learners import gradient_boosting, one_thread

__all__ = ["Fold", "class_shares", "classifier_guesses", "standard_error"]

Codes = npt.NDArray[Any]


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


def classifier_guesses(train: Fold, tests: Sequence[Fold], seed: int = 0) -> list[Codes]:
    """Return the classes that gradient boosting, trained once on released buckets, guesses on parts held back.

    One released column (as in a `cell` release) is not trained on but counted: the commonest class of each cell.
    None at all leaves the commonest class of all.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.

    Examples
    --------
    >>> cells = Fold({"cell": np.array([0, 0, 1])}, np.array([1, 1, 0]))
    >>> classifier_guesses(cells, [cells])
    [array([1, 1, 0])]
    """
    columns = list(train.release)
    if len(columns) <= 1:
        codes, *asked = (_cells(fold) for fold in (train, *tests))
        return [_commonest(train, codes, part) for part in asked]
    model = gradient_boosting()(random_state=seed)
    with one_thread():
        model.fit(train.matrix(columns), train.target, sample_weight=train.weights)
        return [model.predict(test.matrix(columns)) for test in tests]


def standard_error(
    differences: npt.NDArray[np.float64], weights: npt.ArrayLike | None = None, clients: Codes | None = None
) -> float:
    """Return the standard error of a mean, of differences between two classifiers row by row for example.

    Rows of one client are not independent: with clients, what varies is each client's sum (Liang & Zeger 1986,
    "Longitudinal data analysis using generalized linear models").

    Parameters
    ----------
    weights
        Equal rows that each row stands for; 1 by default.
    clients
        Number of each row's client.

    Examples
    --------
    >>> standard_error(np.array([1.0, 0.0, -1.0, 0.0]))
    0.3535533905932738
    """
    each = np.ones(len(differences)) if weights is None else np.asarray(weights, dtype=np.float64)
    apart = differences - np.average(differences, weights=each)
    squares = each * apart**2 if clients is None else np.bincount(clients, each * apart) ** 2
    return float(np.sqrt(squares.sum()) / each.sum())


def class_shares(fold: Fold, classes: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return how likely gradient boosting holds each class to be, row by row of the data that it is trained on.

    Parameters
    ----------
    classes
        Number of classes, those included that the rows do not have.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    features = fold.matrix(list(fold.release))
    model = gradient_boosting()(random_state=seed)
    shares = np.zeros((len(features), classes))
    if (fold.target == fold.target[0]).all():
        shares[:, fold.target[0]] = 1
        return shares
    with one_thread():
        model.fit(features, fold.target, sample_weight=fold.weights)
        shares[:, model.classes_] = model.predict_proba(features)
    return shares


def _cells(fold: Fold) -> Codes:
    """Return the one column that is released; one cell for all where there is none."""
    return next(iter(fold.release.values()), np.zeros(len(fold.target), dtype=np.intp))


def _commonest(train: Fold, codes: Codes, asked: Codes) -> Codes:
    """Return the commonest class of each cell asked about; of all cells where it is new."""
    classes = int(train.target.max()) + 1
    cells = max(int(codes.max()), int(asked.max())) + 1
    counts = np.bincount(codes.astype(np.int64) * classes + train.target, train.weights, cells * classes)
    table = counts.reshape(cells, classes)
    overall = table.sum(axis=0).argmax()
    return np.where(table.sum(axis=1) > 0, table.argmax(axis=1), overall)[asked]
