"""Recipes: all that it takes, besides one version of its parent, to write a table's files again bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.ids import digest

__all__ = ["POSITIONS", "Part", "Recipe", "StoredFile", "recipe_id"]

POSITIONS = -1
"""Place of the row numbers among a recipe's parts; patches stand at the number of their file."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a deleted table.

    Parameters
    ----------
    digest
        Of its bytes.
    layout
        Number of its layout in the recipe; None where it is made from the parent's bytes.
    """

    path: str
    bytes: int
    digest: str
    mtime_ns: int
    mode: int
    rows: int = 0
    layout: int | None = None


@dataclass(frozen=True)
class Recipe:
    """How a table is made from its parent.

    Parameters
    ----------
    id
        As `recipe_id` makes it.
    method
        ``copy``: its files are the parent's. ``bytes``: they are patches of the parent's. ``rows``: rows of the parent,
        taken by number and written in a layout, then patched where that is not the file yet.
    made_with
        Versions of the libraries that wrote the files again.
    summary
        The recipe in a few words.
    """

    id: str
    table: str
    rows: int
    files: tuple[StoredFile, ...]
    parent: str
    parent_version: str
    columns: tuple[str, ...]
    method: Literal["copy", "bytes", "rows"]
    layouts: tuple[Mapping[str, Any], ...] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def table_bytes(self) -> int:
        """Size of the table's files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a recipe: a block of the patch of file ``place``, or the row numbers."""

    place: int
    number: int
    content: bytes


def recipe_id(table: str, version: str, parent: str, parent_version: str) -> str:
    """Return the id of the recipe that makes one version of a table from one version of a parent."""
    return digest([table, version, parent, parent_version])[:16]
