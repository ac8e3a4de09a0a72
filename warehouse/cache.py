"""A small durable map from content keys to JSON text: model answers and verdicts, each paid for once.

SQLite in write-ahead mode: readers never block, a kill loses at most the batch being written, and two processes
may share one file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import WarehouseError

__all__ = ["KeyedCache"]

_CHUNK = 500


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

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=60)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute("CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
                with connection:
                    yield connection
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as error:
            raise WarehouseError(
                f"the cache {self.path} cannot be used: {error}.",
                hint="check free space and permissions; the file may be deleted: it is rebuilt, at a price.",
            ) from error

    def get(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the known values among ``keys``."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, str] = {}
        with self._connection() as connection:
            for start in range(0, len(wanted), _CHUNK):
                chunk = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                found.update(
                    connection.execute(f"SELECT key, value FROM cache WHERE key IN ({marks})", chunk),  # noqa: S608
                )
        return found

    def put(self, items: Iterable[tuple[str, str]]) -> None:
        """Store ``(key, value)`` pairs in one transaction; a key already there keeps its value."""
        with self._connection() as connection:
            connection.executemany("INSERT OR IGNORE INTO cache VALUES (?, ?)", items)
