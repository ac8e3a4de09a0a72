"""What a sweep takes, and what it must never touch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import GateFailed
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.catalog import DATASETS
from warehouse.fingerprint import content_hash
from warehouse.house import Warehouse
from warehouse.janitor import Kind, Removal
from warehouse.publish import Published

NOW = timedelta(0)
Place = Callable[..., TableRef]
Release = Callable[..., Published]


def _kinds(removals: list[Removal]) -> set[Kind]:
    return {removal.kind for removal in removals}


def _interrupted(*_: object) -> object:
    raise KeyboardInterrupt


def test_branches_of_dead_runs_go_and_rejected_ones_stay_until_old(
    house: Warehouse, place: Place, release: Release, outcome: type
) -> None:
    """A run that was killed leaves nothing worth keeping; rejected rows are kept for inspection, but not for ever."""
    release(place(range(3)), "r1")
    with pytest.raises(KeyboardInterrupt):
        release(place(range(4)), "killed", _interrupted)
    with pytest.raises(GateFailed):
        release(place(range(5)), "rejected", lambda *_: outcome(success=False, summary="no"))
    assert [] == [removal for removal in house.sweep() if removal.kind is Kind.BRANCH]
    swept = house.sweep(grace=NOW)
    assert ["sums@run-killed"] == [removal.where for removal in swept if removal.kind is Kind.BRANCH]
    swept = house.sweep(age=NOW, grace=NOW)
    assert ["sums@run-rejected"] == [removal.where for removal in swept if removal.kind is Kind.BRANCH]
    assert {"main", "v1.0.0"} == set(house.catalog.find(DATASETS, "sums").metadata.refs)
    data = Path(house.catalog.find(DATASETS, "sums").metadata.location, "data")
    assert house.files("sums") == sorted(path for path in data.rglob("*") if path.is_file())


def test_the_branch_of_a_living_run_is_left_alone(
    house: Warehouse, place: Place, release: Release, outcome: type
) -> None:
    """Whoever is publishing holds a lock; a sweep during its audit takes neither its branch nor its files."""
    release(place(range(3)), "r1")

    def swept_meanwhile(paths: list[Path], _contract: object) -> object:
        script = (
            "import sys; from datetime import timedelta; from pathlib import Path;"
            "from warehouse.house import Warehouse;"
            "Warehouse.open(Path(sys.argv[1])).sweep(age=timedelta(0), grace=timedelta(0))"
        )
        root = str(Path(__file__).parents[2])
        environment = {**os.environ, "PYTHONPATH": root}
        subprocess.run([sys.executable, "-c", script, str(house.root)], check=True, env=environment)
        return outcome(success=all(path.exists() for path in paths))

    assert "1.1.0" == release(place(range(4)), "r2", swept_meanwhile).version.version
    assert 4 == house.scan("sums").collect().height


def test_a_dry_run_lists_what_a_sweep_takes_and_takes_nothing(house: Warehouse, place: Place, release: Release) -> None:
    """The list told beforehand is the list of what then goes."""
    release(place(range(3)), "r1")
    with pytest.raises(KeyboardInterrupt):
        release(place(range(4)), "killed", _interrupted)
    stray = house.root / "tables" / "datasets" / "sums" / "data" / "run-gone" / "stray.parquet"
    stray.parent.mkdir()
    stray.write_bytes(b"x" * 100)
    told = house.sweep(age=NOW, grace=NOW, dry_run=True)
    files = {path for path in house.root.rglob("*") if path.is_file()}
    assert {Kind.BRANCH, Kind.SNAPSHOT, Kind.FILE, Kind.LOCK} == _kinds(told)
    assert files == {path for path in house.root.rglob("*") if path.is_file()}
    taken = house.sweep(age=NOW, grace=NOW)
    assert {removal.where for removal in told} <= {removal.where for removal in taken}
    assert 100 == next(removal.size for removal in taken if removal.where.endswith("stray.parquet"))
    assert not stray.exists()


def test_stagings_of_dead_processes_go(house: Warehouse) -> None:
    """A half-written stage goes with its process; one that is being written stays."""
    finished = subprocess.Popen(["true"])
    finished.wait()
    dead = house.root / "work" / "dedup" / f".abc.{finished.pid}"
    alive = house.root / "work" / "dedup" / f".abc.{os.getpid()}"
    whole = house.root / "work" / "dedup" / "abc"
    for folder in (dead, alive, whole):
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_bytes(b"12345")
    swept = [removal for removal in house.sweep() if removal.kind is Kind.STAGING]
    assert [(f"work/dedup/{dead.name}", 5)] == [(removal.where, removal.size) for removal in swept]
    assert (False, True, True) == (dead.exists(), alive.exists(), whole.exists())


def test_locks_that_are_held_stay(house: Warehouse) -> None:
    """A sweep takes the lock files of the past, not those of the present."""
    with house.workspace.lock("past"):
        pass
    with house.workspace.lock("present"):
        taken = [removal.where for removal in house.sweep(grace=NOW) if removal.kind is Kind.LOCK]
        assert "locks/past.lock" in taken
        assert "locks/present.lock" not in taken


def test_snapshots_of_books_go_and_their_rows_stay(house: Warehouse, rates: Place) -> None:
    """Only the present state of a book is kept."""
    for number in range(4):
        house.append("pass_rates", rates(range(number, number + 2)), f"r{number}")
    assert Kind.SNAPSHOT in _kinds(house.sweep(grace=NOW))
    assert 5 == house.book("pass_rates").collect().height
    assert 1 == house.append("pass_rates", rates(range(5, 6)), "r9").added


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 5)),
        st.tuples(st.just("reject"), st.integers(1, 5)),
        st.tuples(st.just("kill"), st.integers(1, 5)),
        st.tuples(st.just("rollback"), st.integers(0, 4)),
        st.tuples(st.just("sweep"), st.just(0)),
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=4)
@given(steps=_STEPS)
def test_garbage_collection_never_touches_a_tagged_version(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, int]],
    put_table: Callable[..., TableRef],
    problem_frame: Callable[..., pl.DataFrame],
    outcome: type,
) -> None:
    """Whatever was published, rejected, killed, rolled back and swept, every version reads as it was published."""
    house = Warehouse.open(tmp_path_factory.mktemp("house"))
    problem = contract("problem")
    for number, (step, value) in enumerate([("publish", 2), *steps, ("sweep", 0)]):
        if step == "sweep":
            house.sweep(age=NOW, grace=NOW)
        elif step == "rollback":
            versions = house.versions("sums")
            house.rollback("sums", versions[value % len(versions)].version)
        else:
            rows = put_table(house.workspace, problem_frame(range(value)), problem)
            audits = {
                "publish": lambda *_: outcome(),
                "reject": lambda *_: outcome(success=False),
                "kill": _interrupted,
            }
            try:
                house.publish("sums", "problem", rows, run_id=f"r{number}", audit=audits[step])
            except (GateFailed, KeyboardInterrupt):
                assert step != "publish"
        for version in house.versions("sums"):
            files = house.files("sums", version.version)
            assert (version.content_hash, version.rows) == content_hash(files, problem)
