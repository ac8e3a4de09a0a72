"""The pick among measured policies: the front of each form of release, and the rule that chooses one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from privacy.minimize.learn.generalize import Generalization
from schemas.errors import UsageError
from schemas.minimize import Choice, Release, Sweep

__all__ = ["RELEASES", "Measured", "front", "pick"]

RELEASES: tuple[Release, ...] = get_args(Release)


@dataclass(frozen=True)
class Measured:
    """One policy of a sweep, and what was measured of it.

    All figures but those named after validation are of the test rows, which neither search nor pick saw.

    Parameters
    ----------
    exchange
        Weight by which buckets were merged; None if they were not.
    error
        Error of a classifier trained on the release, averaged over the targets; None where the expected error showed
        that it could not be on the front.
    risk
        Accuracy of the table attacker, averaged over the personal attributes.
    validation_error, validation_risk
        The same on the validation rows, by which front and pick are chosen. The risk is at least that of guessing, or
        the least would be luck: of policies that tell nothing the one of least error, then of fewest buckets, is first.
    doubt
        Standard error of the difference between ``validation_error`` and the raw data's.
    worst, worst_risk
        The attribute that is told most beyond its commonest value, and the attacker's accuracy on it.
    buckets
        Buckets of all columns, a dropped column counting one.
    cells, smallest
        Combinations released of the training rows, and the smallest group's size (clients, where there are).
    """

    alpha: float
    leaves: int
    release: Release
    exchange: float | None
    error: float | None
    risk: float
    validation_error: float | None
    validation_risk: float
    doubt: float | None
    worst: str
    worst_risk: float
    buckets: int
    cells: int
    smallest: float
    found: Generalization = field(repr=False)

    @property
    def told(self) -> str:
        """Where the policy stands in the grid, for people."""
        merged = "" if self.exchange is None else f", merged at {self.exchange:g}"
        return f"{self.release}, alpha {self.alpha:g}, {self.leaves} leaves{merged}"

    @property
    def figures(self) -> dict[str, Any]:
        """Everything but the policy itself."""
        return {name: value for name, value in vars(self).items() if name != "found"}


def front(measured: Sequence[Measured]) -> tuple[int, ...]:
    """Return the places of the policies that none of the same release beats on validation rows, least risk first."""
    order = sorted(range(len(measured)), key=lambda place: _rank(measured[place]))
    best, places = dict.fromkeys(RELEASES, np.inf), []
    for place in order:
        error, release = measured[place].validation_error, measured[place].release
        if error is not None and error < best[release]:
            best[release] = error
            places.append(place)
    return tuple(places)


def _rank(one: Measured) -> tuple[float, float, int]:
    return one.validation_risk, np.inf if one.validation_error is None else one.validation_error, one.buckets


def pick(measured: Sequence[Measured], raw_error: float, config: Sweep) -> tuple[int, str]:
    """Return the place of the policy to release, and the rule that it was picked by, in a sentence.

    Parameters
    ----------
    raw_error
        Error on raw data, of the validation rows.

    Raises
    ------
    UsageError
        If a person chose a policy that was not tried.
    """
    if config.choice is not None:
        return _chosen(measured, config.choice), "chosen by a person"
    known = {place: one for place, one in enumerate(measured) if one.validation_error is not None}
    good = [place for place, one in known.items() if _above(one, raw_error) <= _allowed(one, config)]
    raw = f"the raw data's {raw_error:.4f} on validation rows"
    if not good:
        picked = min(known, key=lambda place: (known[place].validation_error, _rank(known[place])))
        return picked, f"least error, for none is within the tolerance of {raw}"
    picked = min(good, key=lambda place: _rank(known[place]))
    rule = f"least risk with an error within {config.tolerance:g} of {raw}"
    if config.standard_errors:
        width = _allowed(known[picked], config)
        errors = f"{config.standard_errors:g} standard error{'' if config.standard_errors == 1 else 's'}"
        rule += f", or within {errors} of the difference; here within {width:.4f}"
    return picked, rule


def _above(one: Measured, raw_error: float) -> float:
    return np.inf if one.validation_error is None else one.validation_error - raw_error


def _allowed(one: Measured, config: Sweep) -> float:
    return max(config.tolerance, config.standard_errors * (one.doubt or 0))


def _chosen(measured: Sequence[Measured], choice: Choice) -> int:
    wanted = choice.model_dump()
    for place, one in enumerate(measured):
        if {name: one.figures[name] for name in wanted} == wanted:
            return place
    raise UsageError(
        f"the sweep has no policy with {', '.join(f'{name} {value}' for name, value in wanted.items())}.",
        hint="choose one of the table's alpha, leaves, release and exchange, or add it to the grid.",
    )
