"""Deleting tables so that no kill, fault or second run can lose a row, and bringing them back.

At every moment a table is at its place, whole in the trash, or made again by a recipe that was run and checked while
the table was still there. Each step is in the journal before it begins.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dedup.retention.files import move
from dedup.retention.recipes.rebuild import rebuild
from dedup.retention.recipes.recipe import Recipe
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import Recipes
from dedup.retention.trash.attic import Attic, Deleted
from dedup.retention.trash.journal import Event
from schemas.errors import InputError, SluiceError, UsageError
from warehouse.fingerprint import file_sha256

__all__ = ["Done", "Keeper", "obstacle"]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one table.

    Parameters
    ----------
    outcome
        ``deleted``, ``restored``, ``purged`` or ``rebuilt``; or ``refused``.
    bytes
        Bytes that left their place, came back, or were freed.
    detail
        Why it was refused.
    """

    table: str
    outcome: str
    bytes: int = 0
    detail: str = ""


@dataclass
class Keeper:
    """The one who may delete tables of a lake and bring them back; made by `Keeper.of`, while the lake is held.

    Parameters
    ----------
    deleted
        The tables that are not at their place, by name.
    """

    attic: Attic
    deleted: dict[str, Deleted]
    sources: Sources

    @classmethod
    @contextmanager
    def of(cls, root: Path) -> Iterator[Keeper]:
        """Hold a lake, and finish or take back what a kill cut short.

        Raises
        ------
        InputError
            If what was cut short cannot be taken back, because something else is in its place.
        WarehouseError
            If the lake cannot be written, or what it keeps is damaged.
        """
        attic = Attic(root)
        with attic.held(), attic.scratch() as scratch:
            keeper = cls(attic, attic.deleted(), Sources(root, scratch))
            keeper.recover()
            yield keeper

    def recover(self) -> None:
        """Put back what stands at ``trash`` or ``restore``, end what stands at ``purge``, and sweep up."""
        for one in list(self.deleted.values()):
            if one.entry.event in (Event.TRASH, Event.RESTORE):
                self._put_back(one.recipe)
            elif one.entry.event is Event.PURGE:
                self._empty(one.recipe)
        for recipe in self.attic.leftovers():
            self.attic.forget(recipe)

    def delete(self, recipe: Recipe, recipes: Recipes, *, days: float) -> Done:
        """Run a table's recipe, check every byte, and only then move the table to the trash.

        Parameters
        ----------
        recipes
            Where the recipe is; it is copied to the lake first.
        days
            How long the table may be brought back from the trash.

        Returns
        -------
        Done
            ``deleted``; or ``refused``, the table untouched.

        Raises
        ------
        WarehouseError
            If the lake cannot be written; the table is at its place or in the trash, and the journal tells.
        """
        try:
            self._allow(recipe)
            recipe = self._as_it_is(recipe)
            before = self._checked(recipe, recipes)
        except InputError as error:
            return Done(recipe.table, "refused", detail=error.message)
        self._note(Event.TRASH, recipe)
        places = self.attic.places(recipe)
        for path, trash in places:
            move(path, trash)
        if before != [_state(trash) for _, trash in places]:
            self._put_back(recipe)
            return Done(recipe.table, "refused", detail="it was written to while it was being deleted")
        self._note(Event.TRASHED, recipe, days=days)
        return Done(recipe.table, "deleted", recipe.table_bytes)

    def restore(self, table: str) -> Done:
        """Move a table from the trash back to its place.

        Raises
        ------
        UsageError
            If it is not deleted, or no longer in the trash.
        InputError
            If something else is at its place.
        """
        one = self.attic.find(table, self.deleted)
        if one.entry.event is not Event.TRASHED:
            raise UsageError(
                f"{table!r} was purged at {one.entry.at:%Y-%m-%d %H:%M} UTC; the trash no longer holds it.",
                hint=f"sluice dedup rebuild {table!r} makes it from {one.recipe.parent!r}, bit for bit.",
            )
        self._free(one.recipe)
        for (_, trash), file in zip(self.attic.places(one.recipe), one.recipe.files, strict=True):
            if not trash.exists() or file_sha256(trash) != file.digest:
                raise InputError(
                    f"{file.path!r} in the trash is not what was put there.",
                    hint=f"sluice dedup rebuild {table!r} makes it from {one.recipe.parent!r}, bit for bit.",
                )
        self._note(Event.RESTORE, one.recipe)
        self._put_back(one.recipe)
        return Done(table, "restored", one.recipe.table_bytes)

    def rebuild(self, table: str) -> Done:
        """Make a deleted table from its parent, check every byte, and put it at its place.

        Raises
        ------
        UsageError
            If it is not deleted.
        InputError
            If the parent is not the version pinned, a file does not come out, or something is at its place.
        """
        recipe = self.attic.find(table, self.deleted).recipe
        self._free(recipe)
        with self.attic.scratch() as scratch:
            made = rebuild(recipe, self.attic.recipes, self.sources, scratch)
            for path, file, (place, _) in zip(made, recipe.files, self.attic.places(recipe), strict=True):
                if os.path.lexists(place):
                    continue
                with path.open("rb+") as handle:
                    os.fchmod(handle.fileno(), file.mode)
                    os.fsync(handle.fileno())
                os.utime(path, ns=(file.mtime_ns, file.mtime_ns))
                move(path, place)
        self._note(Event.REBUILT, recipe)
        self.attic.forget(recipe.id)
        return Done(table, "rebuilt", recipe.table_bytes)

    def purge(self, table: str, *, now: datetime | None = None) -> Done:
        """Free the bytes of a table in the trash, after its recipe has made every one of them once more.

        Parameters
        ----------
        now
            A table whose time to be brought back is not over by then is refused; by default the present.

        Raises
        ------
        UsageError
            If it is not deleted.
        """
        one = self.attic.find(table, self.deleted)
        now = now or datetime.now(UTC)
        if one.entry.event is not Event.TRASHED:
            return Done(table, "refused", detail="it is purged already")
        if one.entry.until is not None and now < one.entry.until:
            return Done(table, "refused", detail=f"it may be brought back until {one.entry.until:%Y-%m-%d %H:%M} UTC")
        try:
            with self.attic.scratch() as scratch:
                rebuild(one.recipe, self.attic.recipes, self.sources, scratch)
        except InputError as error:
            return Done(table, "refused", detail=error.message)
        self._note(Event.PURGE, one.recipe)
        self._empty(one.recipe)
        return Done(table, "purged", one.recipe.table_bytes)

    def _allow(self, recipe: Recipe) -> None:
        """Refuse to delete what is deleted, what others need, and what deleting would not free."""
        if recipe.table in self.deleted:
            raise InputError("it is deleted already")
        if recipe.parent in self.deleted:
            raise InputError(f"its parent {recipe.parent!r} is deleted")
        needs = [name for name, one in self.deleted.items() if one.recipe.parent == recipe.table]
        if needs:
            raise InputError(f"{len(needs):,} deleted tables are rebuilt from it, such as {needs[0]!r}")
        for path, _ in self.attic.places(recipe):
            if why := obstacle(path):
                raise InputError(why)

    def _as_it_is(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the times and permissions that the files have now."""
        found = [path.lstat() for path, _ in self.attic.places(recipe)]
        files = [
            replace(file, mtime_ns=state.st_mtime_ns, mode=stat.S_IMODE(state.st_mode))
            for file, state in zip(recipe.files, found, strict=True)
        ]
        return replace(recipe, files=tuple(files))

    def _checked(self, recipe: Recipe, recipes: Recipes) -> list[tuple[int, ...]]:
        """Run the recipe, hold its files against those at their place, and return what those were like before."""
        before = [_state(path) for path, _ in self.attic.places(recipe)]
        try:
            self.attic.recipes.copy(recipe, recipes)
            with self.attic.scratch() as scratch:
                rebuild(recipe, self.attic.recipes, self.sources, scratch)
            for (path, _), file in zip(self.attic.places(recipe), recipe.files, strict=True):
                if file_sha256(path) != file.digest:
                    raise InputError(f"{file.path!r} was changed since the lake was scanned")
        except SluiceError:
            self.attic.recipes.drop(recipe.id)
            raise
        return before

    def _free(self, recipe: Recipe) -> None:
        """Refuse to write over anything but the table's own files."""
        for (path, _), file in zip(self.attic.places(recipe), recipe.files, strict=True):
            if os.path.lexists(path) and (path.is_symlink() or file_sha256(path) != file.digest):
                raise InputError(
                    f"{file.path!r} is there already, and is not the file that was deleted.",
                    hint="move it away, then run again.",
                )

    def _put_back(self, recipe: Recipe) -> None:
        """Move what is in the trash back, where it is not at its place as well."""
        self._free(recipe)
        for path, trash in self.attic.places(recipe):
            if trash.exists() and not os.path.lexists(path):
                move(trash, path)
        if lost := [path for path, _ in self.attic.places(recipe) if not path.exists()]:
            raise InputError(
                f"{lost[0]} is neither at its place nor in the trash.",
                hint=f"sluice dedup rebuild {recipe.table!r} makes it from {recipe.parent!r}.",
            )
        self._note(Event.RESTORED, recipe)
        self.attic.forget(recipe.id)

    def _empty(self, recipe: Recipe) -> None:
        self.attic.empty(recipe.id)
        self._note(Event.PURGED, recipe)

    def _note(self, event: Event, recipe: Recipe, *, days: float | None = None) -> None:
        """Write a line of the journal, and know it."""
        entry = self.attic.journal.add(event, recipe.id, days=days)
        if event.deleted:
            self.deleted[recipe.table] = Deleted(recipe, entry)
        else:
            self.deleted.pop(recipe.table, None)


def obstacle(path: Path) -> str | None:
    """Return why deleting a file would free nothing, or more than a table; None if nothing is in the way."""
    try:
        found = path.lstat()
    except OSError as error:
        return f"{path.name!r} cannot be read: {error.strerror}"
    if stat.S_ISLNK(found.st_mode):
        return f"{path.name!r} is a symbolic link"
    if not stat.S_ISREG(found.st_mode):
        return f"{path.name!r} is not a file"
    if found.st_nlink > 1:
        return f"{path.name!r} has {found.st_nlink} names (hard links), so that deleting one frees nothing"
    return None


def _state(path: Path) -> tuple[int, ...]:
    """Return what changes whenever a file is written to."""
    found = path.lstat()
    return found.st_size, found.st_mtime_ns
