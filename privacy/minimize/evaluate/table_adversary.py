"""The exact attacker: counts what was seen in each released cell and guesses the most frequent value."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from privacy.minimize.evaluate.encoding import Attack, Cells, cells

__all__ = ["FEWEST", "Guesses", "guess_by_table", "guess_majority", "in_units", "sums"]

FEWEST = 5
"""Records that a cell must hold before the attacker trusts it."""
_UNIT = 2**20
_DENSE = 4
"""Places per row up to which counting at every place is cheaper than sorting the rows."""


@dataclass(frozen=True)
class Guesses:
    """What an attacker says about each attacked record.

    Parameters
    ----------
    code
        First code of the window guessed.
    certainty
        The attacker's own probability that the guess is right.
    """

    code: np.ndarray
    certainty: np.ndarray


def guess_by_table(attack: Attack) -> Guesses:
    """Guess the most frequent value of the record's finest trusted cell, else of its own bucket, else of everybody.

    A cell is trusted if it holds at least 5 records of the attacker's sample, a bucket if it holds any. Ties go to
    the smallest value.
    """
    rows, train = len(attack.target.codes), attack.train
    code, certainty = np.zeros(rows - train, dtype=np.int64), np.full(rows - train, -1.0)
    everybody = cells((), rows)
    for known, fewest in (*((level, FEWEST) for level in attack.known), (attack.own, 0), (everybody, 0)):
        favourite = _favourites(attack, known, fewest)
        cell = known.number[train:]
        still = (certainty < 0) & (favourite.certainty[cell] >= 0)
        code = np.where(still, favourite.code[cell], code)
        certainty = np.where(still, favourite.certainty[cell], certainty)
    return Guesses(code, certainty)


def guess_majority(attack: Attack) -> Guesses:
    """Guess the most frequent value of everybody: what needs no release at all."""
    everybody = cells((), len(attack.target.codes))
    return guess_by_table(replace(attack, known=(), own=everybody))


def in_units(weights: np.ndarray | None, rows: int) -> np.ndarray:
    """Return weights as whole numbers of 2^-20 records: their sums do not depend on the order of the rows."""
    return np.full(rows, _UNIT) if weights is None else np.rint(np.asarray(weights) * _UNIT).astype(np.int64)


def sums(places: np.ndarray, units: np.ndarray, count: int) -> np.ndarray:
    """Return the exact sum of ``units`` at each of ``count`` places."""
    found = np.zeros(count, dtype=np.int64)
    np.add.at(found, places, units)
    return found


def _favourites(attack: Attack, known: Cells, fewest: int) -> Guesses:
    """Return the best guess of each cell; its certainty is -1 where the cell is not trusted."""
    target, where, count = attack.target, known.number[: attack.train], known.count
    units = in_units(attack.weights, attack.train)
    reach = range(target.window)
    inside = np.concatenate([attack.truth >= step for step in reach])
    keys = np.concatenate([where * target.count + attack.truth - step for step in reach])[inside]
    pairs, votes = _tally(keys, np.tile(units, target.window)[inside], count * target.count)
    cell, code = np.divmod(pairs, target.count)
    order = np.lexsort((code, -votes, cell))
    first = order[np.unique(cell[order], return_index=True)[1]]
    total = sums(where, units, count)
    first = first[total[cell[first]] >= max(fewest * _UNIT, 1)]
    favourite = Guesses(np.zeros(count, dtype=np.int64), np.full(count, -1.0))
    favourite.code[cell[first]] = code[first]
    favourite.certainty[cell[first]] = votes[first] / total[cell[first]]
    return favourite


def _tally(keys: np.ndarray, units: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys that occur, in order, and the sum of units of each; keys are below ``size``."""
    if size <= _DENSE * len(keys):
        found = sums(keys, units, size)
        occurring = np.flatnonzero(found)
        return occurring, found[occurring]
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, sums(place, units, len(distinct))
