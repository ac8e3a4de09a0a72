"""Two runs at once over one warehouse, as real commands with a Prefect server each: nothing is lost, nothing mixed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.registry import contract
from tests.flows.conftest import ROOT, _without_server
from tests.flows.small import recipe
from warehouse.books import SHELF
from warehouse.fingerprint import content_hash
from warehouse.house import Warehouse

pytestmark = pytest.mark.timeout(900)


def _at_once(root: Path, recipes: Sequence[Path]) -> None:
    """Run the recipes all at the same time, and wait until all have come to their end."""
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", "from flows.cli import main; main()", "run", one, "--warehouse", root],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=_without_server(),
        )
        for one in recipes
    ]
    told = [process.communicate()[0] for process in begun]
    assert [0] * len(begun) == [process.returncode for process in begun], "\n".join(told)


def _whole(house: Warehouse) -> None:
    """Check that every version holds the rows it promises, and that no book tells anything twice."""
    for name in house.datasets():
        for version in house.versions(name):
            found = content_hash(house.files(name, version.version), contract(version.contract))
            assert (version.content_hash, version.rows) == found
            assert (house.root / "releases" / name / version.version).is_dir()
    for name, book in SHELF.items():
        entries = house.book(name).collect()
        assert entries.height == entries.n_unique(book.contract.key), name


def test_one_recipe_run_twice_at_once_is_one_version(tmp_path: Path) -> None:
    """Both runs finish; the work is done once, and one version is published."""
    root = tmp_path / "warehouse"
    _at_once(root, [recipe(tmp_path)] * 2)
    house = Warehouse.open(root, read_only=True)

    _whole(house)
    assert ["1.0.0"] == [version.version for version in house.versions("small")]
    assert ["published"] == house.book("runs").collect()["status"].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_recipes_of_one_dataset_run_at_once_are_two_versions(order: tuple[int, int], tmp_path: Path) -> None:
    """Both runs publish; the later version is compared with the earlier one, and both stay readable."""
    root = tmp_path / "warehouse"
    made = [recipe(tmp_path / "a"), recipe(tmp_path / "b", answers=range(4, 11))]
    _at_once(root, [made[one] for one in order])
    house = Warehouse.open(root, read_only=True)

    _whole(house)
    assert ["1.0.0", "1.1.0"] == [version.version for version in house.versions("small")]
    assert {12, 11} == {version.rows for version in house.versions("small")}
    assert ["published"] * 2 == house.book("runs").collect()["status"].to_list()


@pytest.mark.slow
def test_two_datasets_built_at_once_both_appear(tmp_path: Path) -> None:
    """Runs of different datasets share catalog, books and caches, and do not disturb each other."""
    root = tmp_path / "warehouse"
    _at_once(root, [recipe(tmp_path / name, name=name) for name in ("left", "right")])
    house = Warehouse.open(root, read_only=True)

    _whole(house)
    assert ["left", "right"] == house.datasets()
