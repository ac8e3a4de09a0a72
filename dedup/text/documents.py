"""The documents of a run: read once, in batches; what later steps need stays as arrays and on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from dedup.text.counts import common
from dedup.text.hashing import mix
from dedup.text.ragged import owners
from dedup.text.shingles import sketch
from dedup.text.similarity import Pairs
from dedup.text.store import SetStore
from schemas.recipe.dedup import Dedup
from warehouse.engines import Engine
from warehouse.progress import Progress

__all__ = ["Documents", "exact_removals", "own_shingles", "read_documents", "statements"]

_ROWS_AT_ONCE = 8192
_TEXTS_AT_ONCE = 1024
_TASK = "shingle prompts"


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


def statements() -> pl.Expr:
    """Return what `schemas.ids.statement` returns, as an expression over the column ``prompt``."""
    message = pl.element().struct
    said = message.field("content").filter(message.field("role").ne_missing("system"))
    return pl.col("prompt").list.eval(said).list.join("\n\n").fill_null("")


def read_documents(
    rows: pl.LazyFrame,
    config: Dedup,
    engine: Engine,
    folder: Path,
    progress: Progress,
) -> Documents:
    """Read the prompts of problems and put them in order of preference.

    Parameters
    ----------
    rows
        Table of the contract ``problem``.
    folder
        Folder for temporary files; shingles take 8 bytes each.
    """
    progress.start(_TASK, rows.select(pl.len()).collect().item())
    ranked: list[pl.DataFrame] = []
    store = SetStore(folder)
    known: list[tuple[np.ndarray, ...]] = []
    for part in engine.map_chunks(partial(sketch, settings=config), _texts(rows, config, ranked), _TEXTS_AT_ONCE):
        store.append(part.sizes, part.shingles)
        known.append((part.digests, part.characters, part.guards))
        progress.advance(_TASK, len(part.sizes))
    store.seal()
    progress.finish(_TASK)
    return _ordered(pl.concat(ranked), known, store)


def _texts(rows: pl.LazyFrame, config: Dedup, ranked: list[pl.DataFrame]) -> Iterator[str]:
    """Yield the statements in order of arrival, and set aside what ranks their records."""
    needed = rows.select("problem_id", "source", "date", "tests", "reference_solutions", text=statements())
    for batch in needed.collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True):
        ranked.append(_preferences(batch, config))
        yield from batch["text"]


def _preferences(batch: pl.DataFrame, config: Dedup) -> pl.DataFrame:
    """Return the ids with the columns that order them, smallest first."""
    unnamed = len(config.sources)
    rank = {source: place for place, source in enumerate(config.sources)}
    by_source = pl.col("source").replace_strict(rank, default=unnamed, return_dtype=pl.Int64)
    rules = {
        "most_tests": -pl.col("tests").map_elements(_length, return_dtype=pl.Int64, skip_nulls=False),
        "most_references": -pl.col("reference_solutions").list.len().cast(pl.Int64).fill_null(0),
        "longest": -pl.col("text").str.len_chars().cast(pl.Int64),
        "earliest": pl.col("date").to_physical().cast(pl.Int64).fill_null(np.iinfo(np.int32).max),
    }
    return batch.select("problem_id", by_source.alias("source"), **{name: rules[name] for name in config.prefer})


def _length(tests: str | None) -> int:
    try:
        found = json.loads(tests or "")
    except ValueError:
        return 0
    return len(found) if isinstance(found, list) else 0


def _ordered(ranked: pl.DataFrame, known: list[tuple[np.ndarray, ...]], store: SetStore) -> Documents:
    by = [*(name for name in ranked.columns if name != "problem_id"), "problem_id"]
    ordered = ranked.with_row_index("arrival").sort(by)
    arrival = ordered["arrival"].to_numpy().astype(np.int64)
    digests, characters, guards = (np.concatenate(column)[arrival] for column in zip(*known, strict=True))
    return Documents(ordered["problem_id"], digests, characters, guards, store.reordered(arrival))


def exact_removals(documents: Documents) -> Pairs:
    """Return the documents that repeat a preferred one (``later``), each with the first of its kind."""
    _, first, group = np.unique(documents.digests, axis=0, return_index=True, return_inverse=True)
    witness = first[group.ravel()]
    removed = np.flatnonzero(witness != np.arange(len(witness)))
    return Pairs(removed, witness[removed], np.ones(len(removed)))


def own_shingles(documents: Documents, apart_from: np.ndarray, config: Dedup, folder: Path) -> SetStore:
    """Return the sets in which near-duplicates are looked for, by number in order of preference.

    Boilerplate is left out. Guards enter every element, so that two documents whose guards differ share none.
    Documents with fewer than `Dedup.fewest` elements, and those in ``apart_from``, are empty sets.
    """
    everyone = np.arange(len(documents.ids))
    compared = np.setdiff1d(everyone[documents.shingles.sizes >= config.fewest], apart_from)
    boilerplate = _boilerplate(documents.shingles, compared, config)
    own = SetStore(folder)
    for numbers in documents.shingles.batches(everyone):
        chosen = np.isin(numbers, compared, assume_unique=True)
        sizes = documents.shingles.sizes[numbers]
        values = documents.shingles.read(numbers)
        kept = np.repeat(chosen, sizes) & ~_listed(values, boilerplate)
        counts = np.bincount(owners(sizes)[kept], minlength=len(numbers))
        enough = counts >= config.fewest
        kept &= np.repeat(enough, sizes)
        counts = np.where(enough, counts, 0)
        own.append(counts, _guarded(values[kept], np.repeat(documents.guards[numbers], counts), counts))
    own.seal()
    return own


def _boilerplate(shingles: SetStore, compared: np.ndarray, config: Dedup) -> np.ndarray:
    if config.common_share is None:
        return np.zeros(0, np.uint64)
    limit = max(config.common_least, int(config.common_share * len(compared)))
    if limit >= len(compared):
        return np.zeros(0, np.uint64)
    expected = int(shingles.sizes[compared].sum())
    return common(lambda: map(shingles.read, shingles.batches(compared)), expected, limit)


def _listed(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Return which values are in ``ascending``; faster than sorting both when that is short."""
    if not ascending.size:
        return np.zeros(len(values), bool)
    return ascending[np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)] == values


def _guarded(values: np.ndarray, guards: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return 63-bit elements that differ where shingle or guard does, each document's in ascending order."""
    elements = mix(values ^ mix(guards)) >> np.uint64(1)
    order = np.argsort(elements)
    return elements[order][np.argsort(owners(counts)[order].astype(np.uint16), kind="stable")]
