"""One SQLite file for what a lake keeps of its deleted tables; a commit is on disk before anything else happens."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import WarehouseError

__all__ = ["connected"]

_TABLES = """
CREATE TABLE shared (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, content BLOB NOT NULL);
CREATE TABLE recipes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, shared INTEGER, bytes INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE parts (
    recipe INTEGER NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (recipe, place, number)
) WITHOUT ROWID;
CREATE TABLE journal (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, event INTEGER NOT NULL, recipe INTEGER NOT NULL, days REAL
);
CREATE TRIGGER journal_stays BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER journal_grows BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
"""


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file, made on first use, for one transaction.

    Raises
    ------
    WarehouseError
        If it cannot be used, or is damaged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=60)
        try:
            connection.execute("PRAGMA synchronous=EXTRA")
            if not connection.execute("PRAGMA user_version").fetchone()[0]:
                connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = 1; COMMIT")
            with connection:
                yield connection
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise WarehouseError(
            f"{path} cannot be used: {error}.",
            hint="check free space and permissions, then run again; if it is damaged, restore it from a backup.",
        ) from error
