"""What counts as the same prompt twice, and which of the two stays."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.recipe.base import Section

__all__ = ["Dedup"]


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
    sources: tuple[str, ...] = ()
    """Sources whose records are preferred, best first; sources that are not named come after them, all alike."""
    prefer: tuple[Literal["most_tests", "most_references", "longest", "earliest"], ...] = (
        "most_tests",
        "most_references",
    )
    """What decides between records of equally good sources, first rule first; the smaller problem id decides last."""
