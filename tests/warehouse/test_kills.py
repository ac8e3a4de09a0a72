"""Real processes, killed at random moments or let loose on one dataset at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.catalog import DATASETS
from warehouse.fingerprint import content_hash
from warehouse.house import Warehouse
from warehouse.publish import Published

KILLS = 15
Place = Callable[..., TableRef]


class Publisher:
    """A process that publishes in processes of its own."""

    def __init__(self) -> None:
        script = Path(__file__).parent / "killable.py"
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )

    def start(self, house: Warehouse, run_id: str, rows: TableRef, rates: TableRef) -> int:
        """Begin to publish, and return the id of the process that does."""
        request = {"root": str(house.root), "run_id": run_id, "rows": rows.to_json(), "rates": rates.to_json()}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def status(self) -> int:
        """Wait for the end of what was begun."""
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture
def publishers() -> Iterator[tuple[Publisher, Publisher]]:
    """Two processes that publish."""
    pair = Publisher(), Publisher()
    yield pair
    for publisher in pair:
        publisher.close()


def _content(house: Warehouse, ref: str = "latest") -> tuple[str, int]:
    return content_hash(house.files("sums", ref), contract("problem"))


def test_a_kill_at_any_point_leaves_the_old_version_or_the_new_one(
    house: Warehouse, place: Place, rates: Place, release: Callable[..., Published], publishers: tuple
) -> None:
    """After each of many seeded SIGKILLs readers see old or new, and the same run, repeated, converges."""
    publisher = publishers[0]
    old = place(range(100))
    release(old, "r0")
    draw, whole, killed, runs = random.Random(20261122), 1.0, 0, 0
    while killed < KILLS and runs < 4 * KILLS:
        runs += 1
        new, counts = place(range(runs, runs + 100)), rates(range(runs, runs + 10))
        child = publisher.start(house, f"r{runs}", new, counts)
        time.sleep(draw.uniform(0, whole))
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        killed += publisher.status() == signal.SIGKILL
        reader = Warehouse.open(house.root, read_only=True)
        seen = _content(reader)
        assert seen in {(old.content_hash, old.rows), (new.content_hash, new.rows)}
        assert (reader.version("sums").content_hash, reader.version("sums").rows) == seen
        began = time.monotonic()
        publisher.start(house, f"r{runs}", new, counts)
        assert 0 == publisher.status()
        whole = time.monotonic() - began
        assert (new.content_hash, new.rows) == (house.version("sums").content_hash, house.version("sums").rows)
        old = new
    assert KILLS == killed
    assert [f"1.{minor}.0" for minor in range(runs + 1)] == [version.version for version in house.versions("sums")]
    refs = house.catalog.find(DATASETS, "sums").metadata.refs
    assert [] == [name for name in refs if name.startswith("run-")]
    book = house.book("pass_rates").collect()
    assert book.height == book["problem_id"].n_unique() == runs + 9


def test_two_processes_publishing_at_once_lose_nothing(
    house: Warehouse, place: Place, rates: Place, publishers: tuple
) -> None:
    """Both finish; every version holds exactly its own rows, and both entered their part of the book."""
    tables = {}
    for turn in range(3):
        for side, publisher in enumerate(publishers):
            rows = place(range(10 * turn + side, 10 * turn + side + 50))
            tables[f"r{turn}-{side}"] = rows
            publisher.start(house, f"r{turn}-{side}", rows, rates(range(turn, turn + 5 + side)))
        assert [0, 0] == [publisher.status() for publisher in publishers]
    versions = house.versions("sums")
    assert sorted(tables) == sorted(version.run_id for version in versions)
    for version in versions:
        rows = tables[version.run_id]
        assert (rows.content_hash, rows.rows) == _content(house, version.version)
    book = house.book("pass_rates").select(pl.col("problem_id")).collect()
    assert book.height == book["problem_id"].n_unique() == 8
