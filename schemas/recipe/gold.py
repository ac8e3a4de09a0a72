"""The ``gold`` section of a recipe: what a problem's own answers must show before anyone trains on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.recipe.base import Section
from schemas.recipe.verify import Verify

__all__ = ["Gold"]

Action = Literal["drop", "flag"]


class Gold(Section):
    """Gold sanity: tests accept the reference, refuse what is known to be wrong, and tell mutants apart."""

    accept: Literal["any", "all"] = "any"
    """Whether one accepted reference is enough, or all that are tried must be."""
    references: int = Field(default=1, ge=1)
    """References to try per problem, best first."""
    wrong: int = Field(default=5, ge=0)
    """Known-wrong answers to try per problem."""
    mutants: int = Field(default=10, ge=0)
    """Mutants of the reference to try per problem; 0 leaves the strength of tests unmeasured."""
    seed: int = 0
    """Seed of the choice of mutants."""
    no_reference: Action = "flag"
    """What becomes of a problem without a reference."""
    wrong_passes: Action = "flag"
    """What becomes of a problem whose tests accept a known-wrong answer."""
    trivial_passes: Action = "drop"
    """What becomes of a problem whose tests accept a program that does nothing."""
    contradictory_tests: Action = "drop"
    """What becomes of a problem that expects two results for one input."""
    verify: Verify = Verify()
    """How answers are judged."""
