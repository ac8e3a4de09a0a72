"""Full disks, read-only folders, corrupt catalogs, missing files, moved folders: a clear error, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from schemas.errors import MissingExtra, WarehouseError
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.catalog import DATASETS
from warehouse.explore import query
from warehouse.exports import export
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.release.info import ReleaseInfo
from warehouse.release.write import write_release
from warehouse.why import why

Place = Callable[..., TableRef]
Release = Callable[..., Published]


def _fill(path: Path, leaving: int) -> None:
    free = os.statvfs(path.parent)
    with path.open("ab", buffering=0) as file, suppress(OSError):
        file.write(bytes(max(0, free.f_bavail * free.f_bsize - leaving)))


def _noise(count: int) -> str:
    return np.random.default_rng(count).bytes(count // 2).hex()


def test_a_full_disk_is_said_and_nothing_is_lost(
    small_disk: Callable[[int], Path], put_table: Callable, problem_frame: Callable, outcome: type
) -> None:
    """Publishing onto a full disk fails with a hint, leaves no half file, and succeeds once there is room."""
    disk = small_disk(6)
    house = Warehouse.open(disk / "house")

    def publish(rows: TableRef, run_id: str) -> Published:
        return house.publish("sums", "problem", rows, run_id=run_id, audit=lambda *_: outcome())

    publish(put_table(house.workspace, problem_frame(range(3)), contract("problem")), "r1")
    big = put_table(house.workspace, problem_frame(range(3), meta=f'"{_noise(2_000_000)}"'), contract("problem"))
    filler = disk / "filler"
    _fill(filler, leaving=300_000)
    with pytest.raises(WarehouseError, match="free some space and run again"):
        publish(big, "r2")
    _fill(filler, leaving=0)
    with pytest.raises(WarehouseError, match="free some space and run again"):
        house.upsert_run({"run_id": "r2"})
    data = disk / "house" / "tables" / "datasets" / "sums" / "data"
    assert house.files("sums") == sorted(path for path in data.rglob("*") if path.is_file())
    assert 3 == house.scan("sums").collect().height
    filler.unlink()
    assert "1.1.0" == publish(big, "r2").version.version


def test_a_read_only_disk_is_said_and_read(
    small_disk: Callable[[int], Path], put_table: Callable, problem_frame: Callable, outcome: type
) -> None:
    """A folder that cannot be written is read as ever, and refuses to be written with a hint."""
    disk = small_disk(6)
    house = Warehouse.open(disk / "house")
    rows = [put_table(house.workspace, problem_frame(range(n)), contract("problem")) for n in (2, 3)]
    house.publish("sums", "problem", rows[0], run_id="r1", audit=lambda *_: outcome())
    house.catalog.backend.close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert 2 == Warehouse.open(house.root, read_only=True).scan("sums").collect().height
    for write in (
        lambda: house.publish("sums", "problem", rows[1], run_id="r2", audit=lambda *_: outcome()),
        lambda: house.append("rejections", problem_frame([]).lazy(), "r2"),
        lambda: Warehouse.open(house.root),
    ):
        with pytest.raises(WarehouseError, match="cannot be written: check its permissions"):
            write()


def test_a_corrupt_catalog_is_named(house: Warehouse, place: Place, release: Release) -> None:
    """A catalog file full of noise is told from an empty one, and the tables stay."""
    release(place(range(2)), "r1")
    (path,) = house.files("sums")
    (house.root / "catalog.db").write_bytes(b"not a catalog at all" * 500)
    for read_only in (True, False):
        with pytest.raises(WarehouseError, match=r"catalog\.db is corrupt: put it back from a backup"):
            Warehouse.open(house.root, read_only=read_only)
    assert path.exists()


def test_a_missing_catalog_is_not_replaced_by_an_empty_one(house: Warehouse, place: Place, release: Release) -> None:
    """Where tables lie, a catalog that is gone is an error; nothing is begun over them."""
    release(place(range(2)), "r1")
    saved = house.root / "catalog.db"
    saved.rename(house.root / "backup.db")
    with pytest.raises(WarehouseError, match="is missing, though 1 tables lie beside it"):
        Warehouse.open(house.root)
    (house.root / "backup.db").rename(saved)
    assert 2 == Warehouse.open(house.root).scan("sums").collect().height


def test_a_catalog_whose_making_was_cut_short_is_empty_for_readers(tmp_path: Path) -> None:
    """After a kill between the catalog's tables and its namespaces there is nothing to see, and a writer goes on."""
    SqlCatalog("sluice", uri=f"sqlite:///{tmp_path}/catalog.db")
    assert [] == Warehouse.open(tmp_path, read_only=True).datasets()
    assert [] == Warehouse.open(tmp_path).datasets()


def test_a_folder_without_a_warehouse_is_not_read(tmp_path: Path) -> None:
    """Opening nothing for reading makes nothing."""
    with pytest.raises(WarehouseError, match="check the folder's name"):
        Warehouse.open(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("damage", ["gone", "garbled"])
def test_missing_or_garbled_metadata_is_named(house: Warehouse, place: Place, release: Release, damage: str) -> None:
    """A table whose metadata file is gone or is no metadata is an error of the warehouse, not a traceback."""
    release(place(range(2)), "r1")
    path = Path(house.catalog.find(DATASETS, "sums").metadata_location)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b'{"format-version": 2}')
    with pytest.raises(WarehouseError, match="cannot read the versions in"):
        house.versions("sums")
    path.write_bytes(content)
    assert ["1.0.0"] == [version.version for version in house.versions("sums")]


