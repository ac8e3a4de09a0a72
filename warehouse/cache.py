"""A small durable map from content keys to JSON text: model answers and verdicts, each paid for once.

SQLite in write-ahead mode: readers never block, a kill loses at most the batch being written, and two processes
may share one file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from warehouse.sqlite import transaction

__all__ = ["KeyedCache"]

V = TypeVar("V")
_CHUNK = 500
_UNREADABLE = (ValueError, TypeError, KeyError)
_HINT = "check free space and permissions; the file may be deleted: it is rebuilt, at a price."


class KeyedCache:
    """Durable map from key to text.

    Parameters
    ----------
    path
        SQLite file; made on first use.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> cache = KeyedCache(pathlib.Path(tempfile.mkdtemp()) / "verdicts.sqlite")
    >>> cache.put([("k", '{"status":"AC"}')])
    >>> cache.get(["k", "absent"])
    {'k': '{"status":"AC"}'}
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, _prepared, hint=_HINT)

    def get(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the known values among ``keys``."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, str] = {}
        with self._transaction() as connection:
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                found.update(
                    connection.execute(f"SELECT key, value FROM cache WHERE key IN ({marks})", chunk),  # noqa: S608
                )
        return found

    def read(self, keys: Iterable[str], decode: Callable[[str], V]) -> dict[str, V]:
        """Return the known values among ``keys``, decoded; what does not decode is forgotten, to be paid for again."""
        found: dict[str, V] = {}
        damaged: list[tuple[str]] = []
        for key, text in self.get(keys).items():
            try:
                found[key] = decode(text)
            except _UNREADABLE:
                damaged.append((key,))
        if damaged:
            with self._transaction() as connection:
                connection.executemany("DELETE FROM cache WHERE key = ?", damaged)
        return found

    def put(self, items: Iterable[tuple[str, str]]) -> None:
        """Store ``(key, value)`` pairs in one transaction; a key already there keeps its value."""
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO cache VALUES (?, ?)", items)


def _prepared(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
