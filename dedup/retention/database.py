"""One SQLite file for what a lake keeps of its deleted tables; a commit is on disk before anything else happens."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from warehouse.sqlite import transaction

__all__ = ["connected"]

_HINT = "check free space and permissions, then run again; if it is damaged, restore it from a backup."
_TABLES = """
CREATE TABLE IF NOT EXISTS shared (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS recipes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, shared INTEGER, bytes INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS parts (
    recipe INTEGER NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (recipe, place, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, event INTEGER NOT NULL, recipe INTEGER NOT NULL, days REAL
);
CREATE TRIGGER IF NOT EXISTS journal_stays BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER IF NOT EXISTS journal_grows BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
"""


def connected(path: Path) -> AbstractContextManager[sqlite3.Connection]:
    """Open the file, made on first use, for one transaction.

    Raises
    ------
    WarehouseError
        If it cannot be used, or is damaged.
    """
    return transaction(path, _prepared, hint=_HINT)


def _prepared(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=EXTRA")
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = 1; COMMIT")
