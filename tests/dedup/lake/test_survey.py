"""What is a table and what is not, what is read again, and what a kill or a second run can do."""

from __future__ import annotations

import bz2
import gzip
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dedup.lake.contain import contain
from dedup.lake.files.frames import BLOCK
from dedup.lake.files.storage import File, Storage
from dedup.lake.fingerprints.rows import fingerprints, read, rows_digest
from dedup.lake.survey import Survey, survey
from schemas.errors import InputError
from schemas.recipe.lake import Lake
from warehouse.stages import Services, Workspace

_SETTLE = 0.05
_GOOD = b"a,b\n1,x\n2,y\n"


def _survey(folder: Path | str, house: Path, **settings) -> Survey:
    return survey(Lake(path=str(folder), **settings), Services(Workspace(house)))


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
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n")[:-9], "malformed"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n")[:-8] + b"12345678", "malformed"),
        ("a.csv.gz", gzip.compress(b""), "empty"),
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
    (folder / "good.csv").write_bytes(_GOOD)

    for _ in range(2):
        found = _survey(folder, tmp_path / "house", keep_cells_mb=keep)
        assert [(name, reason)] == [(one.path, one.reason) for one in found.rejections]
        assert ["good.csv"] == [table.name for table in found.tables]


def test_a_parquet_file_without_columns_is_rejected(tmp_path: Path) -> None:
    """A table without columns is none."""
    (tmp_path / "lake").mkdir()
    pl.DataFrame().write_parquet(tmp_path / "lake" / "a.parquet")

    assert ["zero_columns"] == [one.reason for one in _survey(tmp_path / "lake", tmp_path / "house").rejections]


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


@pytest.mark.parametrize("pattern", ["", "**/*.csv"])
def test_links_pipes_and_odd_names(pattern: str, tmp_path: Path) -> None:
    """What is no file, leads nowhere, leads back or is another name of a file is told by name, and nothing hangs."""
    folder = tmp_path / "lake"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.csv").write_bytes(_GOOD)
    (folder / "sub" / "b.csv").write_bytes(_GOOD + b"3,z\n")
    for link, target in (("broken.csv", "nowhere"), ("self.csv", "self.csv"), ("0.csv", "a.csv"), ("sub/loop", "..")):
        (folder / link).symlink_to(target)
    (folder / "hard.csv").hardlink_to(folder / "a.csv")
    os.mkfifo(folder / "pipe.csv")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.csv")).write_bytes(_GOOD)

    found = _survey(folder / pattern, tmp_path / "house")

    assert ["a.csv", "sub/b.csv"] == [table.name for table in found.tables]
    assert {
        "0.csv": "same_file",
        "hard.csv": "same_file",
        "broken.csv": "unreadable",
        "self.csv": "unreadable",
        "pipe.csv": "no_file",
        "\\udcff.csv": "name_encoding",
        "sub/loop": "linked_folder",
    } == {one.path: one.reason for one in found.rejections}


