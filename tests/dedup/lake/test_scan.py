"""What is read again, and what a kill or a second run can do."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dedup.lake.contain import contain
from dedup.lake.survey import survey
from schemas.recipe.lake import Lake
from tests.dedup.lake.lakes import looked, settled
from warehouse.stages import Services, Workspace


def test_well_packed_files_are_not_read_together(tmp_path: Path) -> None:
    """Files that are small only on disk are read in runs whose cells fit, and are tables all the same."""
    (tmp_path / "lake").mkdir()
    for name in range(6):
        pl.DataFrame({"a": np.full(40_000, name)}).write_parquet(tmp_path / "lake" / f"{name}.parquet")

    found = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=1)

    assert 6 == len({table.prints[0].block[0] for table in found.tables})


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_only_what_changed_is_read(format: str, tmp_path: Path) -> None:  # noqa: A002 - the word that people use
    """A second run reads nothing; a new table, a new part or a touched file costs its own bytes."""
    folder = tmp_path / "lake"
    frame = pl.DataFrame({"a": range(100), "b": range(100)})
    for name in ("one", "two", "parted/day=1/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(frame, folder / f"{name}.{format}")
    first, again = (looked(folder, tmp_path / "house").bytes_read for _ in range(2))
    added = _write(frame.head(10), folder / f"three.{format}")
    appended = _write(frame.tail(30), folder / "parted" / f"day=1/y.{format}")
    touched = settled(folder / f"one.{format}", times=1).stat().st_size

    config = Lake(path=str(folder))
    services = Services(Workspace(tmp_path / "house"))
    found = survey(config, services)
    edges = contain(found, config, services)

    assert (sum(file.stat().st_size for file in folder.rglob(f"*.{format}")) - added - appended, 0) == (first, again)
    assert added + appended + touched == found.bytes_read
    assert 0 == edges.ledger["bytes_read"][1:].sum()
    assert 130 == found.table("parted").rows
    assert {("three", "one"), ("three", "two"), ("one", "two"), ("two", "one")} <= {
        (child.split(".")[0], parent.split(".")[0]) for child, parent in edges.edges.select("child", "parent").rows()
    }


def _write(frame: pl.DataFrame, path: Path) -> int:
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return settled(path).stat().st_size


def test_a_lake_is_known_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read by a relative path is not read again by an absolute one, or by a glob."""
    (tmp_path / "lake").mkdir()
    size = _write(pl.DataFrame({"a": range(9)}), tmp_path / "lake" / "a.csv")
    monkeypatch.chdir(tmp_path)

    read = [looked(path, tmp_path / "house").bytes_read for path in ("lake", tmp_path / "lake", "l*/*", "./lake/a.csv")]

    assert [size, 0, 0, 0] == read


@pytest.mark.parametrize("keep", [0, 64])
def test_what_is_no_table_is_not_read_again(keep: int, tmp_path: Path) -> None:
    """A rejected file costs its bytes once, large or small."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "ragged.csv"
    path.write_text("a,b\n1,2\n3\n")
    settled(path)

    first, again = (looked(path.parent, tmp_path / "house", keep_cells_mb=keep) for _ in range(2))

    assert first.rejections == again.rejections
    assert [path.stat().st_size, 0] == [first.bytes_read, again.bytes_read]


def test_sorted_rows_of_large_tables_are_read_once(tmp_path: Path) -> None:
    """A table whose cells are not kept is read for its rows in the first run only."""
    frame = pl.DataFrame({"a": range(5000), "b": range(5000)})
    (tmp_path / "lake").mkdir()
    sizes = [_write(part, tmp_path / "lake" / f"{part.height}.parquet") for part in (frame, frame.head(2000))]
    config = Lake(path=str(tmp_path / "lake"), keep_cells_mb=0)
    services = Services(Workspace(tmp_path / "house"))

    read_bytes = []
    for _ in range(2):
        found = contain(survey(config, services), config, services)
        read_bytes.append(found.ledger["bytes_read"].sum())
        assert 1 == found.edges.height

    assert [2 * sum(sizes), 0] == read_bytes


def _lake_of(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    draw = np.random.default_rng(2)
    for number in range(count):
        rows = int(draw.integers(20, 400))
        frame = pl.DataFrame({f"k{number % 7}": draw.integers(0, 50, rows), "x": draw.integers(0, 3, rows)})
        _write(frame, folder / f"t{number:04d}.csv")


_FILES_AT_ONCE = 8


_LOGGED = """
import sys
from pathlib import Path
from dedup.lake import scan
from dedup.lake.contain import contain
from dedup.lake.files.storage import Storage
from dedup.lake.survey import survey
from schemas.recipe.lake import Lake
from warehouse.stages import Services, Workspace

opened = Storage.open
def logged(storage, file):
    print(file.name, flush=True)
    return opened(storage, file)
Storage.open = logged
scan._BATCH_FILES = int(sys.argv[4])
config = Lake(path=sys.argv[1], keep_cells_mb=int(sys.argv[3]), near=None, suggest_columns=False)
services = Services(Workspace(Path(sys.argv[2])))
contain(survey(config, services), config, services)
"""


def _killed(folder: Path, house: Path, keep: int, files: int) -> set[str]:
    """Kill a run that has opened some number of files; return which it opened."""
    command = [sys.executable, "-c", _LOGGED, str(folder), str(house), str(keep), str(_FILES_AT_ONCE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        opened: set[str] = set()
        for line in process.stdout:
            opened.add(line.strip())
            if len(opened) == files:
                process.send_signal(signal.SIGKILL)
        assert -signal.SIGKILL == process.wait()
    return opened


@pytest.mark.parametrize("files", [1, 37])
@pytest.mark.parametrize(("keep", "scanned"), [(64, False), (0, False), (0, True)], ids=["small", "large", "sorting"])
def test_a_kill_costs_one_batch(keep: int, scanned: bool, files: int, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    """Killed while it reads or sorts and run again: of the bytes read before, those of one batch or table at most."""
    _lake_of(tmp_path / "lake", 60)
    config = Lake(path=str(tmp_path / "lake"), keep_cells_mb=keep, near=None, suggest_columns=False)
    house, clean = (Services(Workspace(tmp_path / name)) for name in ("house", "clean"))
    whole, expected = survey(config, clean), contain(survey(config, clean), config, clean)
    if scanned:
        survey(config, house)

    sizes = {table.name: table.bytes for table in whole.tables}
    opened = sum(sizes[name] for name in _killed(tmp_path / "lake", house.workspace.root, keep, files))
    after = contain(survey(config, house), config, house)

    read_after = after.ledger["bytes_read"][2 if scanned else 0]
    alone = expected.ledger["bytes_read"][2] if scanned else whole.bytes_read
    largest = sorted(sizes.values())[-1 if keep == 0 else -_FILES_AT_ONCE :]
    assert 0 <= opened + read_after - alone <= sum(largest)
    for frame in ("tables", "rejections", "edges"):
        assert getattr(expected, frame).equals(getattr(after, frame))


def _run_once(folder: str, house: str) -> list[tuple[str, str]]:
    config = Lake(path=folder)
    services = Services(Workspace(Path(house)))
    return contain(survey(config, services), config, services).edges.select("child", "parent").rows()


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Two processes on one warehouse find the same, and so does a run after them."""
    _lake_of(tmp_path / "lake", 120)
    given = (str(tmp_path / "lake"), str(tmp_path / "house"))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(_run_once, *given) for _ in range(2)]
        both = [one.result() for one in running]

    assert both[0] == both[1] == _run_once(*given) == _run_once(given[0], str(tmp_path / "other"))
