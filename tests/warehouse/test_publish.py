"""Write-audit-publish: what readers see, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas import registry
from schemas.contracts import Column, Contract
from schemas.derive.iceberg import pinned_arrow
from schemas.errors import GateBroken, GateFailed, PublishConflict, UsageError, WarehouseError
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.branches import branch_of, rejection_of
from warehouse.catalog import DATASETS
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.versions import Bump, Version

Place = Callable[..., TableRef]
Release = Callable[..., Published]


def _branches(house: Warehouse) -> list[str]:
    return sorted(house.catalog.find(DATASETS, "sums").metadata.refs)


def _ids(house: Warehouse, ref: str = "latest") -> list[str]:
    return house.scan("sums", ref).collect()["problem_id"].to_list()


def test_publish_is_atomic_and_gated(house: Warehouse, place: Place, release: Release, outcome: type) -> None:
    """While the audit runs, and after it fails, readers see the old version; after it passes, the new one."""
    release(place(range(3)), "r1")
    before = _ids(house)
    seen = []

    def refuse(paths: list[Path], of: Contract) -> object:
        seen.append((house.version("sums", "latest").version, _ids(house), pl.read_parquet(paths).height, of.name))
        return outcome(success=False, summary="2 rows are wrong")

    with pytest.raises(GateFailed, match="2 rows are wrong") as failure:
        release(place(range(5)), "r2", refuse)
    assert [("1.0.0", before, 5, "problem")] == seen
    assert "run-r2" in str(failure.value)
    assert before == _ids(house)
    assert ["1.0.0"] == [version.version for version in house.versions("sums")]
    release(place(range(5)), "r3")
    assert 5 == len(_ids(house))


def test_versions_are_immutable_and_tags_never_move(house: Warehouse, place: Place, release: Release) -> None:
    """Files, hash and snapshot of a version stay what they were, whatever is published or rolled back later."""
    known = {}
    for number, run_id in enumerate(("r1", "r2", "r3"), start=1):
        version = release(place(range(number)), run_id).version
        known[version.version] = (version, [path.read_bytes() for path in house.files("sums", version.version)])
    house.rollback("sums", "1.0.0")
    release(place(range(9)), "r4")
    house.sweep()
    for name, (version, content) in known.items():
        assert version == house.version("sums", name)
        assert content == [path.read_bytes() for path in house.files("sums", name)]


def test_identical_rows_make_no_version(house: Warehouse, place: Place, release: Release) -> None:
    """The same rows in another order are a no-op: no version, no audit, no branch."""
    first = release(place(range(4)), "r1").version

    def never(_paths: list[Path], _contract: Contract) -> object:
        raise AssertionError

    again = release(place(reversed(range(4))), "r2", never)
    assert (first, True) == (again.version, again.unchanged)
    assert ["main", "v1.0.0"] == _branches(house)


def test_rows_that_are_carried_on_make_no_version(house: Warehouse, place: Place, outcome: type) -> None:
    """Publishing where a chain of carried-on versions began is a no-op; other rows are a version that begins anew."""

    def published(rows: int, carries_on: Version | None = None) -> Published:
        good = outcome(success=True, summary="")
        run_id = f"r{rows}"
        return house.publish(
            "sums", "problem", place(range(rows)), run_id=run_id, audit=lambda *_: good, carries_on=carries_on
        )

    first = published(3).version
    second = published(5, first).version
    third = published(6, second).version
    again = published(3)

    assert [first.content_hash] * 2 == [second.origin, third.origin]
    assert (third, True) == (again.version, again.unchanged)
    assert ("1.3.0", "") == (published(4).version.version, published(4).version.origin)


def test_rows_are_stored_in_the_pinned_schema_sorted_by_key(house: Warehouse, place: Place, release: Release) -> None:
    """Files carry the contract's types, nullability, docs and Iceberg's field ids, and Iceberg reads the same rows."""
    release(place([3, 1, 2]), "r1")
    (path,) = house.files("sums")
    table = house.catalog.find(DATASETS, "sums")
    stored = pq.read_schema(path)
    assert pinned_arrow(contract("problem"), table.schema()).equals(stored, check_metadata=True)
    assert sorted(_ids(house)) == _ids(house)
    assert pl.read_parquet(path).equals(pl.from_arrow(table.scan().to_arrow()))


def test_rows_given_in_any_order_are_stored_byte_for_byte_alike(
    tmp_path: Path, outcome: type, problem_frame: Callable[..., pl.DataFrame], put_table: Callable
) -> None:
    """What lies in the files depends on the rows alone."""
    frame = problem_frame(range(20))
    stored = []
    for seed in range(3):
        house = Warehouse.open(tmp_path / str(seed))
        rows = put_table(house.workspace, frame.sample(fraction=1, shuffle=True, seed=seed), contract("problem"))
        house.publish("sums", "problem", rows, run_id="r1", audit=lambda _paths, _contract: outcome())
        stored.append([path.read_bytes() for path in house.files("sums")])
    assert stored[0] == stored[1] == stored[2]


def test_a_failed_audit_keeps_its_branch_and_the_run_may_try_again(
    house: Warehouse, place: Place, release: Release, outcome: type
) -> None:
    """The rejected rows can be looked at on the branch; once the audit passes, the same branch is published."""
    rows = place(range(3))
    with pytest.raises(GateFailed):
        release(rows, "r1", lambda _paths, _contract: outcome(success=False, summary="no"))
    table = house.catalog.find(DATASETS, "sums")
    assert ["main", "run-r1"] == _branches(house)
    assert "no" == rejection_of(table, branch_of("r1"))
    assert 3 == table.scan(snapshot_id=table.metadata.refs["run-r1"].snapshot_id).to_arrow().num_rows
    assert "1.0.0" == release(rows, "r1").version.version
    assert ["main", "v1.0.0"] == _branches(house)
    assert rejection_of(house.catalog.find(DATASETS, "sums"), branch_of("r1")) is None


def test_an_audit_that_breaks_is_told_from_one_that_fails(house: Warehouse, place: Place, release: Release) -> None:
    """An exception inside the audit says nothing about the data."""

    def broken(_paths: list[Path], _contract: Contract) -> object:
        raise ZeroDivisionError("a metric divided by nothing")

    with pytest.raises(GateBroken, match="ZeroDivisionError: a metric divided by nothing"):
        release(place(range(3)), "r1", broken)
    assert [] == house.datasets()


def test_work_staged_before_a_kill_is_used_again(house: Warehouse, place: Place, release: Release) -> None:
    """A run that comes back finds its files on its branch and writes none."""
    rows = place(range(3))
    seen = []

    def interrupted(paths: list[Path], _contract: Contract) -> object:
        seen.extend(paths)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(rows, "r1", interrupted)
    release(rows, "r1")
    assert seen == house.files("sums")


def test_a_diverged_main_is_rebased_and_audited_again(
    house: Warehouse, place: Place, release: Release, outcome: type
) -> None:
    """When another run publishes during the audit, nothing of it is lost and the audit sees the rows once more."""
    release(place(range(3)), "r1")
    audits = []

    def slow(paths: list[Path], _contract: Contract) -> object:
        audits.append(paths)
        if len(audits) == 1:
            release(place(range(5)), "other")
        return outcome()

    late = release(place(range(4)), "r2", slow)
    assert 2 == len(audits)
    assert [("1.0.0", 3), ("1.1.0", 5), ("1.2.0", 4)] == [(v.version, v.rows) for v in house.versions("sums")]
    assert (0, 1) == (late.diff.added, late.diff.removed)
    assert 5 == len(_ids(house, "1.1.0"))


def test_endless_divergence_is_a_conflict(place: Place, release: Release, outcome: type) -> None:
    """A run that others overtake again and again gives up, keeps its rows, and can be repeated."""
    rows = place(range(100, 103))
    others = iter(range(1, 50))

    def overtaken(_paths: list[Path], _contract: Contract) -> object:
        number = next(others)
        release(place(range(number)), f"other{number}")
        return outcome()

    with pytest.raises(PublishConflict, match="published by others 5 times"):
        release(rows, "r1", overtaken)
    assert "1.5.0" == release(rows, "r1").version.version


def test_bump_follows_from_the_records(  # noqa: PLR0913, PLR0917 - fixtures
    house: Warehouse, place: Place, release: Release, problem_frame: Callable, put_table: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Records make a minor version, documentation a patch, another major contract or another shape a major one."""
    problem = contract("problem")
    release(place(range(3)), "r1")
    assert Bump.MINOR == release(place(range(3), meta='{"a":1}'), "r2").version.bump

    def changed(run_id: str, of: Contract, frame: pl.DataFrame) -> Published:
        monkeypatch.setitem(registry._REGISTRY, "problem", of)
        return release(put_table(house.workspace, frame, of), run_id)

    frame = problem_frame(range(3), meta='{"a":1}')
    patched = changed("r3", replace(problem, version="1.0.1"), frame)
    assert ("1.1.1", Bump.PATCH, 3) == (patched.version.version, patched.version.bump, patched.diff.unchanged)
    assert "2.0.0" == changed("r4", replace(problem, version="2.0.0"), frame).version.version
    wider = replace(
        problem, version="2.1.0", columns=(*problem.columns, Column("hint", pa.string(), "Help.", nullable=True))
    )
    widened = changed("r5", wider, frame.with_columns(hint=pl.lit("try")))
    assert ("3.0.0", ("hint",)) == (widened.version.version, widened.diff.new_columns)
    narrow = replace(wider, columns=tuple(column for column in wider.columns if column.name != "tags"))
    assert ("tags",) == changed("r6", narrow, frame.with_columns(hint=pl.lit("try")).drop("tags")).diff.gone_columns
    assert "hint" not in house.scan("sums", "2.0.0").collect_schema().names()
    assert ["try"] * 3 == house.scan("sums", "3.0.0").collect()["hint"].to_list()
    assert "tags" not in house.catalog.find(DATASETS, "sums").scan().to_arrow().column_names


