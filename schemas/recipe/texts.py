"""A table of documents to be freed of repetitions: where it lies, and what in it is compared."""

from __future__ import annotations

from schemas.recipe.base import Section
from schemas.recipe.dedup import PinnedDedup, PublishedTexts
from schemas.recipe.sources import SourceFile

__all__ = ["TextTable"]


class TextTable(Section):
    """Configuration of the stage ``text_duplicates``: its key changes exactly when settings or content do."""

    files: tuple[SourceFile, ...] = ()
    """Files of the table, in name order; or else ..."""
    dataset: PublishedTexts | None = None
    """... the version that is the table."""
    text: tuple[str, ...]
    """Columns whose texts, one after another, are the document."""
    id: str | None = None
    """Column that names a document; None for the number of its row, from 0."""
    alike: PinnedDedup = PinnedDedup()
    """What counts as the same text twice."""
