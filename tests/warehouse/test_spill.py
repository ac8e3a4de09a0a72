"""Folders for what does not fit into memory, and processes that are killed while they use one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.records import PASS_RATE
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.invariants import Build
from warehouse.spill import SPILL, spill_folder
from warehouse.stages import Workspace

_SPILLING = """
import sys, time, pathlib, contextlib
from warehouse import gate, spill
from warehouse.invariants import Build
from warehouse.release import order
from warehouse.stages import Workspace

made = {made}
with made as made:
    list(pathlib.Path({home!r}).rglob(".spill/*"))[0].joinpath("part").write_bytes(b"x" * 1000)
    print("spilling", flush=True)
    time.sleep(600)
"""
Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that opens what is asked for and holds on to it."""
    running = []

    def started(made: str, **environment: str) -> subprocess.Popen:
        code = _SPILLING.format(made=made, home=str(tmp_path))
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={"PATH": "", "TMPDIR": str(tmp_path), **environment},
        )
        running.append(process)
        assert "spilling\n" == process.stdout.readline()
        return process

    yield started
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def _left(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.parent.name == ".spill" or path.name.startswith("spill-"))


def _of(root: Path) -> str:
    return f"spill.spill_folder(Workspace(pathlib.Path({str(root)!r})))"


def test_a_warehouse_that_may_only_be_read_is_not_written(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What spills while it is audited lies among the temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    workspace.root.mkdir()
    monkeypatch.setattr("os.access", lambda path, _mode: path != workspace.root)
    with spill_folder(workspace) as folder:
        assert folder.is_relative_to(tmp_path / "temporary")
    assert [] == list(workspace.root.iterdir())


def _killed(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()


def test_a_folder_goes_with_the_work(workspace: Workspace) -> None:
    """Nothing is left after the work, nor after work that failed."""
    workspace.root.mkdir()
    with spill_folder(workspace) as folder:
        (folder / "part").write_bytes(b"x")
    with pytest.raises(ZeroDivisionError), spill_folder(workspace):
        1 / 0  # noqa: B018 - the failure
    assert [] == _left(workspace.root)


def test_the_next_work_removes_what_a_killed_process_left_and_nothing_that_is_in_use(
    tmp_path: Path, start: Start
) -> None:
    """Of two processes one is killed: its folder goes, the other's stays."""
    root = tmp_path / "w"
    root.mkdir()
    dead = start(_of(root))
    (orphan,) = [path for path in _left(root) if path.is_dir()]
    alive = start(_of(root))
    _killed(dead)
    with spill_folder(Workspace(root)) as own:
        folders = {path for path in _left(root) if path.is_dir()}
    assert (False, True, 2) == (orphan in folders, own in folders, len(folders))
    _killed(alive)


def test_the_sweep_removes_what_a_killed_process_left(tmp_path: Path, start: Start) -> None:
    """`sluice clean` takes the folder at once, however young, and tells its size."""
    house = Warehouse.open(tmp_path / "w")
    process = start(_of(house.root))
    assert [] == [one for one in house.sweep(grace=timedelta(0)) if str(SPILL) in one.where]
    _killed(process)
    assert [1000] == [one.size for one in house.sweep(dry_run=True) if str(SPILL) in one.where]
    assert [1000] == [one.size for one in house.sweep() if str(SPILL) in one.where]
    assert [] == list((house.root / SPILL).iterdir())


@pytest.mark.parametrize(
    "made",
    ["gate._connection(Build(Workspace(pathlib.Path({home!r}))))", "gate._connection(None)", "order._connection()"],
)
def test_an_audit_or_export_killed_leaves_nothing_for_long(
    made: str, tmp_path: Path, start: Start, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the gate and the releases spill is removed by the next audit or export, wherever it lay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    workspace.root.mkdir()
    _killed(start(made.format(home=str(workspace.root))))
    assert 1 == len([path for path in _left(tmp_path) if path.is_dir()])
    for context in (Build(workspace), None):
        assert audit([], PASS_RATE, context=context).success
    assert [] == _left(tmp_path)
