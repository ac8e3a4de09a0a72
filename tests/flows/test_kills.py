"""The whole job, killed again and again: readers, books and results are as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import polars as pl
import psutil
import pytest

from schemas.errors import WarehouseError
from schemas.registry import contract
from tests.flows.conftest import ROOT
from tests.flows.small import recipe
from warehouse.books import SHELF
from warehouse.exports import check
from warehouse.fingerprint import content_hash
from warehouse.house import Warehouse
from warehouse.release.verify import verify_release

KILLS_PER_RUN = 7
_PATIENCE_S = 300


class Builder:
    """A process that builds in processes of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "killable.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def start(self, asked: Path, root: Path) -> int:
        """Begin to build, and return the id of the process that does."""
        self.process.stdin.write(json.dumps({"recipe": str(asked), "root": str(root)}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def steps(self) -> Iterator[str]:
        """Yield each step as it begins, at last the exit status."""
        for line in self.process.stdout:
            yield line.strip()
            if line.startswith("exit"):
                return

    def build(self, asked: Path, root: Path) -> dict[str, float]:
        """Build to the end, and return when each step began."""
        self.start(asked, root)
        began = {step: time.monotonic() for step in self.steps()}
        assert "exit 0" in began
        return began

    def killed(self, asked: Path, root: Path, step: str, after: float) -> bool:
        """Build, kill it some seconds into a step with what it started, and tell whether it was not done before."""
        child = self.start(asked, root)
        seen = []
        for seen_now in self.steps():
            seen.append(seen_now)
            if seen_now == step:
                break
        if not seen[-1].startswith("exit"):
            time.sleep(after)
            family = _stopped_family(child)
            for one in family[:1]:
                one.kill()
            seen += self.steps()
            assert [] == _alive(family)
        return seen[-1] == f"exit {-signal.SIGKILL}"

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(timeout=_PATIENCE_S)
        self.process.stdout.close()


def _stopped_family(child: int) -> list[psutil.Process]:
    """Stop a process, so that it starts nothing more, and return it with what it has started; nothing if it is done."""
    try:
        found = psutil.Process(child)
        found.suspend()
        return [found, *found.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Return who still runs after a while."""
    return psutil.wait_procs([one for one in family if _runs(one)], timeout=_PATIENCE_S)[1]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass
class Calm:
    """What undisturbed builds of the two recipes gave, in a warehouse of their own."""

    recipes: tuple[Path, Path]
    house: Warehouse
    lasts: dict[str, float] = field(default_factory=dict)
    hashes: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    """A process that builds."""
    one = Builder()
    yield one
    one.close()


@pytest.fixture(scope="module")
def calm(builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Two recipes of one dataset, built without disturbance."""
    folder = tmp_path_factory.mktemp("calm")
    first = recipe(folder / "first")
    second = recipe(folder / "second", answers=range(2, 10), verify={"time_limit_s": 2, "workers": 1})
    found = Calm((first, second), Warehouse.open(folder / "warehouse"))
    for asked in found.recipes:
        began = builder.build(asked, found.house.root)
        found.lasts |= {step: end - start for (step, start), (_, end) in pairwise(began.items())}
        found.hashes.append(found.house.version("small").content_hash)
    return found


def _seen(root: Path) -> set[str]:
    """Return the hash that a reader's version promises and that of the rows it gets; nothing where nothing is."""
    try:
        reader = Warehouse.open(root, read_only=True)
        if "small" not in reader.datasets():
            return set()
    except WarehouseError:
        assert not list(root.glob("tables/datasets/*/metadata/*"))
        return set()
    return {reader.version("small").content_hash, content_hash(reader.files("small"), contract("prompt_set"))[0]}


def _handed_off_is_whole(root: Path) -> None:
    for release in root.glob("releases/small/[0-9]*"):
        assert [] == verify_release(release)
    for export in root.glob("exports/small/*/[a-z]*"):
        assert [] == check(export)


def _books(house: Warehouse) -> dict[str, pl.DataFrame]:
    """Return every book without what differs between two undisturbed runs: times and numbers of snapshots."""
    times = {"runs": ("started_at", "finished_at", "cost"), "rollouts": ("cpu_ms",)}
    return {
        name: house.book(name).drop(times.get(name, ())).collect().sort(book.contract.key)
        for name, book in SHELF.items()
    }


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 9))])
def test_content_keyed_resume_of_the_whole_job_survives_kills(
    seed: int, builder: Builder, calm: Calm, tmp_path: Path
) -> None:
    """Killed at many points of two builds: readers see old or new, and books, versions and results come out alike."""
    draw, root, allowed = random.Random(seed), tmp_path / "warehouse", [set()]
    for asked, expected in zip(calm.recipes, calm.hashes, strict=True):
        allowed.append({expected})
        kills = 0
        while kills < KILLS_PER_RUN:
            for step in sorted(draw.choices(list(calm.lasts), k=KILLS_PER_RUN - kills), key=list(calm.lasts).index):
                kills += builder.killed(asked, root, step, draw.uniform(0, calm.lasts[step]))
                assert _seen(root) in allowed[-2:]
                _handed_off_is_whole(root)
        builder.build(asked, root)
        assert {expected} == _seen(root)
        _handed_off_is_whole(root)
    house = Warehouse.open(root)
    assert ["1.0.0", "1.1.0"] == [version.version for version in house.versions("small")]
    undisturbed = _books(calm.house)
    for name, book in _books(house).items():
        assert book.height == book.n_unique(SHELF[name].contract.key), name
        assert undisturbed[name].equals(book), name
