"""How much of the personal attributes the exact attacker reads from a release, and how small its groups are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from privacy.minimize.evaluate.adversary import Records, reconstruct
from privacy.minimize.evaluate.encoding import cells

__all__ = ["Exposure", "exposure", "groups"]

Codes = npt.NDArray[Any]


@dataclass(frozen=True)
class Exposure:
    """A release as the table attacker sees it.

    Parameters
    ----------
    accuracy
        Share of records whose value is guessed right, by personal attribute.
    majority
        The same by always guessing the commonest value.
    """

    accuracy: Mapping[str, float]
    majority: Mapping[str, float]

    def mean(self, weights: Mapping[str, float] | None = None) -> float:
        """Return the mean accuracy over the attributes, weighted where weights are given."""
        return _mean(self.accuracy, weights or {})

    def base(self, weights: Mapping[str, float] | None = None) -> float:
        """Return the mean accuracy without any release."""
        return _mean(self.majority, weights or {})

    @property
    def worst(self) -> str:
        """The attribute that is told most beyond its commonest value."""
        return max(self.accuracy, key=lambda name: (self.accuracy[name] - self.majority[name], name))


def exposure(
    train: tuple[Mapping[str, Codes], Mapping[str, Codes], npt.ArrayLike | None],
    test: tuple[Mapping[str, Codes], Mapping[str, Codes], npt.ArrayLike | None],
) -> Exposure:
    """Return what the table attacker guesses of test rows.

    Parameters
    ----------
    train, test
        Released columns, personal values, and weights of the rows; codes are names, whatever they number.
    """
    outcomes = reconstruct(_records(*train), _records(*test), trained=False)
    return Exposure(
        {outcome.attribute: outcome.table.accuracy for outcome in outcomes},
        {outcome.attribute: outcome.majority.accuracy for outcome in outcomes},
    )


def groups(release: Mapping[str, Codes], rows: int, support: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """Return the size of each combination that is released.

    Parameters
    ----------
    rows
        Number of rows, which are one group where nothing is released.
    support
        What each row counts; 1 by default.

    Examples
    --------
    >>> groups({"a": np.array([0, 0, 1])}, 3).tolist()
    [2.0, 1.0]
    """
    return np.bincount(cells(list(release.values()), rows).number, support).astype(np.float64)


def _records(release: Mapping[str, Codes], personal: Mapping[str, Codes], weights: npt.ArrayLike | None) -> Records:
    named = pl.DataFrame(dict(personal)).select(pl.all().cast(pl.String))
    known = pl.DataFrame(dict(release)).select(pl.all().cast(pl.String))
    return Records(known, named, None if weights is None else np.asarray(weights, dtype=np.float64))


def _mean(figures: Mapping[str, float], weights: Mapping[str, float]) -> float:
    if not figures:
        return 0.0
    return float(np.average(list(figures.values()), weights=[weights.get(name, 1.0) for name in figures]))
