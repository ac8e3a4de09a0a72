"""Reading a warehouse: names, versions, rollback, history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import UsageError, WarehouseError
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.explore import query
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.release.info import ReleaseInfo
from warehouse.release.write import write_release

Place = Callable[..., TableRef]
Release = Callable[..., Published]


def test_versions_are_found_by_any_of_their_names(house: Warehouse, place: Place, release: Release) -> None:
    """``latest``, ``1.1.0`` and ``v1.1.0`` name the same version."""
    release(place(range(2)), "r1")
    latest = release(place(range(3)), "r2", notes="One more sum.").version
    assert [latest] * 3 == [house.version("sums", ref) for ref in ("latest", "1.1.0", "v1.1.0")]
    assert "One more sum.\n1 added, 0 removed, 0 changed, 2 unchanged." == latest.notes
    assert ["1.0.0", "1.1.0"] == [version.version for version in house.versions("sums")]
    assert (2, 3) == tuple(house.scan("sums", ref).select(pl.len()).collect().item() for ref in ("1.0.0", "latest"))


def test_unknown_names_suggest_the_nearest(house: Warehouse, place: Place, release: Release) -> None:
    """A misspelt dataset, version or book is answered with what there is and what was probably meant."""
    release(place(range(2)), "r1")
    with pytest.raises(UsageError, match=r"no dataset is called 'sum'; there are sums\.\n\nHint: did you mean 'sums'"):
        house.versions("sum")
    with pytest.raises(UsageError, match=r"no version '1\.0\.9'; it has 1\.0\.0\.\n\nHint: did you mean '1\.0\.0'"):
        house.scan("sums", "1.0.9")
    with pytest.raises(UsageError, match="did you mean 'runs'"):
        house.book("run")


def test_a_dataset_without_a_version_is_not_listed(house: Warehouse, place: Place, release: Release) -> None:
    """What was never published does not exist for readers."""

    def broken(*_: object) -> object:
        raise RuntimeError

    with pytest.raises(Exception, match="could not run"):
        release(place(range(2)), "r1", broken)
    assert [] == house.datasets()
    with pytest.raises(UsageError, match="has no version 'latest'; it has none yet"):
        house.version("sums", "latest")
    release(place(range(2)), "r1")
    assert ["sums"] == house.datasets()


def test_rollback_moves_main_and_the_next_number_is_above_the_highest(
    house: Warehouse, place: Place, release: Release
) -> None:
    """After a rollback ``latest`` is the older version, both tags stay, and numbers are never given twice."""
    release(place(range(2)), "r1")
    release(place(range(3)), "r2")
    assert "1.0.0" == house.rollback("sums", "v1.0.0").version
    assert ("1.0.0", 2) == (house.version("sums").version, house.scan("sums").collect().height)
    assert 3 == house.scan("sums", "1.1.0").collect().height
    assert release(place(range(2)), "r3").unchanged
    assert "1.2.0" == release(place(range(3)), "r4").version.version
    assert ["1.0.0", "1.1.0", "1.0.0", "1.2.0"] == [move.version for move in house.history("sums")]


def test_rollback_during_an_audit_is_not_undone(
    house: Warehouse, place: Place, release: Release, outcome: type
) -> None:
    """A publication that began on a version since rolled back is put on top of the older one and audited again."""
    release(place(range(2)), "r1")
    release(place(range(3)), "r2")
    audits = []

    def slow(*_: object) -> object:
        audits.append(house.version("sums").version)
        if len(audits) == 1:
            house.rollback("sums", "1.0.0")
        return outcome()

    late = release(place(range(4)), "r3", slow)
    assert ["1.1.0", "1.0.0"] == audits
    assert (2, "1.2.0") == (late.diff.added, late.version.version)


def test_a_read_only_warehouse_reads_and_refuses_to_write(house: Warehouse, place: Place, release: Release) -> None:
    """Every way of writing says that the warehouse was opened read-only."""
    rows = place(range(2))
    release(rows, "r1")
    reader = Warehouse.open(house.root, read_only=True)
    assert 2 == reader.scan("sums").collect().height
    assert [] == reader.sweep(dry_run=True)
    for write in (
        lambda: reader.publish("sums", "problem", rows, run_id="r2", audit=lambda *_: None),
        lambda: reader.rollback("sums", "1.0.0"),
        lambda: reader.append("rollouts", pl.DataFrame(), "r2"),
        lambda: reader.upsert_run({"run_id": "r2"}),
        reader.sweep,
    ):
        with pytest.raises(WarehouseError, match="opened read-only"):
            write()


def test_a_version_tells_everything_about_itself(house: Warehouse, place: Place, release: Release) -> None:
    """Its record names run, rows, hash and contract, and survives as JSON."""
    rows = place(range(2))
    release(rows, "r1")
    version = house.version("sums")
    assert ("r1", 2, rows.content_hash, "problem", "1.0.0") == (
        version.run_id,
        version.rows,
        version.content_hash,
        version.contract,
        version.contract_version,
    )
    assert ("1.0.0", "major") == (version.to_json()["version"], version.to_json()["bump"])


def test_a_folder_is_read_to_the_letter_whatever_its_name(
    tmp_path: Path, put_table: Callable, problem_frame: Callable, rate_frame: Callable
) -> None:
    """Quotes, spaces and signs that are patterns elsewhere name one folder, not the one beside it that would match."""
    rest = "\"q\" 'x' ü #%20 ?])"
    houses = [Warehouse.open(tmp_path / name / "house") for name in (f"a-b 1 {rest}", f"a*b [1] {rest}")]
    for count, house in zip((7, 2), houses, strict=True):
        for rows in (count, count + 1):
            ref = put_table(house.workspace, problem_frame(range(rows)), contract("problem"))
            house.publish("sums", "problem", ref, run_id=f"r{rows}", audit=audit)
        house.append("pass_rates", rate_frame(range(count)), "r1")
        house.append("pass_rates", rate_frame(range(count), n=16), "r2")
    house = houses[1]
    assert 3 == house.scan("sums").collect().height
    assert 1 == house.diff("sums", "1.0.0").added
    assert 3 == query(house, "SELECT count(*) FROM sums").item()
    assert [16, 16] == query(house, "SELECT n FROM pass_rate").to_series().to_list()
    info = ReleaseInfo("sums", "1.1.0", house.version("sums").published_at)
    assert 3 == write_release(house.files("sums"), contract("problem"), info, house.root / "release").manifest["rows"]
