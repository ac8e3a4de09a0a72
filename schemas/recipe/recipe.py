"""A whole recipe: what a person asks for, one file per dataset."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.base import Section
from schemas.recipe.curricula import Curricula, Plain
from schemas.recipe.decontaminate import Decontaminate
from schemas.recipe.dedup import Dedup
from schemas.recipe.filters import Filters
from schemas.recipe.gold import Gold
from schemas.recipe.normalise import Normalise
from schemas.recipe.publish import Publish
from schemas.recipe.rollouts import Rollouts
from schemas.recipe.sources import Limits, Source, Sources
from schemas.recipe.verify import Verify

__all__ = ["Checkpoint", "Recipe"]


class Checkpoint(Section):
    """The newest checkpoint of a policy in training, and how to sample it."""

    rollouts: Rollouts
    """Policies and settings; the last policy is the newest checkpoint."""


class Recipe(Section):
    """How a prompt set is built, from its sources to its exports."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Name of the dataset: lower-case letters, digits and underscores."""
    engine: Literal["local", "spark"] = "local"
    """Where scale-out work runs; the result is the same."""
    sources: tuple[Source, ...] = Field(min_length=1)
    """What to read, in order: of two equal problems the first read is kept."""
    limits: Limits = Limits()
    """Size limits of one source row."""
    normalise: Normalise = Normalise()
    """What a well-formed problem is."""
    dedup: Dedup = Dedup()
    """What counts as the same prompt twice."""
    decontaminate: Decontaminate = Decontaminate()
    """Which benchmarks must not be in the set."""
    verify: Verify = Verify()
    """How answers are judged, wherever `gold` or `rollouts` do not say otherwise."""
    gold: Gold = Gold()
    """What a problem's own answers must show."""
    rollouts: Rollouts
    """Which policies answer, and how often."""
    filters: Filters = Filters()
    """Rules by name."""
    curricula: Curricula = Curricula(plain=(Plain(),))
    """How the surviving problems are laid out for training."""
    publish: Publish = Publish()
    """How versions are released, and to whom."""

    @model_validator(mode="before")
    @classmethod
    def _verify_everywhere(cls, given: Any) -> Any:
        """Hand `verify` down to the sections that judge."""
        if not isinstance(given, dict) or "verify" not in given:
            return given
        handed = dict(given)
        for section in ("gold", "rollouts"):
            inner = given.get(section, {})
            if isinstance(inner, dict):
                handed[section] = {"verify": given["verify"], **inner}
        return handed

    @model_validator(mode="after")
    def _sources_hold_together(self) -> Self:
        self.reads()
        return self

    def reads(self) -> Sources:
        """Return the sources with their limits, as the stage ``read`` takes them."""
        return Sources(sources=self.sources, limits=self.limits)
