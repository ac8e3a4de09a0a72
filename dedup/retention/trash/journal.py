"""What was done to the tables of a lake, one line each, on disk before the next step begins.

::

    trash ──► trashed ──► purge ──► purged
                 │                     │
              restore ──► restored     └──► rebuilt   (also from trashed)

``trash``, ``restore`` and ``purge`` say what is about to happen. After a kill the last line of a table therefore
tells what may be half done: `dedup.retention.trash.deletion.Keeper.recover` puts back what stands at ``trash`` or
``restore``, and goes on with what stands at ``purge``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from dedup.retention.database import connected
from schemas.errors import WarehouseError

__all__ = ["Entry", "Event", "Journal"]


class Event(StrEnum):
    """A step in the life of a deleted table."""

    TRASH = "trash"
    """About to be moved to the trash."""
    TRASHED = "trashed"
    """In the trash, whole."""
    RESTORE = "restore"
    """About to be moved back."""
    RESTORED = "restored"
    """At its place again, as it was."""
    PURGE = "purge"
    """About to be removed from the trash."""
    PURGED = "purged"
    """Gone; its recipe is all there is."""
    REBUILT = "rebuilt"
    """At its place again, made from its recipe."""

    @property
    def deleted(self) -> bool:
        """True if the table is not at its place, or may not be."""
        return self not in (Event.RESTORED, Event.REBUILT)


_EVENTS = tuple(Event)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal.

    Parameters
    ----------
    recipe
        Number of the recipe, and so of the deleted table.
    at
        When, in UTC.
    until
        When a trashed table may be purged.
    """

    event: Event
    recipe: int
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Journal:
    """The journal of a lake: lines that are only added.

    Parameters
    ----------
    path
        SQLite file that holds the recipes as well.
    """

    path: Path

    def add(self, event: Event, recipe: str, *, days: float | None = None) -> Entry:
        """Add a line and wait until it is on disk.

        Parameters
        ----------
        recipe
            Id of a recipe in the same file.
        days
            How long the table may be brought back from the trash.

        Raises
        ------
        WarehouseError
            If it cannot be written.
        """
        now = int(datetime.now(UTC).timestamp())
        with connected(self.path) as connection:
            number = connection.execute("SELECT number FROM recipes WHERE id = ?", [bytes.fromhex(recipe)]).fetchone()[
                0
            ]
            row = (now, _EVENTS.index(event), number, days)
            connection.execute("INSERT INTO journal (at, event, recipe, days) VALUES (?, ?, ?, ?)", row)
        return _entry(*row)

    def last(self) -> dict[int, Entry]:
        """Return the last line of each deleted table by the number of its recipe, oldest deletion first.

        Raises
        ------
        WarehouseError
            If a line is not one of ours.
        """
        with connected(self.path) as connection:
            rows = connection.execute("SELECT at, event, recipe, days FROM journal ORDER BY number").fetchall()
        try:
            return {row[2]: _entry(*row) for row in rows}
        except (IndexError, TypeError, OverflowError) as error:
            raise WarehouseError(
                f"the journal in {self.path} is damaged: {error}.",
                hint="restore the file from a backup; until then no table of this lake is touched.",
            ) from error


def _entry(at: int, event: int, recipe: int, days: float | None) -> Entry:
    moment = datetime.fromtimestamp(at, UTC)
    return Entry(_EVENTS[event], recipe, moment, moment + timedelta(days=days) if days is not None else None)
