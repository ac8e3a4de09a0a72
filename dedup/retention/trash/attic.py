"""The folder ``.sluice`` of a lake, which moves with it: recipes of its deleted tables, the journal, and the trash."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dedup.retention.files import inside, remove
from dedup.retention.recipes.recipe import Recipe
from dedup.retention.recipes.store import Recipes
from dedup.retention.trash.journal import Entry, Journal
from schemas.errors import InputError, UsageError, WarehouseError, did_you_mean
from warehouse.stages import Workspace

__all__ = ["FOLDER", "Attic", "Deleted"]

FOLDER = ".sluice"
"""Name of the folder in the lake's root."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A table that is not at its place.

    Parameters
    ----------
    entry
        The last line of the journal about it.
    """

    recipe: Recipe
    entry: Entry

    @property
    def state(self) -> str:
        """``trashed``: in the trash; ``purged``: rebuilt only; else what a kill cut short."""
        return self.entry.event.value


@dataclass(frozen=True)
class Attic:
    """What a lake keeps of its deleted tables.

    Parameters
    ----------
    root
        Folder of the lake.
    """

    root: Path

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.root / FOLDER

    @property
    def file(self) -> Path:
        """The recipes and the journal."""
        return self.folder / "attic.sqlite"

    @cached_property
    def recipes(self) -> Recipes:
        """Recipes of the tables deleted."""
        return Recipes(self.file)

    @property
    def journal(self) -> Journal:
        """What was done."""
        return Journal(self.file)

    def places(self, recipe: Recipe) -> list[tuple[Path, Path]]:
        """Return for each file of a table its place in the lake and in the trash."""
        return [
            (inside(self.root, file.path), self.folder / "trash" / recipe.id / str(number))
            for number, file in enumerate(recipe.files)
        ]

    def empty(self, recipe: str) -> None:
        """Empty the trash of a table."""
        remove(self.folder / "trash" / recipe)

    def forget(self, recipe: str) -> None:
        """Drop what is kept of a table that is at its place again."""
        self.empty(recipe)
        self.recipes.drop(recipe)

    def deleted(self) -> dict[str, Deleted]:
        """Return the tables that are not at their place, by name.

        Raises
        ------
        WarehouseError
            If the journal or a recipe is damaged.
        """
        if not self.file.exists():
            return {}
        recipes = self.recipes.numbered()
        last = {number: entry for number, entry in self.journal.last().items() if entry.event.deleted}
        if lost := last.keys() - recipes.keys():
            raise WarehouseError(
                f"{self.file} lacks the recipes of {len(lost)} deleted tables.",
                hint="restore the file from a backup; until then no table of this lake is touched.",
            )
        return {recipes[number].table: Deleted(recipes[number], entry) for number, entry in last.items()}

    def find(self, table: str, known: Mapping[str, Deleted]) -> Deleted:
        """Return one of the deleted tables ``known``.

        Raises
        ------
        UsageError
            If no table of that name is deleted; the nearest is suggested.
        """
        if table in known:
            return known[table]
        raise UsageError(
            f"{table!r} is not among the deleted tables of {self.root}.",
            hint=did_you_mean(table, known) or ("`sluice dedup plan` lists them." if known else "None is deleted."),
        )

    def leftovers(self) -> Iterator[str]:
        """Yield the ids of recipes whose tables are at their places, and which a kill left behind."""
        last = self.journal.last()
        for number, recipe in self.recipes.numbered().items():
            if number not in last or not last[number].event.deleted:
                yield recipe.id

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if need be, and let nobody else change the lake through Sluice meanwhile.

        Raises
        ------
        InputError
            If the lake is not a folder.
        WarehouseError
            If it cannot be written.
        """
        if not self.root.is_dir():
            raise InputError(f"{self.root} is not a folder.", hint="name the folder that holds the lake.")
        try:
            self.folder.mkdir(exist_ok=True)
            with Workspace(self.folder).lock("retention"):
                for stale in self.folder.glob("scratch-*"):
                    remove(stale)
                yield
        except OSError as error:
            raise WarehouseError(
                f"{self.folder} cannot be written: {error.strerror or error}.",
                hint="check free space and permissions, then run again; nothing was lost.",
            ) from error

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder on the lake's own device, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=self.folder) as folder:
            yield Path(folder)
