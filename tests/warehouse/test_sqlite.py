"""SQLite files of ours: one transaction each, and errors that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest

from schemas.errors import WarehouseError
from warehouse.sqlite import transaction

TABLE = "CREATE TABLE IF NOT EXISTS words (word TEXT)"


def _prepared(connection: sqlite3.Connection) -> None:
    connection.execute(TABLE)


def _words(path: Path) -> list[str]:
    with transaction(path, _prepared, hint="delete it.") as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY word")]


def test_what_is_written_together_is_there_afterwards(tmp_path: Path) -> None:
    """The folder and the file are made on first use, and the next opening finds what was committed."""
    path = tmp_path / "new" / "words.sqlite"
    with transaction(path, _prepared, hint="delete it.") as connection:
        connection.execute("INSERT INTO words VALUES ('ship')")
    assert ["ship"] == _words(path)


def test_an_exception_takes_all_of_it_back(tmp_path: Path) -> None:
    """What was written before the exception is not there, and the exception is not hidden."""
    path = tmp_path / "words.sqlite"
    with pytest.raises(KeyError, match="gone"):
        _interrupted(path)
    assert [] == _words(path)


def _interrupted(path: Path) -> None:
    with transaction(path, _prepared, hint="delete it.") as connection:
        connection.execute("INSERT INTO words VALUES ('ship')")
        raise KeyError("gone")


def test_a_file_that_is_no_database_is_named_with_what_to_do(tmp_path: Path) -> None:
    """The error carries the hint of whoever keeps the file."""
    path = tmp_path / "words.sqlite"
    path.write_bytes(b"not a database, though long enough to be taken for one" * 100)
    with pytest.raises(WarehouseError, match=r"words\.sqlite cannot be used: file is not a database") as raised:
        _words(path)
    assert "delete it." == raised.value.hint


def _write_ahead(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(TABLE)


@pytest.mark.parametrize("prepare", [_prepared, _write_ahead])
def test_many_writers_wait_for_one_another(prepare: Callable[[sqlite3.Connection], object], tmp_path: Path) -> None:
    """Eight threads that make a file at the same time all get their word in, whatever the journal."""

    def write(path: Path, start: Barrier, word: str) -> None:
        start.wait()
        with transaction(path, prepare, hint="delete it.") as connection:
            connection.execute("INSERT INTO words VALUES (?)", [word])

    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            path, start = tmp_path / f"{number}.sqlite", Barrier(8)
            list(threads.map(partial(write, path, start), "abcdefgh"))
            assert list("abcdefgh") == _words(path)
