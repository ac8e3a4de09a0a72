"""Decontamination of a recipe: the benchmarks that must not be in the set, and what counts as being in it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.recipe.base import Section
from schemas.recipe.patterns import Pattern
from schemas.recipe.sources import Limits, Source, Sources

__all__ = ["Boilerplate", "Decontaminate", "Template"]

Cut = Literal["fences", "examples", "asserts", "constraints"]
Shipped = Literal["any_8_gram", "any_13_gram", "fuzz_95"]


class Template(Section):
    """Text around a problem that says nothing about it; it is cut away before anything is compared."""

    min_share: float = Field(default=0.01, gt=0, le=1)
    """A line in at least this share of a source's problems is a template."""
    min_rows: int = Field(default=10, ge=2)
    """... if it is in at least this many of them."""
    sample: int = Field(default=20_000, ge=1)
    """Problems per source in which templates are looked for: those with the smallest ids, a uniform sample."""
    cut: tuple[Cut, ...] = ("fences", "examples", "asserts", "constraints")
    """Blocks to cut: fenced code, worked examples, assert lines, lists of constraints."""
    patterns: tuple[Pattern, ...] = ()
    """Further regular expressions (Rust syntax) to cut."""


class Boilerplate(Section):
    """Runs of words that many problems share by habit, such as how AIME asks for m + n: evidence of nothing."""

    max_items: int = Field(default=10, ge=1)
    """A run in more benchmark items than this is boilerplate."""
    max_share: float = Field(default=0.01, gt=0, le=1)
    """So is a run in more than this share of the sampled training problems (and in more than ``max_items``)."""
    phrases: tuple[str, ...] = (
        "m and n are relatively prime positive integers",
        "can be written in the form",
        "can be expressed as",
        "where m and n are relatively prime positive integers find m + n",
    )
    """Phrases cut from every text."""


class Decontaminate(Section):
    """Which benchmarks must not be in the set, and from which overlap on a problem is out."""

    benchmarks: tuple[Source, ...] = ()
    """The benchmarks, read like any other source."""
    exact: bool = True
    """Drop a problem whose text equals a benchmark item's, templates cut, case, spaces and punctuation aside."""
    ngram: int = Field(default=5, ge=2)
    """Words in a run."""
    containment: float = Field(default=0.6, gt=0, le=1)
    """Drop from this share of an item's runs of words on."""
    same_numbers: bool = True
    """Spare a problem that lacks a number of the item: the same question about other numbers is another problem. It is
    reported as ``other_numbers``."""
    min_ngrams: int = Field(default=3, ge=1)
    """An item with fewer runs of its own is too short for containment and is looked for whole."""
    short_share: float = Field(default=0.6, gt=0, le=1)
    """Drop a problem that holds a short item whole, if the item is at least this share of the problem's words."""
    template: Template = Template()
    """What is cut away first."""
    boilerplate: Boilerplate = Boilerplate()
    """What counts for nothing."""
    report: tuple[Shipped, ...] = ("any_8_gram", "any_13_gram")
    """Rules that other projects ship, run on the uncut text to tell what each would have removed; none drops a row."""

    def reads(self, limits: Limits) -> Sources | None:
        """Return the benchmarks as the stage ``read`` takes them; None if there are none."""
        return Sources(sources=self.benchmarks, limits=limits) if self.benchmarks else None