def test_a_folder_of_two_formats_is_no_table(tmp_path: Path) -> None:
    """Parts in two formats are rejected one by one, and so is a column that two folders of one path give."""
    for name in ("t/day=1/a.csv", "u/day=1/day=2/a.csv", "good.csv"):
        (tmp_path / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lake" / name).write_bytes(_GOOD)
    (tmp_path / "lake" / "t" / "day=2").mkdir()
    pl.DataFrame({"a": ["1"], "b": ["x"]}).write_parquet(tmp_path / "lake" / "t" / "day=2" / "b.parquet")

    found = _survey(tmp_path / "lake", tmp_path / "house")

    assert ["good.csv"] == [table.name for table in found.tables]
    assert [("t/day=1/a.csv", "mixed_formats"), ("t/day=2/b.parquet", "mixed_formats"), ("u", "duplicate_columns")] == [
        (one.path, one.reason) for one in found.rejections
    ]


def test_well_packed_files_are_not_read_together(tmp_path: Path) -> None:
    """Files that are small only on disk are read in runs whose cells fit, and are tables all the same."""
    (tmp_path / "lake").mkdir()
    for name in range(6):
        pl.DataFrame({"a": np.full(40_000, name)}).write_parquet(tmp_path / "lake" / f"{name}.parquet")

    found = _survey(tmp_path / "lake", tmp_path / "house", keep_cells_mb=1)

    assert 6 == len({table.prints[0].block[0] for table in found.tables})


@pytest.mark.parametrize("keep", [0, 64])
def test_a_cut_parquet_file_is_rejected(keep: int, tmp_path: Path) -> None:
    """A file whose end is missing is malformed, not empty."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "a.parquet"
    pl.DataFrame({"a": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])

    found = _survey(path.parent, tmp_path / "house", keep_cells_mb=keep)

    assert ["malformed"] == [one.reason for one in found.rejections]


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (b"a,b\n1,x\n", ["a", "b"], [("1", "x")]),
        (b"\xef\xbb\xbfa;b\r\n1;x\r\n\r\n", ["a", "b"], [("1", "x")]),
        (b"a\tb\n1\t\n", ["a", "b"], [("1", None)]),
        (b'a,b\n"x, y","p\nq"\n"",z\n', ["a", "b"], [("x, y", "p\nq"), ("", "z")]),
        (b"a,b\n1,2\n\n\n3,4\n\n", ["a", "b"], [("1", "2"), ("3", "4")]),
        (b"a\n1\n\n2\n\n", ["a"], [("1",), (None,), ("2",)]),
        (b"1,x,0.5\n2,y,0.7\n", ["column_1", "column_2", "column_3"], [("1", "x", "0.5"), ("2", "y", "0.7")]),
        (b"name,2010,2011\nx,1,2\n", ["name", "2010", "2011"], [("x", "1", "2")]),
        (b"a,,c\n1,2,3\n", ["a", "column_2", "c"], [("1", "2", "3")]),
        (b"a,b\r1,x\r2,y\r", ["a", "b"], [("1", "x"), ("2", "y")]),
        (b"a,b\n", ["a", "b"], []),
        ("a,b\né,x\n".encode("cp1252"), ["a", "b"], [("é", "x")]),
        ("a,b\né,x\n".encode("utf-16"), ["a", "b"], [("é", "x")]),
        (b"a|b\n1,5|x\n", ["a", "b"], [("1,5", "x")]),
    ],
)
@pytest.mark.parametrize("keep", [0, 64])
def test_csv_is_read_as_it_is_written(
    content: bytes, columns: list[str], rows: list[tuple[str | None, ...]], keep: int, tmp_path: Path
) -> None:
    """Separators, quotes, line ends, encodings, headers and blank lines are found out, read small or in pieces."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "a.csv").write_bytes(content)
    found = _survey(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

    assert () == found.rejections
    assert columns == [column.name for column in found.tables[0].columns]
    assert rows == pl.concat(read(found.storage, found.tables[0])).rows()


_LINES = [f'{row},"{row % 7}, {"x" * (row % 90)}"' for row in range(150_000)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_large_file_reads_as_a_small_one(newline: str, encoding: str, tmp_path: Path) -> None:
    """However its lines end and its characters are written, a file read in pieces has the rows of one read whole."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "a.csv"
    path.write_bytes(newline.join(["é,b", *_LINES, ""]).encode(encoding))
    assert path.stat().st_size > BLOCK

    found = _survey(tmp_path / "lake", tmp_path / "house", keep_cells_mb=0)
    rows = list(read(found.storage, found.tables[0]))

    assert ["é", "b"] == [column.name for column in found.tables[0].columns]
    assert [line.split(",", 1)[1].strip('"') for line in _LINES] == pl.concat(rows)["b"].to_list()


def test_blank_lines_where_a_piece_ends(tmp_path: Path) -> None:
    """The blank lines of a single column are nulls wherever its file is cut; those at its end are none."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "a.csv"
    path.write_bytes(b"a\n" + b"1\n\n\n" * (BLOCK // 3) + b"2\n\n")

    table = _survey(tmp_path / "lake", tmp_path / "house", keep_cells_mb=0).tables[0]

    assert 3 * (BLOCK // 3) + 1 == table.rows


_PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "zst": zstandard.compress}


@pytest.mark.parametrize("packed", _PACKERS)
@pytest.mark.parametrize("keep", [0, 1, 64])
def test_compressed_text_is_the_text(packed: str, keep: int, tmp_path: Path) -> None:
    """A compressed file has the rows and fingerprints of the plain one, in several members or under a plain name."""
    frame = pl.DataFrame({"a": range(9_000), "b": [f"x{row % 100}" for row in range(9_000)]})
    text, lines = frame.write_csv().encode(), frame.write_ndjson().encode()
    (tmp_path / "lake").mkdir()
    for name, content in {
        "a.csv": text,
        f"b.csv.{packed}": _PACKERS[packed](text),
        f"c.csv.{packed}": _PACKERS[packed](text[:9]) + _PACKERS[packed](text[9:]),
        "d.csv": _PACKERS[packed](text),
        f"e.csv.{packed.upper()}": text,
        "f.jsonl": lines,
        f"g.jsonl.{packed}": _PACKERS[packed](lines),
    }.items():
        (tmp_path / "lake" / name).write_bytes(content)

    found = _survey(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

    assert () == found.rejections
    assert 7 == len(found.tables)
    assert 2 == len({rows_digest(found.storage, table) for table in found.tables})
    config = Lake(path=str(tmp_path / "lake"), keep_cells_mb=keep)
    assert 22 == contain(found, config, Services(Workspace(tmp_path / "house"))).edges["exact_duplicate"].sum()


def test_a_file_that_expands_beyond_all_bounds(tmp_path: Path) -> None:
    """A small compressed file that holds a thousand times as much is read in pieces like any large one."""
    (tmp_path / "lake").mkdir()
    with gzip.open(tmp_path / "lake" / "a.csv.gz", "wb") as target:
        target.write(b"a,b\n")
        for _ in range(16):
            target.write(b"1,2\n" * (1 << 18))

    found = _survey(tmp_path / "lake", tmp_path / "house")

    assert 16 << 18 == found.tables[0].rows
    assert found.tables[0].prints[0].block is None


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
        (tmp_path / "lake" / name).write_bytes(_GOOD)

    found = _survey(tmp_path / "lake", tmp_path / "house")

    assert ["t.csv", "t2/metadata/a.csv"] == [table.name for table in found.tables]
    assert {"table_format"} == {one.reason for one in found.rejections}
    assert all(one.detail.startswith(system) for one in found.rejections)


@pytest.mark.parametrize("keep", [0, 64])
def test_names_that_are_patterns_elsewhere(keep: int, tmp_path: Path) -> None:
    """Brackets and stars in the names of files, folders, columns and fields are what they are."""
    folder = tmp_path / "la[k]e"
    (folder / "[1]").mkdir(parents=True)
    frame = pl.DataFrame({"*": [1, 2], "^a.*$": [[3], []], "ab": [5, 6], "s": [{"*": 7, "^b$": 8}, {"*": 9, "^b$": 0}]})
    for name in ("*.parquet", "[1]/x?.parquet", "[1]/xy.parquet"):
        frame.write_parquet(folder / name)
    pl.DataFrame({"*": ["1"], "ab": ["5"]}).write_csv(folder / "{a,b}.csv")
    config = Lake(path=str(folder), keep_cells_mb=keep, policy="text")
    services = Services(Workspace(tmp_path / "house"))

    found = contain(survey(config, services), config, services)

    assert [] == found.rejections.rows()
    assert 9 == found.edges.height
    table = found.survey.table("*.parquet")
    assert [(1, [3], 5, 7, 8), (2, [], 6, 9, 0)] == pl.concat(read(found.survey.storage, table)).rows()


def test_ten_thousand_columns(tmp_path: Path) -> None:
    """A table of 10,000 columns is a table, and is contained in its twin."""
    (tmp_path / "lake").mkdir()
    names = ",".join(f"c{place}" for place in range(10_000))
    for name, rows in (("a", 1), ("b", 2)):
        values = [",".join(f"{row}{place}" for place in range(10_000)) for row in range(rows)]
        (tmp_path / "lake" / f"{name}.csv").write_text("\n".join([names, *values]))
    config = Lake(path=str(tmp_path / "lake"))
    services = Services(Workspace(tmp_path / "house"))

    edges = contain(survey(config, services), config, services).edges

    assert [("a.csv", "b.csv")] == edges.select("child", "parent").rows()


def test_nested_columns_are_leaves(tmp_path: Path) -> None:
    """Structs are compared by the dotted paths of their leaves, whether Parquet or JSON lines."""
    (tmp_path / "lake").mkdir()
    rows = [{"a": {"b": place, "c": {"d": f"x{place}"}}, "e": [place, None]} for place in range(20)]
    pl.DataFrame(rows).write_parquet(tmp_path / "lake" / "nested.parquet")
    flat = pl.DataFrame({"a.b": range(10), "a.c.d": [f"x{place}" for place in range(10)]})
    flat.write_parquet(tmp_path / "lake" / "flat.parquet")
    (tmp_path / "lake" / "lines.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = Lake(path=str(tmp_path / "lake"))
    services = Services(Workspace(tmp_path / "house"))

    found = contain(survey(config, services), config, services)

    assert {
        ("flat.parquet", "nested.parquet"),
        ("flat.parquet", "lines.jsonl"),
        ("lines.jsonl", "nested.parquet"),
        ("nested.parquet", "lines.jsonl"),
    } == set(found.edges.select("child", "parent").iter_rows())


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

    found = _survey(tmp_path / "lake", tmp_path / "house")

    assert [("t", "mixed_types")] == [(one.path, one.reason) for one in found.rejections]


def test_a_bad_part_takes_its_table_along(tmp_path: Path) -> None:
    """Every file of a table that cannot be read whole is in the rejections."""
    for day, content in (("1", _GOOD), ("2", b"a,b\n1\n")):
        (tmp_path / "lake" / "t" / f"day={day}").mkdir(parents=True)
        (tmp_path / "lake" / "t" / f"day={day}" / "a.csv").write_bytes(content)

    found = _survey(tmp_path / "lake", tmp_path / "house")

    assert [("t/day=1/a.csv", "incomplete_table"), ("t/day=2/a.csv", "ragged")] == [
        (one.path, one.reason) for one in found.rejections
    ]


def test_an_object_store_holds_the_same_lake(tmp_path: Path) -> None:
    """Through fsspec the same files give the same tables, edges and rows."""
    (tmp_path / "lake" / "deep").mkdir(parents=True)
    frame = pl.DataFrame({"a": range(50), "b": np.random.default_rng(1).random(50)})
    frame.write_parquet(tmp_path / "lake" / "whole.parquet")
    frame.head(20).write_parquet(tmp_path / "lake" / "deep" / "part.parquet")
    (tmp_path / "lake" / "c.csv").write_bytes(_GOOD)
    fsspec.filesystem("memory").put(str(tmp_path / "lake"), "memory://shop/lake", recursive=True)
    results = []

    for keep in (0, 64):
        for place in (str(tmp_path / "lake"), "memory://shop/lake"):
            config = Lake(path=place, keep_cells_mb=keep)
            services = Services(Workspace(tmp_path / f"house{len(results)}"))
            found = survey(config, services)
            edges = contain(found, config, services).edges
            results.append(
                [(table.name, table.content_key, rows_digest(found.storage, table)) for table in found.tables]
            )
            assert [("deep/part.parquet", "whole.parquet")] == edges.select("child", "parent").rows()

    assert results[:1] * 4 == results


@pytest.mark.parametrize("pattern", ["*.csv", "**/*.csv", "sub/b.csv"])
def test_globs_and_single_files(pattern: str, tmp_path: Path) -> None:
    """A glob names the files it matches, a path the file it is."""
    for name in ("a.csv", "sub/b.csv"):
        (tmp_path / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lake" / name).write_bytes(_GOOD)

    found = _survey(tmp_path / "lake" / pattern, tmp_path / "house")

    assert {"*.csv": ["a.csv"], "**/*.csv": ["a.csv", "sub/b.csv"], "sub/b.csv": ["b.csv"]}[pattern] == [
        table.name for table in found.tables
    ]


@pytest.mark.parametrize("path", ["nowhere", "nowhere/*.csv", "nosuchprotocol://x"])
def test_a_lake_that_is_not_there(path: str, tmp_path: Path) -> None:
    """A path that leads nowhere is an error that says so."""
    place = path if "://" in path else tmp_path / path

    with pytest.raises(InputError, match=r"nowhere|nosuchprotocol"):
        _survey(place, tmp_path / "house")


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_only_what_changed_is_read(format: str, tmp_path: Path) -> None:  # noqa: A002 - the word that people use
    """A second run reads nothing; a new table, a new part or a touched file costs its own bytes."""
    folder = tmp_path / "lake"
    frame = pl.DataFrame({"a": range(100), "b": range(100)})
    for name in ("one", "two", "parted/day=1/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(frame, folder / f"{name}.{format}")
    time.sleep(_SETTLE)
    first, again = (_survey(folder, tmp_path / "house").bytes_read for _ in range(2))
    added = _write(frame.head(10), folder / f"three.{format}")
    appended = _write(frame.tail(30), folder / "parted" / f"day=1/y.{format}")
    os.utime(folder / f"one.{format}")
    touched = (folder / f"one.{format}").stat().st_size
    time.sleep(_SETTLE)

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
    return path.stat().st_size


def test_sorted_rows_of_large_tables_are_read_once(tmp_path: Path) -> None:
    """A table whose cells are not kept is read for its rows in the first run only."""
    frame = pl.DataFrame({"a": range(5000), "b": range(5000)})
    (tmp_path / "lake").mkdir()
    sizes = [_write(part, tmp_path / "lake" / f"{part.height}.parquet") for part in (frame, frame.head(2000))]
    config = Lake(path=str(tmp_path / "lake"), keep_cells_mb=0)
    services = Services(Workspace(tmp_path / "house"))
    time.sleep(_SETTLE)

    read_bytes = []
    for _ in range(2):
        found = contain(survey(config, services), config, services)
        read_bytes.append(found.ledger["bytes_read"].sum())
        assert 1 == found.edges.height

    assert [2 * sum(sizes), 0] == read_bytes


class _Growing(Storage):
    """A local lake in which somebody appends to each file while it is read."""

    def open(self, file: File):
        with Path(file.place).open("ab") as other:
            other.write(b"3,z\n")
        return super().open(file)


@pytest.mark.parametrize("keep", [0, 64])
def test_a_file_that_changes_while_it_is_read(keep: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is rejected by name, nothing is remembered of it, and it is a table when it holds still."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "a.csv").write_bytes(_GOOD)
    with monkeypatch.context() as patch:
        patch.setattr("dedup.lake.survey.Storage", _Growing)
        moving = _survey(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

    still = _survey(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

    assert ["changed_while_read"] == [one.reason for one in moving.rejections]
    assert Path(tmp_path / "lake" / "a.csv").read_bytes().count(b"\n") - 1 == still.tables[0].rows


def test_fingerprints_are_in_the_order_of_the_files(tmp_path: Path) -> None:
    """Row fingerprints follow the rows, and projections of equal rows are equal whatever the format."""
    frame = pl.DataFrame({"a": ["x", "y", None], "b": ["1", "2", "3"], "c": ["p", "q", "r"]})
    (tmp_path / "lake").mkdir()
    frame.write_parquet(tmp_path / "lake" / "a.parquet")
    frame[::-1].select("c", "b", "a").write_csv(tmp_path / "lake" / "b.csv")

    found = _survey(tmp_path / "lake", tmp_path / "house")
    one, other = (fingerprints(found.storage, table, ["b", "a"]) for table in found.tables)

    assert one.tolist() == other[::-1].tolist()
    assert 3 == len(set(one.tolist()))
    assert 1 == len({rows_digest(found.storage, table) for table in found.tables})


def _lake_of(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    draw = np.random.default_rng(2)
    for number in range(count):
        rows = int(draw.integers(20, 400))
        frame = pl.DataFrame({f"k{number % 7}": draw.integers(0, 50, rows), "x": draw.integers(0, 3, rows)})
        frame.write_csv(folder / f"t{number:04d}.csv")


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
    time.sleep(_SETTLE)
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
