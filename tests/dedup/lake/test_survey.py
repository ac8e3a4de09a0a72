"""What is a table of a lake and what is not, and which files are one table."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dedup.lake.contain import contain
from dedup.lake.fingerprints.rows import read
from dedup.lake.survey import survey
from schemas.recipe.lake import Lake
from tests.dedup.lake.lakes import GOOD, looked
from warehouse.stages import Services, Workspace


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b" \r\n\n", "empty"),
        ("a.csv", b"a,b\n1,2\n3\n", "ragged"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n", "ragged"),
        ("a.csv", b"a,b\n1,2\n\n3\n", "ragged"),
        ("a.csv", b"a,a\n1,2\n", "duplicate_columns"),
        ("a.csv", b'a,b\n1,"2\n', "quotes"),
        ("a.csv", b'"a,b\n1,2\n', "quotes"),
        ("a.csv", b'a,b\n1,"2" x\n', "quotes"),
        ("a.csv", b"a,b\n1,\x00\n", "binary"),
        ("a.csv", b"a,b\r1,2\r3,4\r\n", "malformed"),
        ("a.csv", "a,b\né,".encode() + b"\xe9\n", "mixed_encoding"),
        ("a.csv", b"a,b\n1,\x81\x8d\n", "unknown_encoding"),
        ("a.csv", b"\xff\xfea", "unknown_encoding"),
        ("a.parquet", b"", "empty"),
        ("a.parquet", b"PAR1 no PAR1", "malformed"),
        ("a.jsonl", b"", "empty"),
        ("a.jsonl", b"[1]\n", "malformed"),
        ("a.jsonl", b'{"a": 1', "malformed"),
        ("a.jsonl", b"{}\n{}\n", "zero_columns"),
        ("a.jsonl", b'{"a": {"b": 1}, "a.b": 2}\n', "duplicate_columns"),
        ("a.jsonl", b'{"a": 9007199254740993}\n{"a": 0.5}\n', "inexact_numbers"),
        ("a.jsonl", b'{"a": {"b": [0.5]}}\n{"a": {"b": [9007199254740993]}}\n', "inexact_numbers"),
        ("a.xlsx", b"PK", "unknown_format"),
        ("a.csv.gz", b"\x1f\x8b", "malformed"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0)[:-9], "malformed"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-8] + b"12345678", "malformed"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("a.csv.zst", zstandard.compress(b"a,b\n1,2\n3,4\n")[:-3], "malformed"),
        ("a.jsonl.bz2", bz2.compress(b'{"a": 1'), "malformed"),
        ("a.parquet.gz", b"\x1f\x8b", "unknown_format"),
        ("a.csv.xz", b"\xfd7zXZ", "unknown_format"),
        ("_SUCCESS", b"", "hidden"),
        ("t/_delta_log/0.json", b"{}", "table_format"),
    ],
)
@pytest.mark.parametrize("keep", [0, 64])
def test_what_is_not_a_table_is_named(name: str, content: bytes, reason: str, keep: int, tmp_path: Path) -> None:
    """Each kind of bad file is one rejection with its reason, small or large, and takes no other file with it."""
    folder = tmp_path / "lake"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(content)
    (folder / "good.csv").write_bytes(GOOD)

    for _ in range(2):
        found = looked(folder, tmp_path / "house", keep_cells_mb=keep)
        assert [(name, reason)] == [(one.path, one.reason) for one in found.rejections]
        assert ["good.csv"] == [table.name for table in found.tables]


def test_a_parquet_file_without_columns_is_rejected(tmp_path: Path) -> None:
    """A table without columns is none."""
    (tmp_path / "lake").mkdir()
    pl.DataFrame().write_parquet(tmp_path / "lake" / "a.parquet")

    assert ["zero_columns"] == [one.reason for one in looked(tmp_path / "lake", tmp_path / "house").rejections]


@pytest.mark.parametrize("keep", [0, 64])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), "duplicate_columns"),
        (pa.table({"a": pa.array([1], pa.decimal256(50, 2))}), "malformed"),
    ],
    ids=["twice", "too wide"],
)
def test_a_parquet_file_that_no_frame_holds(bad: pa.Table, reason: str, keep: int, tmp_path: Path) -> None:
    """Names that do not tell columns apart and types beyond 38 digits are rejected; files read with them are not."""
    (tmp_path / "lake").mkdir()
    pq.write_table(bad, tmp_path / "lake" / "bad.parquet")
    for name, rows in (("one", 1), ("two", 2)):
        pl.DataFrame({"a": range(1, rows + 1)}).write_parquet(tmp_path / "lake" / f"{name}.parquet")
    config, services = Lake(path=str(tmp_path / "lake"), keep_cells_mb=keep), Services(Workspace(tmp_path / "house"))

    found = contain(survey(config, services), config, services)

    assert [("bad.parquet", reason)] == found.rejections.select("path", "reason").rows()
    assert [("one.parquet", "two.parquet")] == found.edges.select("child", "parent").rows()


@pytest.mark.parametrize("keep", [0, 64])
def test_intervals_are_rejected_in_words(keep: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A type that would stop the reader is named before it is read, and nothing else is printed."""
    (tmp_path / "lake").mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT INTERVAL 1 DAY AS i) TO '{tmp_path / 'lake' / 'a.parquet'}'")

    (rejection,) = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep).rejections

    assert ("malformed", "'i' is of intervals, which are of no fixed length") == (rejection.reason, rejection.detail)
    assert "" == capfd.readouterr().err


