"""Files as they are written: dialects, encodings, nested and odd columns, whole and in pieces."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from dedup.lake.contain import contain
from dedup.lake.files.frames import BLOCK
from dedup.lake.fingerprints.rows import read
from dedup.lake.survey import survey
from schemas.recipe.lake import Lake
from tests.dedup.lake.lakes import looked
from warehouse.stages import Services, Workspace


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
        (b"1,,x\n2,7,y\n", ["column_1", "column_2", "column_3"], [("1", None, "x"), ("2", "7", "y")]),
        (
            b"1,x,NA\n2,8,7\n3,y,7\n",
            ["column_1", "column_2", "column_3"],
            [("1", "x", "NA"), ("2", "8", "7"), ("3", "y", "7")],
        ),
        (b"id,50,90\n1,0.1,0.2\n", ["id", "50", "90"], [("1", "0.1", "0.2")]),
        (b"0,1,2\n5.1,3.5,x\n", ["0", "1", "2"], [("5.1", "3.5", "x")]),
        (b"name,1,2,3\nx,5,6,7\n", ["name", "1", "2", "3"], [("x", "5", "6", "7")]),
        (b",0,1\n0,5,6\n", ["column_1", "0", "1"], [("0", "5", "6")]),
        (b'1.5,"p\n\nq"\n2.5,z\n', ["column_1", "column_2"], [("1.5", "p\n\nq"), ("2.5", "z")]),
        (b"0,1\n0,2\n", ["column_1", "column_2"], [("0", "1"), ("0", "2")]),
    ],
)
@pytest.mark.parametrize("keep", [0, 64])
def test_csv_is_read_as_it_is_written(
    content: bytes, columns: list[str], rows: list[tuple[str | None, ...]], keep: int, tmp_path: Path
) -> None:
    """Separators, quotes, line ends, encodings, headers and blank lines are found out, read small or in pieces."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "a.csv").write_bytes(content)
    found = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

    assert () == found.rejections
    assert columns == [column.name for column in found.tables[0].columns]
    assert rows == pl.concat(read(found.storage, found.tables[0])).rows()


_LINES = [f'{row},"{row % 7}, {"x" * (row % 90)}"' for row in range(150_000)]


@pytest.mark.parametrize(
    ("newline", "encoding"),
    [("\n", "utf-8-sig"), ("\r\n", "utf-16"), ("\r", "utf-8"), ("\r", "cp1252"), ("\r", "utf-16")],
)
def test_a_large_file_reads_as_a_small_one(newline: str, encoding: str, tmp_path: Path) -> None:
    """However its lines end and its characters are written, a file read in pieces has the rows of one read whole."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "a.csv"
    path.write_bytes(newline.join(["é,b", *_LINES, ""]).encode(encoding))
    assert path.stat().st_size > BLOCK

    found = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=0)
    rows = list(read(found.storage, found.tables[0]))

    assert ["é", "b"] == [column.name for column in found.tables[0].columns]
    assert [line.split(",", 1)[1].strip('"') for line in _LINES] == pl.concat(rows)["b"].to_list()


def test_blank_lines_where_a_piece_ends(tmp_path: Path) -> None:
    """The blank lines of a single column are nulls wherever its file is cut; those at its end are none."""
    (tmp_path / "lake").mkdir()
    path = tmp_path / "lake" / "a.csv"
    path.write_bytes(b"a\n" + b"1\n\n\n" * (BLOCK // 3) + b"2\n\n")

    table = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=0).tables[0]

    assert 3 * (BLOCK // 3) + 1 == table.rows


@pytest.mark.parametrize("keep", [0, 64])
def test_names_that_are_patterns_elsewhere(keep: int, tmp_path: Path) -> None:
    """Brackets and stars in the names of files, folders, columns and fields are what they are."""
    folder = tmp_path / "la[k]e"
    (folder / "[1]").mkdir(parents=True)
    frame = pl.DataFrame({"*": [1, 2], "^a.*$": [[3], []], "ab": [5, 6], "s": [{"*": 7, "^b$": 8}, {"*": 9, "^b$": 0}]})
    for name in ("*.parquet", "[1]/x?.parquet", "[1]/xy.parquet"):
        frame.write_parquet(folder / name)
    pl.DataFrame({"*": ["1"], "ab": ["5"]}).write_csv(folder / "{a,b}.csv")
    (folder / "lines.jsonl").write_text('{"*": "1", "^a.*$": [3]}')
    config = Lake(path=str(folder), keep_cells_mb=keep, policy="text")
    services = Services(Workspace(tmp_path / "house"))

    found = contain(survey(config, services), config, services)

    assert [] == found.rejections.rows()
    assert 12 == found.edges.height
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
