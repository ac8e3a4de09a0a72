"""Which counts a rule reads, and shares held exactly: what filters and curricula have in common."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema, model_validator

from schemas.recipe.base import Section

__all__ = ["Band", "Bounds", "Interval", "Measure", "Share", "share"]

Interval = Literal["wilson", "jeffreys"]
Bounds = Literal["closed", "open", "left", "right"]
_LARGEST = 10**6


def share(value: Any) -> Fraction:
    """Return a share in [0, 1] exactly as it was written: ``0.2`` is 1/5, and so is ``"1/5"``.

    Raises
    ------
    ValueError
        If the value is no number in [0, 1], or its denominator exceeds a million.

    Examples
    --------
    >>> share(0.2), share("2/8")
    (Fraction(1, 5), Fraction(1, 4))
    """
    try:
        exact = Fraction(value) if isinstance(value, str | Fraction) else Fraction(Decimal(str(value)))
    except (ValueError, ZeroDivisionError, InvalidOperation, OverflowError) as error:
        raise ValueError(f"received {value!r}; a share is a number in [0, 1] such as 0.2 or '2/8'") from error
    if not 0 <= exact <= 1 or exact.denominator > _LARGEST:
        raise ValueError(f"received {value!r}; a share lies in [0, 1] and has at most six decimals")
    return exact


def _shown(value: Fraction) -> str:
    return str(value)


Share = Annotated[
    Fraction,
    BeforeValidator(share),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}]}),
]


class Measure(Section):
    """Names the counts to read; what is left out must be the same in all counts read."""

    policy: str | None = None
    """Model that answered."""
    policy_revision: str | None = None
    """Its revision or checkpoint."""
    sampler: str | None = None
    """Digest of the sampler's settings."""
    verifier_version: str | None = None
    """Version of the verdict interface that judged."""


class Band(Section):
    """A range of pass rates; compared as integers, c * b >= a * n, never as floats."""

    low: Share = Fraction(0)
    """Lower edge."""
    high: Share = Fraction(1)
    """Upper edge."""
    bounds: Bounds = "closed"
    """Edges that belong to the band: closed (both), open (none), left (only low), right (only high)."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high or (self.low == self.high and self.bounds != "closed"):
            raise ValueError(f"the band from {self.low} to {self.high} ({self.bounds}) holds no pass rate")
        return self
