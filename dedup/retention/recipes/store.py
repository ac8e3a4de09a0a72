"""Recipes on disk, in few bytes: what many share is stored once, and helps to compress what is particular to each."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard
from pydantic import TypeAdapter, ValidationError

from dedup.lake.files.tables import Table
from dedup.retention.database import connected
from dedup.retention.recipes.patch import dictionary, unpacked
from dedup.retention.recipes.recipe import POSITIONS, Part, Recipe
from schemas.errors import WarehouseError
from schemas.ids import canonical_json, digest

__all__ = ["LEAST", "Priced", "Recipes"]

LEAST = 180
"""Bytes that the rows of any recipe and its journal take, besides what they hold."""
_LEVEL = 19
_OWN = ("table", "rows", "files", "summary")
_SELECT = "SELECT number, id, shared, bytes, content FROM recipes"
_NUMBER = "SELECT number FROM recipes WHERE id = ?"
_INSERT = "INSERT INTO recipes (id, shared, bytes, content) VALUES (?, ?, ?, ?)"
_RECIPE = TypeAdapter(Recipe)
_PARENT = TypeAdapter(Table)


@dataclass(frozen=True, slots=True)
class Priced:
    """A recipe and what it takes, or why there is none.

    Parameters
    ----------
    bytes
        Size of the recipe with its rows in index and journal.
    refused
        Reason why no recipe is kept; None if there is one.
    """

    bytes: int = 0
    recipe: Recipe | None = None
    refused: str | None = None


class Recipes:
    """The recipes of a lake, or those that were tried for it.

    Parameters
    ----------
    path
        SQLite file; made on first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shared: dict[int, bytes] = {}

    def put(self, recipe: Recipe, parent: Table, parts: Iterable[Part]) -> Priced:
        """Store a recipe with its parts, in place of an earlier one of its id."""
        told = _RECIPE.dump_python(recipe, mode="json")
        own = {name: told.pop(name) for name in _OWN}
        key = bytes.fromhex(told.pop("id"))
        common = canonical_json({"recipe": told, "parent": _PARENT.dump_python(parent, mode="json")}).encode()
        packed = _packed(canonical_json(own).encode(), common)
        with connected(self.path) as connection:
            _drop(connection, recipe.id)
            row = (key, _shared(connection, common), LEAST + len(packed), packed)
            number = connection.execute(_INSERT, row).lastrowid
            for part in parts:
                values = (number, part.place, part.number, part.content)
                connection.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", values)
                grown = "UPDATE recipes SET bytes = bytes + ? WHERE number = ?"
                connection.execute(grown, (len(part.content), number))
            size = connection.execute("SELECT bytes FROM recipes WHERE number = ?", [number]).fetchone()[0]
        return Priced(size, recipe)

    def refuse(self, recipe: str, reason: str) -> Priced:
        """Remember why no recipe of this id is worth keeping."""
        with connected(self.path) as connection:
            _drop(connection, recipe)
            connection.execute(_INSERT, (bytes.fromhex(recipe), None, 0, reason.encode()))
        return Priced(refused=reason)

    def find(self, recipe: str) -> Priced | None:
        """Return what is known of a recipe; None if it was never tried.

        Raises
        ------
        WarehouseError
            If it is damaged.
        """
        with connected(self.path) as connection:
            row = connection.execute(f"{_SELECT} WHERE id = ?", [bytes.fromhex(recipe)]).fetchone()
        if row is None:
            return None
        _, key, shared, size, content = row
        return Priced(size, self._recipe(key, shared, content)) if shared else Priced(refused=content.decode())

    def get(self, recipe: str) -> Recipe:
        """Return a recipe.

        Raises
        ------
        WarehouseError
            If there is none of that id, or it is damaged.
        """
        found = self.find(recipe)
        if found is None or found.recipe is None:
            raise self._damaged(f"{recipe} is missing")
        return found.recipe

    def numbered(self) -> dict[int, Recipe]:
        """Return all recipes by their number in the file, by which the journal names them."""
        with connected(self.path) as connection:
            rows = connection.execute(f"{_SELECT} WHERE shared IS NOT NULL").fetchall()
        return {number: self._recipe(key, shared, content) for number, key, shared, _, content in rows}

    def parent(self, recipe: Recipe) -> Table:
        """Return the parent of a recipe as it was when the recipe was made."""
        with connected(self.path) as connection:
            row = connection.execute(f"{_SELECT} WHERE id = ?", [bytes.fromhex(recipe.id)]).fetchone()
        return _PARENT.validate_python(json.loads(self._common(row[2]))["parent"])

    def parts(self, recipe: Recipe, place: int) -> Iterator[bytes]:
        """Yield the row numbers of a recipe, or the blocks of the patch of one file, one at a time."""
        for number in itertools.count():
            with connected(self.path) as connection:
                query = f"SELECT content FROM parts WHERE recipe = ({_NUMBER}) AND place = ? AND number = ?"  # noqa: S608 - fixed text
                row = connection.execute(query, (bytes.fromhex(recipe.id), place, number)).fetchone()
            if row is None:
                return
            yield row[0]

    def copy(self, recipe: Recipe, other: Recipes) -> None:
        """Store a recipe of ``other`` here."""
        parts = (
            Part(place, number, content)
            for place in range(POSITIONS, len(recipe.files))
            for number, content in enumerate(other.parts(recipe, place))
        )
        self.put(recipe, other.parent(recipe), parts)

    def drop(self, recipe: str) -> None:
        """Forget a recipe."""
        with connected(self.path) as connection:
            _drop(connection, recipe)

    def _recipe(self, key: bytes, shared: int, content: bytes) -> Recipe:
        common = self._common(shared)
        try:
            own = json.loads(_whole(content, common))
            return _RECIPE.validate_python(json.loads(common)["recipe"] | own | {"id": key.hex()})
        except (ValidationError, zstandard.ZstdError) as error:
            raise self._damaged(str(error).splitlines()[0]) from error

    def _common(self, number: int) -> bytes:
        """Return what many recipes share."""
        if number not in self._shared:
            with connected(self.path) as connection:
                row = connection.execute("SELECT content FROM shared WHERE number = ?", [number]).fetchone()
            try:
                self._shared[number] = _whole(row[0])
            except (TypeError, zstandard.ZstdError) as error:
                raise self._damaged("what it shares with others cannot be read") from error
        return self._shared[number]

    def _damaged(self, told: str) -> WarehouseError:
        return WarehouseError(
            f"a recipe in {self.path} is damaged: {told}.",
            hint="restore the file from a backup; until then no table of this lake is touched.",
        )


def _shared(connection: sqlite3.Connection, common: bytes) -> int:
    """Return the number of what many recipes share, stored once."""
    key = bytes.fromhex(digest(common))
    connection.execute("INSERT OR IGNORE INTO shared (key, content) VALUES (?, ?)", (key, _packed(common)))
    return connection.execute("SELECT number FROM shared WHERE key = ?", [key]).fetchone()[0]


def _drop(connection: sqlite3.Connection, recipe: str) -> None:
    key = [bytes.fromhex(recipe)]
    connection.execute(f"DELETE FROM parts WHERE recipe = ({_NUMBER})", key)  # noqa: S608 - fixed text
    connection.execute("DELETE FROM recipes WHERE id = ?", key)


def _packed(content: bytes, prefix: bytes = b"") -> bytes:
    """Compress, with the help of what is like it; the length stands in front."""
    packed = zstandard.ZstdCompressor(level=_LEVEL, dict_data=dictionary(prefix)).compress(content)
    return len(content).to_bytes(4, "big") + packed


def _whole(content: bytes, prefix: bytes = b"") -> bytes:
    return unpacked(content[4:], int.from_bytes(content[:4], "big"), dictionary(prefix))