def test_a_version_that_a_newer_sluice_published_is_said(house: Warehouse, place: Place, release: Release) -> None:
    """A record with more in it than is known here is an error that names the tag; nothing is published over it."""
    release(place(range(2)), "r1")
    table = house.catalog.find(DATASETS, "sums")
    (record,) = (name for name in table.properties if name.startswith("sluice.version."))
    newer = json.dumps(json.loads(table.properties[record]) | {"novelty": 1})
    with table.transaction() as transaction:
        transaction.set_properties({record: newer})
    rows = place(range(3))
    for use in (lambda: house.versions("sums"), lambda: house.scan("sums"), lambda: release(rows, "r2")):
        with pytest.raises(WarehouseError, match=r"the tag 'v1\.0\.0' of 'sums'(?s:.*)Hint: a newer Sluice"):
            use()


@pytest.mark.parametrize("damage", ["short", "gone"])
def test_a_damaged_file_of_a_version_is_said_by_whoever_reads_it(
    house: Warehouse, place: Place, release: Release, tmp_path: Path, damage: str
) -> None:
    """Reading, asking in SQL, comparing, telling a story, exporting and releasing name the way out; nothing is lost."""
    release(place(range(2)), "r1")
    release(place(range(3)), "r2")
    paths = house.files("sums")
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[:200])
    if damage == "gone":
        paths[0].unlink()
    info = ReleaseInfo("sums", "1.1.0", house.version("sums").published_at)
    for read in (
        lambda: house.scan("sums"),
        lambda: query(house, "SELECT 1"),
        lambda: house.diff("sums", "1.0.0"),
        lambda: why(house, "1"),
        lambda: export(paths, "datasets", tmp_path / "export"),
        lambda: write_release(paths, contract("problem"), info, tmp_path / "release"),
    ):
        with pytest.raises(WarehouseError, match=r"is damaged or gone|are whole"):
            read()
    assert 2 == house.scan("sums", "1.0.0").collect().height
    paths[0].write_bytes(content)
    assert 3 == house.scan("sums").collect().height


def test_damaged_pages_are_not_the_fault_of_the_query(house: Warehouse, place: Place, release: Release) -> None:
    """Where a file's end is whole and its rows are not, asking says so, however well the query is written."""
    release(place(range(2)), "r1")
    (path,) = house.files("sums")
    content = bytearray(path.read_bytes())
    content[10:400] = bytes(390)
    path.write_bytes(content)
    for ask in (lambda: query(house, "SELECT * FROM sums"), lambda: why(house, "1")):
        with pytest.raises(WarehouseError, match="is damaged or gone"):
            ask()


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree], ids=["moved", "copied"])
def test_a_warehouse_elsewhere_than_it_was_made_is_refused(
    house: Warehouse, place: Place, release: Release, move: Callable[[Path, Path], object]
) -> None:
    """A copy must not write into the original's tables, nor a moved one into nothing; the way out is told."""
    release(place(range(2)), "r1")
    elsewhere = house.root.parent / "elsewhere"
    move(house.root, elsewhere)
    with pytest.raises(WarehouseError, match="Iceberg keeps absolute paths"):
        Warehouse.open(elsewhere).scan("sums")


def test_a_moved_warehouse_works_through_a_link_at_its_old_place(
    house: Warehouse, place: Place, release: Release
) -> None:
    """The way out that the error names does work."""
    release(place(range(2)), "r1")
    elsewhere = house.root.parent / "elsewhere"
    shutil.move(house.root, elsewhere)
    house.root.symlink_to(elsewhere, target_is_directory=True)
    moved = Warehouse.open(elsewhere)
    assert 2 == moved.scan("sums").collect().height
    rows = place(range(3))
    assert "1.1.0" == release(rows, "r2").version.version


def test_a_catalog_elsewhere_is_used_by_uri(
    tmp_path: Path, put_table: Callable, problem_frame: Callable, outcome: type
) -> None:
    """The catalog may be any database that the URI names."""
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    house = Warehouse.open(tmp_path / "house", uri=uri)
    rows = put_table(house.workspace, problem_frame(range(2)), contract("problem"))
    house.publish("sums", "problem", rows, run_id="r1", audit=lambda *_: outcome())
    assert not (house.root / "catalog.db").exists()
    assert 2 == Warehouse.open(house.root, uri=uri).scan("sums").collect().height


@pytest.mark.parametrize(
    "uri", ["postgresql+psycopg2://me:secret@127.0.0.1:1/none", "nonsense secret", "http://me:secret@127.0.0.1:1"]
)
def test_a_catalog_out_of_reach_is_said_without_its_password(tmp_path: Path, uri: str) -> None:
    """Neither a missing driver, nor a refused connection, nor nonsense is a traceback or tells a secret."""
    with pytest.raises((WarehouseError, MissingExtra)) as failure:
        Warehouse.open(tmp_path / "other", uri=uri)
    assert "secret" not in str(failure.value)
