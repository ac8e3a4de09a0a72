"""The documents of a run: read once, in batches; what later steps need stays as arrays and on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from dedup.text.own import Own
from dedup.text.shingles import sketch
from dedup.text.similarity import Pairs
from dedup.text.store import SetStore
from schemas.recipe.dedup import Dedup
from warehouse.engines import LocalEngine
from warehouse.stages import Services

__all__ = [
    "Documents",
    "exact_removals",
    "own_shingles",
    "read_documents",
]

_ROWS_AT_ONCE = 8192
_TEXTS_AT_ONCE = 1024
_TASK = "shingle texts"


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents, numbered in order of preference.

    Parameters
    ----------
    ids
        Record ids.
    digests, characters, guards
        As in `dedup.text.shingles.Sketch`.
    shingles
        The distinct shingles of each document.
    """

    ids: pl.Series
    digests: np.ndarray
    characters: np.ndarray
    guards: np.ndarray
    shingles: SetStore


def read_documents(rows: pl.LazyFrame, config: Dedup, services: Services) -> Documents:
    """Read documents and put them in order of preference.

    Parameters
    ----------
    rows
        Columns ``id`` and ``text``; by the others, in their order, and then by ``id``, the smallest comes first.
    """
    engine, progress = services.engine or LocalEngine(), services.progress
    progress.start(_TASK, rows.select(pl.len()).collect().item(), "texts")
    ranked: list[pl.DataFrame] = []
    store = SetStore(services.workspace.root)
    known: list[tuple[np.ndarray, ...]] = []
    for part in engine.map_chunks(partial(sketch, settings=config), _texts(rows, ranked), _TEXTS_AT_ONCE):
        store.append(part.sizes, part.shingles)
        known.append((part.digests, part.characters, part.guards))
        progress.advance(_TASK, len(part.sizes))
    store.seal()
    progress.finish(_TASK)
    return _ordered(pl.concat(ranked), known, store)


def _texts(rows: pl.LazyFrame, ranked: list[pl.DataFrame]) -> Iterator[str]:
    """Yield the texts in order of arrival, and set aside what ranks their records."""
    for batch in rows.collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True):
        ranked.append(batch.drop("text"))
        yield from batch["text"]


def _ordered(ranked: pl.DataFrame, known: list[tuple[np.ndarray, ...]], store: SetStore) -> Documents:
    by = [*(name for name in ranked.columns if name != "id"), "id"]
    ordered = ranked.with_row_index("arrival").sort(by)
    arrival = ordered["arrival"].to_numpy().astype(np.int64)
    digests, characters, guards = (np.concatenate(column)[arrival] for column in zip(*known, strict=True))
    return Documents(ordered["id"], digests, characters, guards, store.reordered(arrival))


def exact_removals(documents: Documents) -> Pairs:
    """Return the documents that repeat a preferred one (``later``), each with the first of its kind."""
    _, first, group = np.unique(documents.digests, axis=0, return_index=True, return_inverse=True)
    witness = first[group.ravel()]
    removed = np.flatnonzero(witness != np.arange(len(witness)))
    return Pairs(removed, witness[removed], np.ones(len(removed)))


def own_shingles(documents: Documents, compared: np.ndarray, own: Own, folder: Path) -> SetStore:
    """Return the sets in which near-duplicates are looked for, by number; empty for all but ``compared``."""
    store = SetStore(folder)
    for numbers in documents.shingles.batches(np.arange(len(documents.ids))):
        chosen = np.isin(numbers, compared, assume_unique=True)
        counts = np.zeros(len(numbers), np.int64)
        sizes = documents.shingles.sizes[numbers[chosen]]
        values = documents.shingles.read(numbers[chosen])
        counts[chosen], elements = own.elements(sizes, values, documents.guards[numbers[chosen]])
        store.append(counts, elements)
    store.seal()
    return store
