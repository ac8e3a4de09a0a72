"""The learning attacker: gradient boosting on what is known, blind to values that the released bucket rules out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from privacy.minimize.evaluate.encoding import Attack, Target
from privacy.minimize.evaluate.learners import gradient_boosting, one_thread
from privacy.minimize.evaluate.table_adversary import Guesses, in_units, sums

__all__ = ["MOST_CLASSES", "allowed_values", "common_values", "guess_by_training", "logits"]

MOST_CLASSES = 64
"""Values that are told apart by training, the commonest first; the table adversary answers for the others."""
_MOST_CATEGORIES = 255
_BOOSTING = {
    "max_iter": 40,
    "learning_rate": 0.1,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 5,
    # without it the leaves of rare classes explode, and the attacker falls below the majority
    "l2_regularization": 1.0,
    "early_stopping": False,
}


def guess_by_training(attack: Attack, features: Sequence[np.ndarray], otherwise: Guesses, seed: int = 0) -> Guesses:
    """Guess the most probable value after training, among those that the record's own bucket allows.

    Parameters
    ----------
    features
        The known columns as training sees them: floats are numbers, whole numbers are categories.
    otherwise
        Guesses for records whose bucket allows none of the values trained on.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    classes = common_values(attack)
    if len(classes) == 1:
        return otherwise
    allowed = allowed_values(attack)[:, classes]
    chances = _softmax(np.where(allowed, logits(attack, features, classes, seed), -np.inf))
    code, certainty = _best_window(chances, classes, attack.target)
    some = allowed.any(axis=1)
    return Guesses(np.where(some, code, otherwise.code), np.where(some, certainty, otherwise.certainty))


def common_values(attack: Attack) -> np.ndarray:
    """Return the codes of at most 64 values, the commonest of the attacker's sample, in order."""
    counts = sums(attack.truth, in_units(attack.weights, attack.train), attack.target.count)
    common = np.lexsort((np.arange(attack.target.count), -counts))[:MOST_CLASSES]
    return np.sort(common[counts[common] > 0])


def allowed_values(attack: Attack) -> np.ndarray:
    """Return for each attacked record which values were ever seen with its own bucket; all of them if none was."""
    where = attack.own.number
    seen = np.zeros((attack.own.count, attack.target.count), dtype=bool)
    seen[where[: attack.train], attack.truth] = True
    seen[~seen.any(axis=1)] = True
    return seen[where[attack.train :]]


def logits(attack: Attack, features: Sequence[np.ndarray], classes: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the trained logits of ``classes`` for each attacked record, before anything is ruled out."""
    columns = [*features] or [np.zeros(len(attack.target.codes), dtype=np.int64)]
    matrix = np.column_stack([column.astype(np.float64) for column in columns])
    rows = np.flatnonzero(np.isin(attack.truth, classes))
    # the order of the rows must not reach the sums of floating-point numbers inside the training
    rows = rows[np.lexsort((attack.truth[rows], *matrix[rows].T))]
    weights = None if attack.weights is None else np.asarray(attack.weights)[rows]
    model = gradient_boosting()(
        categorical_features=[_is_category(column) for column in columns], random_state=seed, **_BOOSTING
    )
    with one_thread():
        model.fit(matrix[rows], attack.truth[rows], sample_weight=weights)
        raw = model.decision_function(matrix[attack.train :])
    return np.column_stack([np.zeros(len(raw)), raw]) if raw.ndim == 1 else raw


def _is_category(column: np.ndarray) -> bool:
    return bool(np.issubdtype(column.dtype, np.integer) and column.max() < _MOST_CATEGORIES)


def _softmax(raw: np.ndarray) -> np.ndarray:
    """Return probabilities; zeros where every logit is -inf."""
    top = raw.max(axis=1, keepdims=True)
    grown = np.exp(raw - np.where(np.isfinite(top), top, 0))
    total = grown.sum(axis=1, keepdims=True)
    return grown / np.where(total > 0, total, 1)


def _best_window(chances: np.ndarray, classes: np.ndarray, target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Return the first code of the window of the greatest summed probability, and that probability."""
    full = np.zeros((len(chances), target.count))
    full[:, classes] = chances
    last = target.count - target.window + 1
    windows = sum(full[:, step : last + step] for step in range(target.window))
    code = windows.argmax(axis=1)
    return code, windows[np.arange(len(windows)), code]
