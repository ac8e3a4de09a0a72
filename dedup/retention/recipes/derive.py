"""Finding the recipe of a table: the smallest that reproduces its files, or the reason why none is worth keeping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from dedup.lake.files.compression import compressed
from dedup.lake.files.tables import Print, Table
from dedup.retention.files import inside
from dedup.retention.recipes import render
from dedup.retention.recipes.gather import gather
from dedup.retention.recipes.patch import difference
from dedup.retention.recipes.positions import encoded, positions
from dedup.retention.recipes.rebuild import Slice
from dedup.retention.recipes.recipe import POSITIONS, Part, Recipe, StoredFile, recipe_id
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import Priced, Recipes
from schemas.errors import InputError
from warehouse.fingerprint import file_sha256

__all__ = ["Pair", "derive"]

_LARGEST = 64 << 20
"""A patch of more bytes than this is not worth making: the tables have little in common."""
_LIBRARIES = ("polars", "pyarrow", "duckdb")
_UNREADABLE = (InputError, pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, duckdb.Error)
Layout = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A table and the one that it may be made from.

    Parameters
    ----------
    policy
        Under which the child is contained in the parent.
    """

    child: Table
    parent: Table
    policy: str

    @property
    def id(self) -> str:
        """Names the recipe that makes the child from the parent."""
        return recipe_id(self.child.name, self.child.version, self.parent.name, self.parent.version)


@dataclass(frozen=True)
class _Draft:
    """A recipe in the making, each of its parts in a file of blocks."""

    recipe: Recipe
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        return sum(len(part.content) for part in self.parts)

    @property
    def patched(self) -> bool:
        return any(part.place != POSITIONS for part in self.parts)


def derive(pair: Pair, recipes: Recipes, sources: Sources, scratch: Path) -> Priced:
    """Find the smallest recipe that makes the files of a child from its parent, and store it.

    Three ways are tried: the parent's files are the child's; the parent's rows, taken by number and written in the
    layout of the child's files; the parent's bytes, patched. The first that needs no patch is taken, else the
    smallest.

    Parameters
    ----------
    scratch
        Folder for what is needed on the way.

    Returns
    -------
    Priced
        The recipe and its size; or, where no recipe is smaller than the table, the reason ``no_saving``
        (``compressed`` if nobody can tell how its files were packed), and where a file is not what was scanned,
        ``changed``.
    """
    best: _Draft | None = None
    try:
        for table in (pair.child, pair.parent):
            for file, found in zip(table.files, table.prints, strict=True):
                sources.check(file.name, found.digest)
        for draft in _drafts(pair, sources, scratch):
            if best is None or draft.size < best.size:
                best = draft
            if not draft.patched:
                break
    except InputError:
        return recipes.refuse(pair.id, "changed")
    priced = recipes.put(best.recipe, _bare(pair.parent), best.parts) if best else None
    if priced is None or priced.bytes >= pair.child.bytes:
        return recipes.refuse(pair.id, "compressed" if _compressed(pair.child, sources.root) else "no_saving")
    return priced


def _compressed(table: Table, root: Path) -> bool:
    return table.format != "parquet" and any(compressed(inside(root, file.name)) for file in table.files)


def _bare(parent: Table) -> Table:
    """Return what reading a table takes, wherever its lake is moved to."""
    files = tuple(replace(file, place="", stamp="") for file in parent.files)
    prints = tuple(replace(found, block=None, bounds=()) for found in parent.prints)
    return replace(parent, files=files, prints=prints)


def _drafts(pair: Pair, sources: Sources, scratch: Path) -> Iterator[_Draft]:
    child, parent = pair.child, pair.parent
    blank = _blank(pair, sources.root)
    if [found.digest for found in child.prints] == [found.digest for found in parent.prints]:
        yield _Draft(replace(blank, method="copy", summary=f"copy of {parent.name}"), ())
        return
    with suppress(*_UNREADABLE):
        if not _compressed(child, sources.root):
            yield _by_rows(blank, pair, sources, scratch)
    if len(child.files) == len(parent.files):
        told = f"patch of the bytes of {parent.name}"
        pairs = zip(parent.files, child.files, strict=True)
        patches = [_patch(sources.root / base.name, sources.root / target.name) for base, target in pairs]
        if all(patch is not None for patch in patches):
            yield _Draft(replace(blank, method="bytes", summary=told), tuple(_numbered(patches)))


