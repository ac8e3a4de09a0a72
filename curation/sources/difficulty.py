"""Difficulty labels on one scale: the raw label is kept, its polarity named, its value turned so that 1 is hardest.

Projects disagree on which way is up: Skywork-OR1 counts failures of 16 samples, POLARIS and Big-Math give pass rates,
AdaRFT the percentage failed, DeepScaleR the mean of eight votes from 1 to 10 (-1 where unknown).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.enums import Polarity
from schemas.errors import UsageError, did_you_mean

__all__ = ["SCALES", "Scale", "label"]

HARDER, EASIER = Polarity.HIGHER_IS_HARDER, Polarity.HIGHER_IS_EASIER


@dataclass(frozen=True)
class Scale:
    """A source's scale.

    Parameters
    ----------
    low, high
        Ends of a numeric scale; a number outside means that the difficulty is unknown.
    words
        Words of a scale and the numbers they stand for, lower case.
    """

    polarity: Polarity = HARDER
    low: float = 0.0
    high: float = 1.0
    words: Mapping[str, float] = field(default_factory=dict)

    def value(self, raw: Any) -> float | None:
        """Return ``raw`` on [0, 1] with 1 hardest, or None where the source does not know or does not order."""
        number = self.words.get(str(raw).strip().lower()) if self.words else _number(raw)
        if number is None or self.polarity is Polarity.UNORDERED or not self.low <= number <= self.high:
            return None
        share = (number - self.low) / (self.high - self.low)
        return 1 - share if self.polarity is EASIER else share


SCALES: Mapping[str, Scale] = {
    "level_5": Scale(HARDER, 1, 5),
    "votes_10": Scale(HARDER, 1, 10),
    "failures_16": Scale(HARDER, 0, 16),
    "failures_8": Scale(HARDER, 0, 8),
    "percent_failed": Scale(HARDER, 0, 100),
    "pass_rate": Scale(EASIER, 0, 1),
    "fraction_failed": Scale(HARDER, 0, 1),
    "cf_rating": Scale(HARDER, 800, 3500),
    # "Meidum" is a class of its own in published LeetCode labels.
    "words": Scale(words={"easy": 0, "medium": 0.5, "meidum": 0.5, "hard": 1}),
    "apps": Scale(words={"introductory": 0, "interview": 0.5, "competition": 1}),
    "taco": Scale(words={"easy": 0, "medium": 0.25, "medium_hard": 0.5, "hard": 0.75, "very_hard": 1}),
    "code_contests": Scale(words={"easy": 0, "medium": 0.25, "hard": 0.5, "harder": 0.75, "hardest": 1}),
    "letters": Scale(Polarity.UNORDERED),
}
"""Scales by the name a recipe gives in ``difficulty_scale``."""


def label(name: str, raw: Any, scale: str) -> list[dict[str, Any]]:
    """Return a label for the column ``difficulty`` (none if ``raw`` is null).

    Raises
    ------
    UsageError
        If no scale has that name.

    Examples
    --------
    >>> label("difficulty", 0.25, "pass_rate")
    [{'label': 'difficulty', 'raw': '0.25', 'value': 0.75, 'polarity': 'higher_is_easier'}]
    """
    if raw is None:
        return []
    if scale not in SCALES:
        raise UsageError(
            f"no difficulty scale is called {scale!r}; known are {', '.join(sorted(SCALES))}.",
            hint=did_you_mean(scale, SCALES),
        )
    known = SCALES[scale]
    return [{"label": name, "raw": str(raw), "value": known.value(raw), "polarity": known.polarity.value}]


def _number(raw: Any) -> float | None:
    """Return a number written as such, as ``Level 3`` or as a fraction like ``3/8``."""
    text = str(raw).strip().lower().removeprefix("level").strip()
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else float(numerator)
    except (ValueError, ZeroDivisionError):
        return None
