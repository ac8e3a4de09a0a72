"""Record-level differences, held against brute force."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import TableRef
from warehouse.diff import Side, compare, release_notes
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.versions import Bump, Version

COLUMNS = pa.schema(
    [
        ("a", pa.string()),
        ("b", pa.int64()),
        ("number", pa.float64()),
        ("text", pa.string()),
        ("parts", pa.list_(pa.struct([("x", pa.int64()), ("y", pa.string())]))),
        ("noise", pa.float64()),
    ],
)
_VERSION = Version("d", "1.0.0", 1, datetime(2026, 1, 1, tzinfo=UTC), "r", "h", 0, Bump.MAJOR, "", "c", "1.0.0", "s")
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=3)
_VALUES = st.fixed_dictionaries(
    {
        "number": st.none() | st.sampled_from([0.0, 1.0, 1.5, math.nan, math.inf]),
        "text": st.none() | _TEXT,
        "parts": st.none()
        | st.lists(st.fixed_dictionaries({"x": st.integers(0, 2), "y": st.none() | _TEXT}), max_size=2),
        "noise": st.floats(0, 1),
    },
)
_TABLES = st.dictionaries(st.tuples(st.sampled_from(["", "k", "ß"]), st.integers(0, 3)), _VALUES, max_size=12)


def _side(folder: Path, name: str, table: dict[tuple[str, int], dict[str, Any]]) -> Side:
    rows = [{"a": a, "b": b, **values} for (a, b), values in table.items()]
    path = folder / f"{name}.parquet"
    pl.DataFrame(rows, schema=pl.Schema(COLUMNS)).write_parquet(path)
    return Side((path,) if rows else (), COLUMNS, ("a", "b"), _VERSION)


def _equal(one: object, other: object) -> bool:
    return repr(one) == repr(other)


@settings(max_examples=40)
@given(before=_TABLES, after=_TABLES)
def test_diff_equals_brute_force(
    tmp_path_factory: pytest.TempPathFactory, before: dict[tuple[str, int], Any], after: dict[tuple[str, int], Any]
) -> None:
    """Counts, records and per-column figures are those of comparing every pair of records by hand."""
    folder = tmp_path_factory.mktemp("diff")
    diff = compare(_side(folder, "b", before), _side(folder, "a", after), volatile=["noise"], spill=folder)
    both = before.keys() & after.keys()
    columns = {
        name: {key for key in both if not _equal(before[key][name], after[key][name])}
        for name in ("number", "text", "parts")
    }
    changed = set().union(*columns.values())
    expected = (len(after.keys() - both), len(before.keys() - both), len(changed), len(both - changed))
    assert expected == (diff.added, diff.removed, diff.changed, diff.unchanged)
    assert {name: len(keys) for name, keys in columns.items()} == diff.columns
    assert after.keys() - both == set(diff.added_records().select("a", "b").collect().iter_rows())
    assert before.keys() - both == set(diff.removed_records().select("a", "b").collect().iter_rows())
    for name, keys in columns.items():
        assert keys == set(diff.changed_records(name).select("a", "b").collect().iter_rows())
    assert (Bump.MINOR if before.keys() ^ after.keys() or changed else Bump.PATCH) == diff.bump


def test_sample_is_bounded_ordered_and_shortened(tmp_path: Path) -> None:
    """A few records of each kind, the first by key, long values cut."""
    before = {("k", n): {"number": None, "text": "x" * 500, "parts": None, "noise": 0.0} for n in range(50)}
    after = {("k", n): {"number": None, "text": "y" * 500, "parts": None, "noise": 0.0} for n in range(25, 75)}
    sample = compare(_side(tmp_path, "b", before), _side(tmp_path, "a", after), spill=tmp_path).sample(limit=3)
    assert ["added"] * 3 + ["removed"] * 3 + ["changed"] * 3 == sample["kind"].to_list()
    assert ["50", "51", "52", "0", "1", "2", "25", "26", "27"] == sample["b"].to_list()
    assert {200} == set(sample["before"].drop_nulls().str.len_chars())


def test_tables_of_different_keys_share_no_record(tmp_path: Path) -> None:
    """Where the key changed, everything went and everything came, and the version is a major one."""
    table = {("k", n): {"number": None, "text": "t", "parts": None, "noise": 0.0} for n in range(4)}
    before, after = _side(tmp_path, "b", table), _side(tmp_path, "a", table)
    renamed = Side(after.paths, after.columns, ("b",), _VERSION)
    diff = compare(before, renamed, spill=tmp_path)
    assert (4, 4, 0, 0) == (diff.added, diff.removed, diff.changed, diff.unchanged)
    assert 4 == diff.added_records().collect().height


def test_retyped_columns_are_named_and_major(tmp_path: Path) -> None:
    """A column of another type is a change of schema, not of records."""
    table = {("k", 1): {"number": 1.0, "text": "t", "parts": None, "noise": 0.0}}
    before = _side(tmp_path, "b", table)
    path = tmp_path / "wide.parquet"
    pl.read_parquet(before.paths[0]).with_columns(pl.col("number").cast(pl.String)).write_parquet(path)
    position = COLUMNS.get_field_index("number")
    columns = COLUMNS.set(position, pa.field("number", pa.string()))
    diff = compare(before, Side((path,), columns, ("a", "b"), _VERSION), spill=tmp_path)
    assert (("number",), Bump.MAJOR, 1) == (diff.retyped_columns, diff.bump, diff.unchanged)
    assert "Columns of another type: number." in release_notes(diff)


def test_versions_of_a_dataset_are_compared_by_name(
    house: Warehouse, place: Callable[..., TableRef], release: Callable[..., Published]
) -> None:
    """Any two versions may be compared, in either direction."""
    release(place(range(5)), "r1")
    release(place(range(2, 8), meta='{"new":true}'), "r2")
    forth, back = house.diff("sums", "1.0.0"), house.diff("sums", "latest", "1.0.0")
    assert (3, 2, 3, 0) == (forth.added, forth.removed, forth.changed, forth.unchanged)
    assert (2, 3, 3, 0) == (back.added, back.removed, back.changed, back.unchanged)
    assert {"meta": 3} == {name: count for name, count in forth.columns.items() if count}
    assert ("{}", '{"new":true}') == forth.changed_records("meta").select("before", "after").collect().row(0)
