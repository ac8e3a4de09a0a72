"""Normalisation of a recipe: what is cleaned in a prompt, and which prompts are out."""

from __future__ import annotations

from pydantic import Field

from schemas.recipe.base import Section

__all__ = ["Normalise"]


class Normalise(Section):
    """Cleaning that changes no meaning, and the limits that a cleaned prompt must keep to."""

    min_chars: int = Field(default=1, ge=1)
    """Least number of characters of the statement."""
    max_chars: int = Field(default=100_000, ge=1)
    """Greatest number of characters of the statement."""
    languages: tuple[str, ...] = ()
    """Programming languages to keep; empty for all. A problem without one is kept."""
    max_foreign_letters: float | None = Field(default=None, ge=0, le=1)
    """Greatest share of letters outside the Latin and Greek scripts; null for no limit."""
