"""The file of recipes and journal, made by many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import IntegrityError
from threading import Barrier

import pytest

from dedup.retention.database import connected
from schemas.errors import WarehouseError

AT_ONCE = 8


@pytest.mark.parametrize("attempt", range(5))
def test_runs_that_make_the_file_at_once_share_it(attempt: int, tmp_path: Path) -> None:
    """Each of eight finds the tables, whoever made them, and loses nothing of the others."""
    path, barrier = tmp_path / f"{attempt}.sqlite", Barrier(AT_ONCE)

    def refuse(number: int) -> None:
        barrier.wait()
        with connected(path) as connection:
            connection.execute("INSERT INTO recipes (id, bytes, content) VALUES (?, 0, '')", [bytes([number])])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(refuse, range(AT_ONCE)))
    with connected(path) as connection:
        assert AT_ONCE == connection.execute("SELECT count(*) FROM recipes").fetchone()[0]


@pytest.mark.parametrize("change", ["UPDATE journal SET event = 1", "DELETE FROM journal"])
def test_the_journal_is_only_added_to(change: str, tmp_path: Path) -> None:
    """Not even whoever opens the file can change or remove a line."""
    path = tmp_path / "attic.sqlite"
    with connected(path) as connection:
        connection.execute("INSERT INTO journal (at, event, recipe) VALUES (0, 0, 1)")
    with pytest.raises(WarehouseError, match="only added to") as raised, connected(path) as connection:
        connection.execute(change)
    assert isinstance(raised.value.__cause__, IntegrityError)
