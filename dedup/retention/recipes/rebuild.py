"""Running a recipe: the table's files again, each held against its digest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np
import polars as pl

from dedup.lake.files.tables import Table
from dedup.lake.files.types import column
from dedup.retention.files import inside
from dedup.retention.recipes import render
from dedup.retention.recipes.gather import gather
from dedup.retention.recipes.patch import applied
from dedup.retention.recipes.positions import decoded
from dedup.retention.recipes.recipe import POSITIONS, Recipe, StoredFile
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import Recipes
from schemas.errors import InputError, WarehouseError
from warehouse.fingerprint import file_sha256

__all__ = ["Slice", "check_parent", "rebuild"]


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one file of a table.

    Parameters
    ----------
    rows
        All rows of the table.
    start
        Number of the file's first row.
    """

    rows: pl.LazyFrame
    start: int
    file: StoredFile
    columns: Sequence[str]

    def write(self, layout: Mapping[str, Any], path: Path) -> None:
        """Write them in a layout, without the columns that the names of the file's folders tell."""
        told = {unquote(part.partition("=")[0]) for part in PurePosixPath(self.file.path).parts[:-1] if "=" in part}
        names = [name for name in self.columns if name not in told]
        render.write(self.rows.slice(self.start, self.file.rows).select(map(column, names)), layout, path)


def rebuild(recipe: Recipe, recipes: Recipes, sources: Sources, folder: Path) -> list[Path]:
    """Make the files of a table from its parent, and check each.

    Parameters
    ----------
    sources
        Where the parent is read.
    folder
        Empty folder for the files and for what is needed on the way.

    Returns
    -------
    list of Path
        The files, in the order of the recipe's.

    Raises
    ------
    InputError
        If the parent is not the version that the recipe needs, or a file does not come out bit for bit.
    WarehouseError
        If there is no room for it.
    """
    parent = recipes.parent(recipe)
    check_parent(recipe, parent, sources)
    try:
        made = list(_made(recipe, parent, recipes, sources, folder))
    except OSError as error:
        raise WarehouseError(
            f"{recipe.table!r} cannot be rebuilt in {folder}: {error.strerror}.",
            hint="check free space and permissions, then run again; nothing was lost.",
        ) from error
    for path, file in zip(made, recipe.files, strict=True):
        if file_sha256(path) != file.digest:
            raise InputError(f"{file.path!r} does not come out of its recipe bit for bit.", hint=_why(recipe))
    return made


def check_parent(recipe: Recipe, parent: Table, sources: Sources) -> None:
    """Refuse a parent that is not the version pinned.

    Raises
    ------
    InputError
        If a file of it is gone or other than it was; the error names the table that needs it.
    """
    for file, found in zip(parent.files, parent.prints, strict=True):
        try:
            sources.check(file.name, found.digest)
        except InputError as error:
            raise InputError(
                f"{recipe.table!r} is rebuilt from {recipe.parent!r}, of which {error.message}.",
                hint=f"bring back the file of {file.bytes:,} bytes with digest {found.digest}, then run again.",
            ) from error


def _made(recipe: Recipe, parent: Table, recipes: Recipes, sources: Sources, folder: Path) -> Iterator[Path]:
    """Yield the files as they come out."""
    bases = [inside(sources.root, file.name) for file in parent.files]
    if recipe.method == "rows":
        bases = list(_written(recipe, parent, recipes, sources, folder))
    for number, base in enumerate(bases):
        target = folder / f"made-{number}"
        blocks = recipes.parts(recipe, number)
        if (first := next(blocks, None)) is None:
            shutil.copyfile(base, target)
        else:
            with target.open("wb") as out:
                applied(base, _chained(first, blocks), out)
        yield target


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _written(recipe: Recipe, parent: Table, recipes: Recipes, sources: Sources, folder: Path) -> Iterator[Path]:
    numbers = np.concatenate([decoded(part) for part in recipes.parts(recipe, POSITIONS)])
    rows = gather(sources.cells(parent, recipe.columns), numbers, folder)
    start = 0
    for number, file in enumerate(recipe.files):
        path = folder / f"written-{number}"
        Slice(rows, start, file, recipe.columns).write(recipe.layouts[file.layout], path)  # type: ignore[index]
        start += file.rows
        yield path


def _why(recipe: Recipe) -> str:
    """Say what may have gone wrong: a library that writes differently now, or damage."""
    changed = [f"{name}=={old}" for name, old in recipe.made_with.items() if version(name) != old]
    if changed:
        return f"it was made with other versions of what writes the files: pip install {' '.join(changed)}"
    return "the recipe is damaged: restore the lake's .sluice folder from a backup."
