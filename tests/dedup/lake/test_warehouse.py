"""A lake that is a list of warehouse tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dedup.lake.contain import Containment, contain
from dedup.lake.fingerprints.rows import read
from dedup.lake.survey import survey
from schemas.errors import UsageError, WarehouseError
from schemas.recipe.lake import Lake
from tests.built import DATASET, build
from warehouse.house import Warehouse
from warehouse.stages import Services, Workspace


@pytest.fixture
def house(tmp_path: Path) -> Warehouse:
    """A warehouse with two versions of a dataset, the later made of rows of the earlier."""
    return build(tmp_path / "warehouse")


def _found(house: Warehouse, *tables: str, **settings: int | str) -> Containment:
    config, services = Lake(tables=tables, **settings), Services(house.workspace)
    return contain(survey(config, services), config, services)


@pytest.mark.parametrize("keep", [0, 64])
@pytest.mark.parametrize("policy", ["strict", "lossless", "text"])
def test_versions_of_a_dataset_are_tables(house: Warehouse, policy: str, keep: int) -> None:
    """Each version has its rows and its snapshot, nested columns included, and a second look reads nothing."""
    names = [DATASET, f"{DATASET}@1.0.0", f"{DATASET}@1.1.0"]
    rows = {ref: house.scan(DATASET, ref).collect() for ref in ("latest", "1.0.0", "1.1.0")}
    kept = {ref: set(frame["problem_id"]) for ref, frame in rows.items()}
    first, again = (_found(house, *reversed(names), policy=policy, keep_cells_mb=keep) for _ in range(2))

    assert [(name, frame.height) for name, frame in zip(names, rows.values(), strict=True)] == first.tables.select(
        "table", "rows"
    ).rows()
    assert [str(house.version(DATASET, ref).snapshot_id) for ref in rows] == first.tables["version"].to_list()
    assert {
        (child, parent)
        for child, ours in zip(names, kept.values(), strict=True)
        for parent, theirs in zip(names, kept.values(), strict=True)
        if child != parent and ours <= theirs
    } == set(first.edges.select("child", "parent").rows())
    assert 3 <= first.edges.height
    assert first.edges.equals(again.edges)
    assert [0] == again.ledger["bytes_read"].unique().to_list()


def test_rows_are_those_of_the_warehouse(house: Warehouse) -> None:
    """What is read of a table for rebuilding is what the warehouse holds."""
    found = survey(Lake(tables=(f"{DATASET}@1.0.0",)), Services(house.workspace))
    expected = house.scan(DATASET, "1.0.0").collect()
    told = pl.concat(read(found.storage, found.tables[0]))

    assert expected["problem_id"].to_list() == told["problem_id"].to_list()
    assert all(file.name.endswith(".parquet") and (house.root / file.name).is_file() for file in found.tables[0].files)


@pytest.mark.parametrize(("name", "said"), [("nothing", "nothing"), (f"{DATASET}@9.0.0", "9.0.0")])
def test_a_table_that_is_not_there(house: Warehouse, name: str, said: str) -> None:
    """A dataset or version that the warehouse lacks is named, with what it has."""
    with pytest.raises(UsageError, match=said):
        _found(house, DATASET, name)


def test_a_folder_without_a_warehouse(tmp_path: Path) -> None:
    """Where there is no warehouse nothing is made, and the error says so."""
    with pytest.raises(WarehouseError, match="nowhere"):
        survey(Lake(tables=("prompts",)), Services(Workspace(tmp_path / "nowhere")))

    assert not (tmp_path / "nowhere").exists()
