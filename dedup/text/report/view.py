"""What a page tells of the repetitions of a table: how alike they are, which texts are repeated most, and pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from dedup.text.report.marks import Piece, marked
from schemas.recipe.dedup import Dedup
from warehouse.report.charts import Bar, Part, band

__all__ = ["Example", "Group", "View"]

_BINS = 10
_PAIRS = 10
_COPIES = 2
_GROUPS = 12
_BEGINNING = 240
_ROUNDING = 1e-9
_SIZES = (2, 3, 4, 5, 10, 20, 50, 100, 1_000, 10_000, 2**62)
Texts = Callable[[Iterable[str], bool], Mapping[str, str]]
"""Gives the texts of documents by id: those of the table, or the published ones."""


@dataclass(frozen=True, slots=True)
class Example:
    """A removed document beside its witness."""

    removed_id: str
    witness_id: str
    similarity: float
    kind: str
    published: bool
    removed: Sequence[Piece]
    witness: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Group:
    """A kept document with those that it stands for.

    Parameters
    ----------
    size
        Documents, the kept one among them.
    least
        Similarity of the least alike.
    beginning
        Of the kept document's text.
    """

    witness_id: str
    published: bool
    size: int
    least: float
    beginning: str


@dataclass(frozen=True)
class View:
    """The removals of a table, made ready for a page.

    Parameters
    ----------
    removals
        Rows of the contract ``text_removal``.
    steps
        Rows of the contract ``text_step``, in order.
    alike
        What counted as the same text.
    texts
        Where the texts of the few documents that are shown come from.
    """

    removals: pl.DataFrame
    steps: Sequence[Mapping[str, Any]]
    alike: Dedup
    texts: Texts

    @property
    def settings(self) -> str:
        """What counted as the same text, as JSON."""
        return self.alike.model_dump_json(indent=1, exclude={"sources", "published"})

    @property
    def funnel(self) -> list[tuple[Mapping[str, Any], list[Part]]]:
        """Each step, with what it kept and took out as parts of a band."""
        most = max((step["documents"] for step in self.steps), default=0)
        return [(step, band((("kept", _left(step)), ("dropped", _gone(step))), most)) for step in self.steps]

    @cached_property
    def similarities(self) -> list[Bar]:
        """Near-duplicates by similarity, from the threshold to 1."""
        near = self.removals.filter(kind="near")["similarity"].to_numpy()
        if not near.size:
            return []
        width = (1 - self.alike.threshold) / _BINS
        if not width:
            return [Bar("1", len(near))]
        place = np.clip((near - self.alike.threshold) / width + _ROUNDING, 0, _BINS - 1).astype(int)
        counts = np.bincount(place, minlength=_BINS).tolist()
        return [Bar(f"{self.alike.threshold + n * width:.2f}+", count) for n, count in enumerate(counts)]

    @cached_property
    def _groups(self) -> pl.DataFrame:
        grouped = self.removals.group_by("witness_id", "published")
        found = grouped.agg(size=pl.len() + 1, least=pl.col("similarity").min())
        return found.sort("size", "published", "witness_id", descending=[True, False, False])

    @cached_property
    def sizes(self) -> list[Bar]:
        """Groups by how many documents they have."""
        counts = [self._groups.filter(pl.col("size").is_between(a, b - 1)).height for a, b in pairwise(_SIZES)]
        bars = [Bar(_range(a, b), count) for (a, b), count in zip(pairwise(_SIZES), counts, strict=True)]
        last = max((n for n, count in enumerate(counts) if count), default=-1)
        return bars[: last + 1]

    @cached_property
    def groups(self) -> list[Group]:
        """The largest groups."""
        return [Group(**row, beginning=_beginning(self._found.get(_witness(row), ""))) for row in self._largest]

    @cached_property
    def examples(self) -> list[Example]:
        """Near-duplicates from the least alike to the most, at even steps, and copies."""
        return [self._example(row) for row in self._pairs]

    def _example(self, row: Mapping[str, Any]) -> Example:
        texts = (self._found.get(key, "") for key in (_removed(row), _witness(row)))
        removed, witness = marked(*texts, casefold=self.alike.casefold)
        return Example(**row, removed=removed, witness=witness)

    @cached_property
    def _largest(self) -> list[dict[str, Any]]:
        return self._groups.head(_GROUPS).to_dicts()

    @cached_property
    def _pairs(self) -> list[dict[str, Any]]:
        near = self.removals.filter(kind="near").sort("similarity", "removed_id")
        spread = np.unique(np.linspace(0, near.height - 1, _PAIRS).astype(int)) if near.height else []
        copies = self.removals.filter(kind="exact").sort("removed_id").head(_COPIES)
        return [*near[spread].to_dicts(), *copies.to_dicts()]

    @cached_property
    def _found(self) -> dict[tuple[str, bool], str]:
        """The texts of all documents that are shown, by id and whether they are published ones; read in one go."""
        asked = {*map(_removed, self._pairs), *map(_witness, [*self._largest, *self._pairs])}
        found = {}
        for published in (False, True):
            if ids := {name for name, of in asked if of == published}:
                found |= {(name, published): text for name, text in self.texts(ids, published).items()}
        return found


def _removed(row: Mapping[str, Any]) -> tuple[str, bool]:
    return row["removed_id"], False


def _witness(row: Mapping[str, Any]) -> tuple[str, bool]:
    return row["witness_id"], row["published"]


def _gone(step: Mapping[str, Any]) -> int:
    return step["removed"] + (step["aside"] if step["step"] == "read" else 0)


def _left(step: Mapping[str, Any]) -> int:
    return step["documents"] - _gone(step)


def _range(first: int, beyond: int) -> str:
    if beyond == first + 1:
        return f"{first:,}"
    return f"{first:,}+" if beyond == _SIZES[-1] else f"{first:,}-{beyond - 1:,}"


def _beginning(text: str) -> str:
    return text if len(text) <= _BEGINNING else f"{text[:_BEGINNING].rstrip()}…"
