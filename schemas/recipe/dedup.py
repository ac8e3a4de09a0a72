"""What counts as the same prompt twice, and which of the two stays."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.recipe.base import Section

__all__ = ["Dedup", "PinnedDedup", "PublishedTexts"]


class Dedup(Section):
    """Exact and near-duplicate prompts.

    Two prompts are *exact* duplicates if their statements are equal after normalisation (NFC, white space made one
    space, case folded if `casefold`). They are *near* duplicates if the Jaccard similarity of their sets of shingles
    is at least `threshold` and the guards `keep_numbers` and `keep_operators` find no difference.
    """

    casefold: bool = True
    """Upper and lower case are the same."""
    near: bool = True
    """Look for near-duplicates; exact ones are always looked for."""
    unit: Literal["words", "characters"] = "words"
    """What a shingle is made of: runs of letters, digits and underscores, or single characters."""
    width: Annotated[int, Field(ge=1, le=64)] = 5
    """Consecutive units in a shingle."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Least Jaccard similarity of near-duplicates."""
    keep_numbers: bool = True
    """Prompts whose numbers differ, read in order, are different problems."""
    keep_operators: bool = True
    """Prompts whose mathematical signs differ, read in order, are different problems."""
    fewest: Annotated[int, Field(ge=1)] = 6
    """A document with fewer distinct shingles of its own than this is compared exactly only."""
    common_share: Annotated[float, Field(gt=0, le=1)] | None = 0.01
    """A shingle in more than this share of the documents, and in more than `common_least`, is boilerplate and does
    not count; null counts everything."""
    common_least: Annotated[int, Field(ge=1)] = 50
    """A shingle in this many documents or fewer is never boilerplate."""
    longest: Annotated[int, Field(ge=1)] = 2_000_000
    """Documents of more characters than this are compared exactly only, and flagged."""
    candidates: Literal["exact", "minhash", "auto"] = "auto"
    """How pairs worth comparing are found: `exact` misses none; `minhash` takes less memory and misses a known share;
    `auto` is exact for up to `exact_up_to` documents. Similarities are counted exactly either way."""
    exact_up_to: Annotated[int, Field(ge=0)] = 10_000_000
    """Documents from which `auto` goes over to MinHash."""
    minhash_recall: Annotated[float, Field(gt=0, lt=1)] = 0.98
    """Least probability with which MinHash finds a pair exactly at the threshold; more similar pairs are likelier."""
    against: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*@[0-9]+\.[0-9]+\.[0-9]+$")], ...] = ()
    """Published versions, each `NAME@VERSION`: whatever repeats one of their prompts goes; theirs all stay."""
    sources: tuple[str, ...] = ()
    """Sources whose records are preferred, best first; sources that are not named come after them, all alike."""
    prefer: tuple[Literal["most_tests", "most_references", "longest", "earliest"], ...] = (
        "most_tests",
        "most_references",
    )
    """What decides between records of equally good sources, first rule first; the smaller problem id decides last."""


class PublishedTexts(Section):
    """A published version, with the hash of its rows."""

    dataset: str
    """Name of the dataset."""
    version: str
    """Its version."""
    content_hash: str
    """Content hash of that version: the stage's key follows it."""


class PinnedDedup(Dedup):
    """Configuration of the stage ``dedup``: the recipe's, with what it is held against made certain."""

    published: tuple[PublishedTexts, ...] = ()
    """The versions that `against` names."""
