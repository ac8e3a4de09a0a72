"""What an attacker who holds a release learns about personal attributes: by counting, and by training.

Guesses are compared with the truth for records that the attacker never saw at full resolution. What comes out is an
empirical risk: a stronger attacker may exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from privacy.minimize.evaluate.encoding import Attack, Cells, cells, codes, is_continuous, numbers, target
from privacy.minimize.evaluate.table_adversary import Guesses, guess_by_table, guess_majority
from privacy.minimize.evaluate.trained_adversary import guess_by_training
from schemas.errors import UsageError

__all__ = ["Attempt", "Outcome", "Records", "reconstruct"]


@dataclass(frozen=True)
class Attempt:
    """How one attacker fared against one attribute.

    Parameters
    ----------
    hit
        Per attacked record, whether the guess was right.
    certainty
        Per attacked record, the attacker's own probability of being right.
    weights
        Records that each attacked row stands for; None for one each.
    """

    hit: np.ndarray
    certainty: np.ndarray
    weights: np.ndarray | None = None

    @property
    def accuracy(self) -> float:
        """Share of the attacked records guessed right."""
        return float(np.average(self.hit, weights=self.weights))


@dataclass(frozen=True)
class Outcome:
    """What attackers learn about one personal attribute.

    Parameters
    ----------
    majority
        Guesses the commonest value: the release is not needed for that.
    table
        Guesses by counts in the released cells.
    trained
        Guesses by gradient boosting; None if it was not asked for.
    """

    attribute: str
    majority: Attempt
    table: Attempt
    trained: Attempt | None = None

    @property
    def strongest(self) -> str:
        """Name of the more accurate attacker, ``table`` or ``trained``."""
        return "trained" if self.trained and self.trained.accuracy > self.table.accuracy else "table"

    @property
    def best(self) -> Attempt:
        """The attempt of the more accurate attacker."""
        return getattr(self, self.strongest)

    @property
    def accuracy(self) -> float:
        """Accuracy of the more accurate attacker."""
        return self.best.accuracy


@dataclass(frozen=True)
class Records:
    """Some people's records, as an attacker sees them and as they are.

    Parameters
    ----------
    known
        What the attacker knows: released bucket ids (or the column ``cell``) and, in attacks with background
        knowledge, columns at full resolution.
    personal
        True values of the attacked attributes, row for row.
    weights
        Records that each row stands for; None for one each.
    """

    known: pl.DataFrame
    personal: pl.DataFrame
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        known, personal = len(self.known), len(self.personal)
        if not personal or (self.known.width and known != personal):
            raise UsageError(f"an attack needs the same records known and true; received {known} and {personal} rows.")


def reconstruct(  # noqa: PLR0913 - two samples, and five settings with defaults
    train: Records,
    test: Records,
    *,
    own: Mapping[str, Sequence[str]] | None = None,
    released: Sequence[str] | None = None,
    untrained: Collection[str] = (),
    trained: bool = True,
    seed: int = 0,
) -> list[Outcome]:
    """Attack each personal attribute of the test records from what is known about them.

    Parameters
    ----------
    train, test
        The attacker's own sample, and the records attacked, whose truth serves to score the guesses. A guess of a
        continuous attribute is right within 5 % of its range.
    own
        For each attribute the known columns that hold its own buckets, which rule values out. By default the known
        column of the same name.
    released
        The known columns that are released, where background knowledge comes with them: the table attacker goes by
        these alone where few records share the background.
    untrained
        Known columns that training leaves out, because others determine them.
    trained
        False for the table attacker alone, which costs a few hundredths of a CPU-second.
    seed
        Seed of the training.

    Returns
    -------
    list of Outcome
        One per personal attribute, in their order. Neither the order of the rows nor the names of values matter.

    Raises
    ------
    UsageError, MissingExtra
        If the columns of both samples differ, or scikit-learn is not there to train.

    Examples
    --------
    >>> records = Records(pl.DataFrame({"job": ["a", "b"] * 6}), pl.DataFrame({"sex": ["F", "M"] * 6}))
    >>> [outcome] = reconstruct(records, records, trained=False)
    >>> outcome.majority.accuracy, outcome.table.accuracy
    (0.5, 1.0)
    """
    known, personal = _both("known", train.known, test.known), _both("personal", train.personal, test.personal)
    coded = {column.name: codes(column)[0] for column in known}
    learned = [column for column in known if column.name not in untrained]
    features = [_feature(column, coded[column.name]) for column in learned] if trained else None
    levels = [_cells_of(coded, names, len(personal)) for names in (coded, released) if names is not None]
    holders = {name: [name] for name in coded} if own is None else own
    outcomes = []
    for column in personal:
        held = _cells_of(coded, holders.get(column.name, ()), len(personal))
        attack = Attack(levels, held, target(column), len(train.personal), train.weights)
        outcomes.append(_outcome(column.name, attack, features, test.weights, seed))
    return outcomes


def _both(kind: str, train: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    if train.columns != test.columns:
        raise UsageError(f"the {kind} columns of both samples differ: {train.columns} and {test.columns}.")
    return pl.concat([train, test], how="vertical_relaxed")


def _feature(column: pl.Series, coded: np.ndarray) -> np.ndarray:
    """Return a column as training sees it: numbers where there are many, else categories."""
    return numbers(column) if is_continuous(column) else coded


def _cells_of(coded: Mapping[str, np.ndarray], names: Iterable[str], rows: int) -> Cells:
    return cells([coded[name] for name in names], rows)


def _outcome(
    attribute: str, attack: Attack, features: list[np.ndarray] | None, weights: np.ndarray | None, seed: int
) -> Outcome:
    def attempt(guesses: Guesses) -> Attempt:
        hit = attack.target.hit(guesses.code, slice(attack.train, None))
        return Attempt(hit, guesses.certainty, weights)

    table = guess_by_table(attack)
    trained = None if features is None else attempt(guess_by_training(attack, features, table, seed))
    return Outcome(attribute, attempt(guess_majority(attack)), attempt(table), trained)