def test_a_new_shape_that_fails_its_audit_does_not_show(  # noqa: PLR0913, PLR0917 - fixtures
    house: Warehouse, place: Place, release: Release, problem_frame: Callable, put_table: Callable, outcome: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Readers of main see the old columns until the new shape is published."""
    release(place(range(3)), "r1")
    problem = contract("problem")
    wider = replace(problem, columns=(*problem.columns, Column("hint", pa.string(), "Help.", nullable=True)))
    monkeypatch.setitem(registry._REGISTRY, "problem", wider)
    rows = put_table(house.workspace, problem_frame(range(3)).with_columns(hint=pl.lit(None, pl.String)), wider)
    with pytest.raises(GateFailed):
        release(rows, "r2", lambda _paths, _contract: outcome(success=False))
    assert problem.names == house.catalog.find(DATASETS, "sums").scan().to_arrow().column_names
    release(rows, "r2")
    assert wider.names == house.catalog.find(DATASETS, "sums").scan().to_arrow().column_names


def test_an_empty_dataset_can_be_published_and_read(house: Warehouse, place: Place, release: Release) -> None:
    """No rows are a version too, with the contract's columns."""
    assert 0 == release(place([]), "r1").version.rows
    assert contract("problem").names == house.scan("sums").collect().columns
    assert (2, 0) == (release(place(range(2)), "r2").diff.added, house.diff("sums", "1.0.0", "1.0.0").added)


def test_rows_changed_behind_the_warehouse_are_refused(house: Warehouse, place: Place, release: Release) -> None:
    """A stage folder edited by hand no longer matches its hash and is not published."""
    rows = place(range(3))
    other = place(range(4))
    house.workspace.folder(other).joinpath("part-00000.parquet").rename(
        house.workspace.folder(rows) / "part-00000.parquet",
    )
    with pytest.raises(WarehouseError, match="holds 4 rows"):
        release(rows, "r1")
    assert [] == house.datasets()


@pytest.mark.parametrize("name", ["", "../escape", "a b", "-x", "a.b", "x" * 101])
def test_names_that_cannot_be_folders_are_refused(house: Warehouse, place: Place, name: str) -> None:
    """Neither datasets nor runs may carry a name that leads out of their place."""
    rows = place(range(1))
    with pytest.raises(UsageError, match="cannot name"):
        house.publish(name, "problem", rows, run_id="r1", audit=lambda _paths, _contract: None)
    with pytest.raises(UsageError, match="cannot name"):
        house.publish("sums", "problem", rows, run_id=name, audit=lambda _paths, _contract: None)


def test_rows_of_another_contract_are_refused(house: Warehouse, place: Place) -> None:
    """Rows are published under the contract they follow."""
    with pytest.raises(UsageError, match="the rows follow 'problem'"):
        house.publish("sums", "pass_rate", place(range(1)), run_id="r1", audit=lambda _paths, _contract: None)


def test_rows_that_cannot_be_read_are_named(house: Warehouse, place: Place, release: Release) -> None:
    """A finished table that was cut short is to blame, and not the catalog or the disk; nothing is published."""
    rows = place(range(3))
    (part,) = house.workspace.folder(rows).glob("*.parquet")
    part.write_bytes(part.read_bytes()[:200])
    with pytest.raises(WarehouseError, match=r"was damaged or changed(?s:.*)run again: that stage is done anew"):
        release(rows, "r1")
    assert [] == house.datasets()
