"""Kills, full disks, other devices and second runs while tables are deleted and brought back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dedup.retention.recipes.recipe import Recipe
from dedup.retention.recipes.store import Recipes
from dedup.retention.trash.attic import Attic
from dedup.retention.trash.deletion import Keeper
from dedup.retention.trash.journal import Event
from schemas.errors import WarehouseError
from tests.dedup.retention.lakes import content, ordinary, recipe_of

TABLES = {"part.csv": "lossless", "parts": "text"}
LATER = datetime.now(UTC) + timedelta(days=8)


ACTIONS = ("delete", "restore", "purge", "rebuild")
FEW = 2
EARLY = 11
"""Steps in which the next run puts right what a kill left half done, roughly: it is killed at one of these too."""


def _begun(lake: Path, action: str, step: int = 0) -> subprocess.Popen[str]:
    """Do something in a process that is killed at a step; 0 is never reached."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / "killable.py"), str(lake), action, str(step)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )


def _lake(folder: Path) -> Path:
    """Write a lake, and the recipes of two of its tables beside it."""
    folder.mkdir(exist_ok=True)
    lake = ordinary(folder / "lake")
    for table, policy in TABLES.items():
        recipe_of(lake, table, "whole.csv", policy)
    return lake


def _prepared(lake: Path, action: str) -> None:
    """Bring the lake to where an action has something to do."""
    if action != "delete":
        _done(lake, "delete")
    if action == "rebuild":
        _done(lake, "purge")


def _nothing_is_lost(lake: Path, whole: dict[str, bytes]) -> None:
    """Every table is at its place, in the trash or can be rebuilt, as the journal tells; others are not touched."""
    for table, one in Attic(lake).deleted().items():
        for (place, trash), file in zip(Attic(lake).places(one.recipe), one.recipe.files, strict=True):
            held = [path.read_bytes() for path in (place, trash) if path.exists()]
            assert {whole[file.path]} >= set(held)
            assert held or one.entry.event in (Event.PURGE, Event.PURGED), table
    gone = {file.path for one in Attic(lake).deleted().values() for file in one.recipe.files}
    assert {name: whole[name] for name in whole if name not in gone} == {
        name: found for name, found in content(lake).items() if name not in gone
    }


@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_loses_nothing(tmp_path: Path, action: str) -> None:
    """After SIGKILL at some of its steps, and again while that is put right, all tables are there or rebuildable."""
    _kill(tmp_path, action, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_at_any_step_loses_nothing(tmp_path: Path, action: str) -> None:
    """After SIGKILL at each of its steps in turn."""
    _kill(tmp_path, action, 10**6)


def _kill(folder: Path, action: str, most: int) -> None:
    lake = _lake(folder / "now")
    whole = content(lake)
    _prepared(lake, action)
    shutil.copytree(folder / "now", folder / "before")
    steps = int(_begun(lake, action).communicate()[0])
    aim = content(lake)
    assert steps >= 12
    for step in range(1, steps + 1, max(1, steps // most)):
        shutil.rmtree(folder / "now")
        shutil.copytree(folder / "before", folder / "now")
        assert -signal.SIGKILL == _begun(lake, action, step).wait()
        _nothing_is_lost(lake, whole)
        _begun(lake, action, 1 + step % EARLY).communicate()
        _nothing_is_lost(lake, whole)
        _done(lake, action)
        assert aim == content(lake)
    _all_come_back(lake, whole)


def _done(lake: Path, action: str) -> None:
    """Do the same here, from beginning to end."""
    made = Recipes(lake.parent / "lake.sqlite")
    with Keeper.of(lake) as keeper:
        for recipe in made.numbered().values() if action == "delete" else ():
            keeper.delete(recipe, made, days=7)
        for table in list(keeper.deleted) if action != "delete" else ():
            keeper.purge(table, now=LATER) if action == "purge" else getattr(keeper, action)(table)


def _all_come_back(lake: Path, whole: dict[str, bytes]) -> None:
    with Keeper.of(lake) as keeper:
        for table in list(keeper.deleted):
            keeper.rebuild(table)
    assert whole == content(lake)
    assert ["attic.sqlite", "locks"] == sorted(
        path.name for path in (lake / ".sluice").iterdir() if path.is_file() or any(path.iterdir())
    )


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Both end well, and each table was deleted once."""
    lake = _lake(tmp_path)
    whole = content(lake)
    both = [_begun(lake, "delete") for _ in range(2)]
    assert [0, 0] == [one.wait() for one in both]
    assert TABLES.keys() == Attic(lake).deleted().keys()
    _nothing_is_lost(lake, whole)
    _all_come_back(lake, whole)


def test_a_full_disk_deletes_nothing(tmp_path: Path, small_disk: Callable[[int], Path]) -> None:
    """Where a rebuild does not fit, the error says so and the table stays; with room again the run goes through."""
    disk = small_disk(1)
    source = ordinary(tmp_path / "lake")
    lake = disk / "lake"
    shutil.copytree(source, lake)
    recipe, recipes = recipe_of(source, "part.csv", "whole.csv")
    before = content(lake)
    with Keeper.of(lake):
        pass
    filler = disk / "filler"
    _fill(filler)
    with pytest.raises(WarehouseError, match=r"No space|full"):
        _delete(lake, recipe, recipes)
    assert before == content(lake)
    filler.unlink()
    with Keeper.of(lake) as keeper:
        assert "deleted" == keeper.delete(recipe, recipes, days=7).outcome
        assert "restored" == keeper.restore("part.csv").outcome
    assert before == content(lake)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def _delete(lake: Path, recipe: Recipe, recipes: Recipes) -> None:
    with Keeper.of(lake) as keeper:
        keeper.delete(recipe, recipes, days=7)


def test_a_trash_on_another_device_works_alike(tmp_path: Path, small_disk: Callable[[int], Path]) -> None:
    """A table on a device of its own is copied to the trash, checked, and copied back."""
    lake = ordinary(tmp_path / "lake")
    disk = small_disk(4)
    (lake / ".sluice").symlink_to(disk)
    before = content(lake)
    recipe = recipe_of(lake, "parts", "whole.csv", "text")
    with Keeper.of(lake) as keeper:
        assert "deleted" == keeper.delete(*recipe, days=7).outcome
        assert 2 == len([path for path in (disk / "trash").rglob("*") if path.is_file()])
        assert "restored" == keeper.restore("parts").outcome
    assert before == content(lake)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_lake_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """Without permission to write nothing happens, with an error that names the folder."""
    lake = ordinary(tmp_path / "lake")
    lake.chmod(0o500)
    try:
        with pytest.raises(WarehouseError, match="cannot be written"), Keeper.of(lake):
            pass
    finally:
        lake.chmod(0o700)


def test_a_folder_that_takes_no_files_keeps_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A move that the system refuses leaves the table at its place, and the next run puts the journal right."""
    lake = ordinary(tmp_path / "lake")
    before = content(lake)
    recipe = recipe_of(lake, "part.csv", "whole.csv")

    def refused(_path: Path, _target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refused)
        with pytest.raises(WarehouseError, match="cannot be moved"):
            _delete(lake, *recipe)
    assert before == content(lake)
    with Keeper.of(lake) as keeper:
        assert {} == keeper.deleted
        assert "deleted" == keeper.delete(*recipe, days=7).outcome