def _blank(pair: Pair, root: Path) -> Recipe:
    child = pair.child
    return Recipe(
        id=pair.id,
        table=child.name,
        rows=child.rows,
        files=tuple(_stored(root, file.name, found) for file, found in zip(child.files, child.prints, strict=True)),
        parent=pair.parent.name,
        parent_version=pair.parent.version,
        columns=tuple(column.name for column in child.columns),
        method="copy",
    )


def _stored(root: Path, name: str, found: Print) -> StoredFile:
    state = inside(root, name).stat()
    return StoredFile(name, state.st_size, found.digest, state.st_mtime_ns, state.st_mode & 0o7777, found.rows)


def _by_rows(blank: Recipe, pair: Pair, sources: Sources, scratch: Path) -> _Draft:
    """Take the rows of the parent by number, and write each file in the layout that comes nearest to it."""
    columns = blank.columns
    index = sources.index(pair.parent, columns, pair.policy)
    numbers = positions(sources.prints(pair.child, columns, pair.policy), index)
    recipe = replace(blank, method="rows", summary=f"{_told(numbers)} of {pair.parent.name}")
    rows = gather(sources.cells(pair.parent, columns), numbers, scratch)
    parts, start = [Part(POSITIONS, 0, encoded(numbers))], 0
    for place, file in enumerate(recipe.files):
        target = sources.root / file.path
        layout, blocks = _layout(Slice(rows, start, file, columns), pair.child.format, target, scratch / "written")
        recipe = _with_layout(recipe, place, layout)
        parts += [Part(place, number, block) for number, block in enumerate(blocks)]
        start += file.rows
    libraries = {name: version(name) for name in _LIBRARIES}
    return _Draft(replace(recipe, made_with=libraries), tuple(parts))


def _layout(part: Slice, of: str, target: Path, staging: Path) -> tuple[Layout, list[bytes]]:
    """Return the layout in which a file comes out whole, or else with the smallest patch."""
    best: tuple[Layout, list[bytes]] | None = None
    for layout in render.layouts(target, of):
        part.write(layout, staging)
        blocks = [] if file_sha256(staging) == part.file.digest else _patch(staging, target)
        if blocks is not None and (best is None or sum(map(len, blocks)) < sum(map(len, best[1]))):
            best = layout, blocks
        if blocks == []:
            break
    if best is None:
        raise InputError(f"{target.name!r} was written by a program whose files are not reproduced")
    return best


def _patch(base: Path, target: Path) -> list[bytes] | None:
    """Return what turns one file into another; None if it takes as much as the file, or more than is held at once."""
    most, blocks = min(target.stat().st_size, _LARGEST), []
    for block in difference(base, target):
        blocks.append(block)
        most -= len(block)
        if most <= 0:
            return None
    return blocks


def _numbered(patches: Sequence[Sequence[bytes] | None]) -> Iterator[Part]:
    for place, patch in enumerate(patches):
        yield from (Part(place, number, block) for number, block in enumerate(patch or ()))


def _with_layout(recipe: Recipe, place: int, layout: Layout) -> Recipe:
    known = list(recipe.layouts)
    if layout not in known:
        known.append(layout)
    files = list(recipe.files)
    files[place] = replace(files[place], layout=known.index(layout))
    return replace(recipe, files=tuple(files), layouts=tuple(known))


def _told(numbers: np.ndarray) -> str:
    """Say which rows they are."""
    steps = np.diff(numbers)
    if len(numbers) == 1:
        return f"row {numbers[0] + 1:,}"
    if len(numbers) and (steps == 1).all():
        return f"rows {numbers[0] + 1:,} to {numbers[-1] + 1:,}"
    told = "in order" if (steps > 0).all() else "in another order"
    if len(np.unique(numbers)) < len(numbers):
        told = "some repeated"
    return f"{len(numbers):,} rows, {told},"
