"""Making the index of published documents: once per content, taking from older indexes what they hold already."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from dedup.text.lookup import write, write_directory
from dedup.text.published import COLUMNS, DIGESTS, IDS, META, SHINGLES, Published
from dedup.text.ragged import starts_of
from dedup.text.shingles import sketch
from dedup.text.store import SetStore
from schemas.ids import digest
from schemas.recipe.dedup import Dedup
from warehouse.engines import LocalEngine
from warehouse.janitor import INDEXES
from warehouse.stages import Services

__all__ = ["published_index"]

_FORMAT = "2"
_SETTINGS = ("casefold", "near", "unit", "width", "keep_numbers", "keep_operators", "fewest", "common_least", "longest")
_ROWS_AT_ONCE = 8192
_TEXTS_AT_ONCE = 1024
_VALUES_AT_ONCE = 4_000_000
_TASK = "index published"


@dataclass(frozen=True, slots=True)
class _Sketches:
    """Sketches of documents, in order of their ids, each distinct text once."""

    ids: pl.Series
    digests: np.ndarray
    guards: np.ndarray
    sets: SetStore


def published_index(rows: pl.LazyFrame, content: str, config: Dedup, services: Services) -> Published:
    """Return the index of documents, made now if it is not there yet.

    Parameters
    ----------
    rows
        Columns ``id``, a name for what the text says, and ``text``; an id that comes again is the same document.
    content
        Names the rows by their content.
    """
    settings = digest([_FORMAT, config.model_dump(mode="json", include=set(_SETTINGS))])
    shelf = services.workspace.root / "work" / INDEXES / settings
    home = shelf / content
    with services.workspace.lock(f"{INDEXES}-{settings}-{content}"):
        if not (home / META).exists():
            staging = shelf / f".{content}.{os.getpid()}"
            try:
                _write(_sketches(rows, shelf, config, services), config, staging)
                shutil.rmtree(home, ignore_errors=True)
                staging.rename(home)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    os.utime(home)
    return Published(home)


def _sketches(rows: pl.LazyFrame, shelf: Path, config: Dedup, services: Services) -> _Sketches:
    engine, progress = services.engine or LocalEngine(), services.progress
    firsts = rows.select("id").with_row_index("row").group_by("id").agg(pl.col("row").min()).collect()
    shelf.mkdir(parents=True, exist_ok=True)
    store = SetStore(shelf)
    ids, known = [], []
    progress.start(_TASK, firsts.height, "texts")
    for some_ids, digests, guards, sizes, shingles in _known(shelf, firsts["id"]):
        ids.append(some_ids)
        known.append((digests, guards))
        store.append(sizes, shingles)
        progress.advance(_TASK, len(sizes))
    missing = firsts.filter(~pl.col("id").is_in(pl.concat(ids).implode())) if ids else firsts
    for part in engine.map_chunks(partial(sketch, settings=config), _texts(rows, missing, ids), _TEXTS_AT_ONCE):
        known.append((part.digests, part.guards))
        store.append(part.sizes, part.shingles)
        progress.advance(_TASK, len(part.sizes))
    store.seal()
    progress.finish(_TASK)
    return _distinct(pl.concat(ids), *(np.concatenate(column) for column in zip(*known, strict=True)), store)


def _texts(rows: pl.LazyFrame, wanted: pl.DataFrame, ids: list[pl.Series]) -> Iterator[str]:
    numbered = rows.with_row_index("row").filter(pl.col("row").is_in(wanted["row"].implode()))
    for batch in numbered.select("id", "text").collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True):
        ids.append(batch["id"])
        yield from batch["text"]


def _known(
    shelf: Path, wanted: pl.Series
) -> Iterator[tuple[pl.Series, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the sketches of the documents that other indexes hold, each once."""
    taken = wanted.clear()
    for folder in sorted(path.parent for path in shelf.glob(f"[!.]*/{META}")):
        ids = pl.read_ipc(folder / IDS)["id"]
        numbers = np.flatnonzero(ids.is_in(wanted.implode()) & ~ids.is_in(taken.implode()))
        if not numbers.size:
            continue
        index = Published(folder)
        for cut in np.array_split(numbers, len(numbers) // _ROWS_AT_ONCE + 1):
            yield (ids.gather(cut), *index.sketches(cut))
        taken = pl.concat([taken, ids.gather(numbers)])


def _distinct(ids: pl.Series, digests: np.ndarray, guards: np.ndarray, sets: SetStore) -> _Sketches:
    order = ids.arg_sort().to_numpy().astype(np.int64)
    _, first = np.unique(digests[order], axis=0, return_index=True)
    chosen = order[np.sort(first)]
    return _Sketches(ids.gather(chosen), digests[chosen], guards[chosen], sets.reordered(chosen))


def _write(made: _Sketches, config: Dedup, folder: Path) -> None:
    folder.mkdir(parents=True)
    made.ids.alias("id").to_frame().write_ipc(folder / IDS, compression="uncompressed")
    order = np.argsort(made.digests[:, 0], kind="stable")
    write(folder, DIGESTS, "u8", [made.digests[order, 0]])
    write_directory(folder, DIGESTS)
    everyone = np.arange(len(made.ids))
    compared = np.flatnonzero(made.sets.sizes >= config.fewest)
    columns = {
        "digests-document": [order],
        "documents-digests": [made.digests.ravel()],
        "guards": [made.guards],
        "sets-starts": [starts_of(made.sets.sizes)],
        "sets": map(made.sets.read, made.sets.batches(everyone)),
    }
    for name, batches in columns.items():
        write(folder, name, COLUMNS[name], batches)
    _write_shingles(made.sets, compared, config, folder)
    (folder / META).write_text(json.dumps({"documents": len(made.ids), "compared": len(compared)}))


def _write_shingles(sets: SetStore, compared: np.ndarray, config: Dedup, folder: Path) -> None:
    """Write which documents hold each shingle."""
    often, times = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    frequency = [np.zeros(1, np.int64)]

    def written() -> Iterator[np.ndarray]:
        for shingles, holders in _ranges(sets, compared):
            distinct, first = np.unique(shingles, return_index=True)
            counts = np.diff(first, append=len(shingles))
            frequency.append(counts)
            often.append(distinct[counts > config.common_least // 2])
            times.append(counts[counts > config.common_least // 2])
            holding.write(holders.astype(COLUMNS["shingles-documents"]).data)
            yield distinct

    with (folder / f"shingles-documents.{COLUMNS['shingles-documents']}").open("wb") as holding:
        write(folder, SHINGLES, "u8", written())
    write_directory(folder, SHINGLES)
    write(folder, "shingles-starts", COLUMNS["shingles-starts"], [np.cumsum(np.concatenate(frequency))])
    common, counts = np.concatenate(often), np.concatenate(times)
    falling = np.lexsort((common, -counts))
    write(folder, "common", COLUMNS["common"], [common[falling]])
    write(folder, "common-counts", COLUMNS["common-counts"], [counts[falling]])


def _ranges(sets: SetStore, compared: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the shingles in ascending order, each with a document that holds it, a range of hashes at a time."""
    ranges = int(sets.sizes[compared].sum()) // _VALUES_AT_ONCE + 1
    for place in range(ranges):
        shingles, holders = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for numbers in sets.batches(compared):
            values = sets.read(numbers)
            within = ((values >> np.uint64(32)) * np.uint64(ranges)) >> np.uint64(32) == place
            shingles.append(values[within])
            holders.append(np.repeat(numbers, sets.sizes[numbers])[within])
        found = np.concatenate(shingles)
        order = np.argsort(found, kind="stable")
        yield found[order], np.concatenate(holders)[order]