@pytest.mark.parametrize("keep", [0, 64])
def test_a_cut_parquet_file_is_rejected(keep: int, tmp_path: Path) -> None:
    """A file whose end is missing is malformed, not empty."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "a.parquet"
    pl.DataFrame({"a": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])

    found = looked(path.parent, tmp_path / "house", keep_cells_mb=keep)

    assert ["malformed"] == [one.reason for one in found.rejections]


@pytest.mark.parametrize("keep", [0, 64])
def test_a_damaged_page_takes_its_table_along(keep: int, tmp_path: Path) -> None:
    """A Parquet file whose footer is whole and whose rows are not is rejected, small or large; the rest is compared."""
    folder = tmp_path / "lake"
    frame = pl.DataFrame({"a": range(50_000), "b": [str(row * 7919) for row in range(50_000)]})
    for name, rows in (("t/part-0", 50_000), ("t/part-1", 10), ("whole", 50_000), ("half", 25_000)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        frame.head(rows).write_parquet(folder / f"{name}.parquet")
    path = folder / "t" / "part-0.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 400] = b"\x5a" * 400
    path.write_bytes(content)
    config, services = Lake(path=str(folder), keep_cells_mb=keep), Services(Workspace(tmp_path / "house"))

    for _ in range(2):
        found = contain(survey(config, services), config, services)
        assert [("t/part-0.parquet", "malformed"), ("t/part-1.parquet", "incomplete_table")] == found.rejections.select(
            "path", "reason"
        ).rows()
        assert ["half.parquet", "whole.parquet"] == found.tables["table"].to_list()
        assert [("half.parquet", "whole.parquet")] == found.edges.select("child", "parent").rows()


def test_a_folder_of_two_formats_is_no_table(tmp_path: Path) -> None:
    """Parts in two formats are rejected one by one, and so is a column that two folders of one path give."""
    for name in ("t/day=1/a.csv", "u/day=1/day=2/a.csv", "good.csv"):
        (tmp_path / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lake" / name).write_bytes(GOOD)
    (tmp_path / "lake" / "t" / "day=2").mkdir()
    pl.DataFrame({"a": ["1"], "b": ["x"]}).write_parquet(tmp_path / "lake" / "t" / "day=2" / "b.parquet")

    found = looked(tmp_path / "lake", tmp_path / "house")

    assert ["good.csv"] == [table.name for table in found.tables]
    assert [("t/day=1/a.csv", "mixed_formats"), ("t/day=2/b.parquet", "mixed_formats"), ("u", "duplicate_columns")] == [
        (one.path, one.reason) for one in found.rejections
    ]


@pytest.mark.parametrize(
    ("log", "system"),
    [
        ("t/_delta_log/00.json", "Delta"),
        ("t/metadata/v1.metadata.json", "Iceberg"),
        ("t/.hoodie/hoodie.properties", "Hudi"),
    ],
)
def test_tables_of_other_systems_are_left_alone(log: str, system: str, tmp_path: Path) -> None:
    """Files of which a log says whether they are alive are no tables, wherever they lie below it; others are."""
    for name in (log, "t/part-0.csv", "t/data/day=1/a.csv", "t2/metadata/a.csv", "t.csv"):
        (tmp_path / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lake" / name).write_bytes(GOOD)

    found = looked(tmp_path / "lake", tmp_path / "house")

    assert ["t.csv", "t2/metadata/a.csv"] == [table.name for table in found.tables]
    assert {"table_format"} == {one.reason for one in found.rejections}
    assert all(one.detail.startswith(system) for one in found.rejections)


@pytest.mark.parametrize("keep", [0, 64])
def test_partitions_are_one_table(keep: int, tmp_path: Path) -> None:
    """Files below key=value folders are one table with those columns, equal to the table that was partitioned."""
    frame = pl.DataFrame({"x": range(60), "day": [f"2020-01-0{1 + place % 3}" for place in range(60)]})
    frame = frame.with_columns(pl.when(pl.col("x") % 7 > 0).then("day").alias("day"))
    (tmp_path / "lake").mkdir()
    frame.write_parquet(tmp_path / "lake" / "whole.parquet")
    for (day,), part in frame.group_by("day"):
        place = tmp_path / "lake" / "parted" / f"day={day or '__HIVE_DEFAULT_PARTITION__'}"
        place.mkdir(parents=True)
        part.drop("day").write_parquet(place / "part-0.parquet")
    for number, part in enumerate((frame.head(10), frame.tail(50))):
        (tmp_path / "lake" / "spark").mkdir(exist_ok=True)
        part.write_parquet(tmp_path / "lake" / "spark" / f"part-{number:05d}.parquet")
    config = Lake(path=str(tmp_path / "lake"), keep_cells_mb=keep)
    services = Services(Workspace(tmp_path / "house"))

    found = survey(config, services)
    edges = contain(found, config, services).edges

    assert ["parted", "spark", "whole.parquet"] == [table.name for table in found.tables]
    assert 6 == edges["exact_duplicate"].sum()
    assert frame.sort("x").equals(pl.concat(read(found.storage, found.table("parted"), ["x", "day"])).sort("x"))


def test_parts_of_different_types_are_no_table(tmp_path: Path) -> None:
    """A column that is a number in one part and text in another makes no table, and the column is named."""
    for day, values in (("1", [1]), ("2", ["x"])):
        (tmp_path / "lake" / "t" / f"day={day}").mkdir(parents=True)
        pl.DataFrame({"v": values}).write_parquet(tmp_path / "lake" / "t" / f"day={day}" / "a.parquet")

    found = looked(tmp_path / "lake", tmp_path / "house")

    assert [("t", "mixed_types")] == [(one.path, one.reason) for one in found.rejections]


def test_a_bad_part_takes_its_table_along(tmp_path: Path) -> None:
    """Every file of a table that cannot be read whole is in the rejections."""
    for day, content in (("1", GOOD), ("2", b"a,b\n1\n")):
        (tmp_path / "lake" / "t" / f"day={day}").mkdir(parents=True)
        (tmp_path / "lake" / "t" / f"day={day}" / "a.csv").write_bytes(content)

    found = looked(tmp_path / "lake", tmp_path / "house")

    assert [("t/day=1/a.csv", "incomplete_table"), ("t/day=2/a.csv", "ragged")] == [
        (one.path, one.reason) for one in found.rejections
    ]
