"""Recipes: what they hold, and that they bring back every bit."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.retention.recipes.rebuild import rebuild
from schemas.errors import InputError
from tests.dedup.retention.lakes import people, tables_of, tried

Write = Callable[[pl.DataFrame, Path], object]


def _lake(folder: Path) -> Path:
    (folder / "lake").mkdir(parents=True)
    return folder / "lake"


def _comes_back(root: Path, child: str, parent: str, policy: str = "lossless") -> tuple[str, int]:
    """Check that a recipe makes every file of the child, and return its method and size."""
    priced, recipes, sources = tried(root, child, parent, policy)
    assert priced.recipe is not None, priced.refused
    stored = recipes.get(priced.recipe.id)
    assert priced.recipe == stored
    folder = root.parent / "made"
    folder.mkdir()
    made = rebuild(stored, recipes, sources, folder)
    assert [(root / file.path).read_bytes() for file in stored.files] == [path.read_bytes() for path in made]
    assert priced.bytes < stored.table_bytes
    return stored.method, priced.bytes


def _with_module(frame: pl.DataFrame, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(frame.columns)
        writer.writerows(frame.rows())


WRITERS: dict[str, Write] = {
    "plain.csv": lambda frame, path: frame.write_csv(path),
    "quoted.csv": lambda frame, path: frame.write_csv(path, quote_style="always", line_terminator="\r\n"),
    "semicolon.csv": lambda frame, path: frame.write_csv(path, separator=";", include_bom=True),
    "no_last_line_end.csv": lambda frame, path: path.write_text(frame.write_csv().rstrip("\n")),
    "python.csv": _with_module,
    "plain.jsonl": lambda frame, path: frame.write_ndjson(path),
    "polars.parquet": lambda frame, path: frame.write_parquet(path),
    "groups.parquet": lambda frame, path: frame.write_parquet(path, compression="snappy", row_group_size=64),
    "arrow.parquet": lambda frame, path: pq.write_table(frame.rechunk().to_arrow(), path, compression="gzip"),
    "pandas.parquet": lambda frame, path: frame.to_pandas().to_parquet(path),
    "duck.parquet": lambda frame, path: duckdb.from_arrow(frame.to_arrow()).write_parquet(str(path)),
}
"""Ways to write a table; none leaves marks that another reads as other values of text, integers and booleans."""


@pytest.mark.parametrize("child", WRITERS)
@pytest.mark.parametrize("parent", ["plain.csv", "quoted.csv", "plain.jsonl", "polars.parquet"])
def test_a_filtered_projection_comes_back_from_any_format(tmp_path: Path, child: str, parent: str) -> None:
    """Every third row and two columns, written by any of the usual programs, are rebuilt bit for bit from rows."""
    root = _lake(tmp_path)
    whole = people().select("id", pl.col("name").fill_null("none"), "flag")
    WRITERS[parent](whole, root / f"whole.{parent.rsplit('.', maxsplit=1)[-1]}")
    WRITERS[child](whole.gather_every(3).select("name", "id"), root / f"part.{child.rsplit('.', maxsplit=1)[-1]}")
    names = sorted(path.name for path in root.iterdir())
    method, _ = _comes_back(root, names[0], names[1], "text")
    assert "rows" == method


@pytest.mark.parametrize("order", ["as it was", "sorted by another column", "with rows repeated"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_order_and_repeated_rows_come_back(tmp_path: Path, order: str, kind: str) -> None:
    """Row order and multiplicity are in the recipe, wherever the parent holds a row and however often."""
    root = _lake(tmp_path)
    whole = people()
    part = {"as it was": whole[100:350], "sorted by another column": whole.sort("score", "when", descending=True)[:300]}
    part["with rows repeated"] = pl.concat([whole[:200], whole[150:220], whole[:50]])
    for name, frame in (("whole", whole), ("part", part[order])):
        WRITERS["plain.csv" if kind == "csv" else "polars.parquet"](frame, root / f"{name}.{kind}")
    assert "rows" == _comes_back(root, f"part.{kind}", f"whole.{kind}")[0]


def test_what_no_layout_explains_is_patched(tmp_path: Path) -> None:
    """Quotes that only some cells have cost bytes of the recipe, not the table its right to come back."""
    root = _lake(tmp_path)
    people().write_csv(root / "whole.csv")
    lines = people()[50:].reverse().write_csv().replace(",true\n", ',"true"\n', 40)
    (root / "part.csv").write_text(lines)
    method, size = _comes_back(root, "part.csv", "whole.csv")
    assert "rows" == method
    assert 450 < size < 1_200


def test_row_groups_of_any_size_come_back(tmp_path: Path) -> None:
    """A file appended to batch by batch, one of them empty, comes back though its row groups have no common size."""
    root = _lake(tmp_path)
    people().write_parquet(root / "whole.parquet")
    part = people()[:300].rechunk().to_arrow()
    with pq.ParquetWriter(root / "part.parquet", part.schema) as writer:
        for start, size in ((0, 0), (0, 30), (30, 250), (280, 20)):
            writer.write_table(part.slice(start, size))
    assert "rows" == _comes_back(root, "part.parquet", "whole.parquet")[0]


def test_bytes_of_the_parent_will_do(tmp_path: Path) -> None:
    """A Parquet file with settings of its own, most of whose bytes are the parent's, is patched from those."""
    root = _lake(tmp_path)
    table = people(20_000).rechunk().to_arrow()
    for name in ("whole", "part"):
        marked = table.replace_schema_metadata({"made": name})
        pq.write_table(marked, root / f"{name}.parquet", row_group_size=1_000, use_dictionary=["name"])
    assert "bytes" == _comes_back(root, "part.parquet", "whole.parquet")[0]


def test_a_copy_needs_no_rows(tmp_path: Path) -> None:
    """Files of the same bytes are copied, in whatever format."""
    root = _lake(tmp_path)
    people().write_parquet(root / "a.parquet")
    (root / "b.parquet").write_bytes((root / "a.parquet").read_bytes())
    method, size = _comes_back(root, "b.parquet", "a.parquet")
    assert "copy" == method
    assert size < 450


def test_partitions_come_back_file_by_file(tmp_path: Path) -> None:
    """A folder of partitions is one table: each of its files comes back, without the columns that its path tells."""
    root = _lake(tmp_path)
    whole = people().with_columns(part=pl.when(pl.col("flag")).then(pl.lit("yes")).otherwise(pl.lit("no")))
    whole.write_parquet(root / "whole.parquet")
    for (part,), frame in whole[:300].partition_by("part", as_dict=True).items():
        (root / "parts" / f"part={part}").mkdir(parents=True)
        frame.drop("part").write_parquet(root / "parts" / f"part={part}" / "a.parquet")
        frame.drop("part").write_csv(root / "parts" / f"part={part}" / "a.csv")
    (root / "whole.csv").write_text(whole.write_csv())
    for path in (root / "parts").glob("*/*.csv"):
        path.unlink()
    assert "rows" == _comes_back(root, "parts", "whole.parquet")[0]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@settings(max_examples=25)
@given(st.lists(st.tuples(cells, cells), min_size=12, max_size=30), st.data())
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], data) -> None:
    """Whatever the cells hold (quotes, separators, line ends, white space), what has a recipe comes back."""
    root = _lake(tmp_path_factory.mktemp("any"))
    picked = data.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=30))
    for name, chosen in (("whole.csv", rows), ("part.csv", picked)):
        out = io.StringIO()
        writer = csv.writer(out, quoting=data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])))
        writer.writerows([("left", "right"), *chosen])
        (root / name).write_text(out.getvalue(), encoding="utf-8", newline="")
    if {"whole.csv", "part.csv"} <= tables_of(root).keys():
        priced, recipes, sources = tried(root, "part.csv", "whole.csv")
        if priced.recipe:
            (root.parent / "made").mkdir()
            (made,) = rebuild(priced.recipe, recipes, sources, root.parent / "made")
            assert (root / "part.csv").read_bytes() == made.read_bytes()


def test_a_compressed_file_comes_back_as_a_copy_alone(tmp_path: Path) -> None:
    """How a program packs bytes is not known, and said so; what is packed can be a parent like any other."""
    root = _lake(tmp_path)
    text, part = people().write_csv().encode(), people()[50:350].write_csv().encode()
    for name, content in (
        ("whole.csv.gz", gzip.compress(text, mtime=0)),
        ("later.csv.gz", gzip.compress(text, mtime=1)),
        ("part.csv.gz", gzip.compress(part)),
        ("part.csv", part),
    ):
        (root / name).write_bytes(content)

    assert "compressed" == tried(root, "part.csv.gz", "whole.csv.gz")[0].refused
    assert "bytes" == tried(root, "later.csv.gz", "whole.csv.gz")[0].recipe.method
    assert "rows" == _comes_back(root, "part.csv", "whole.csv.gz")[0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_odd_names_come_back(tmp_path: Path, kind: str) -> None:
    """Columns whose names are patterns, or differ in case alone, and folders with brackets are no obstacle."""
    root = _lake(tmp_path / "[1]")
    whole = people().select(pl.col("id").alias("*"), pl.col("id").alias("A"), pl.col("flag").alias("a"), place="score")
    for name, frame in (("whole", whole), ("part", whole[300:20:-1])):
        WRITERS["plain.csv" if kind == "csv" else "polars.parquet"](frame, root / f"{name}.{kind}")
    assert "rows" == _comes_back(root, f"part.{kind}", f"whole.{kind}")[0]


def test_what_saves_nothing_has_no_recipe(tmp_path: Path) -> None:
    """A table of a few bytes is dearer to describe than to keep."""
    root = _lake(tmp_path)
    people().write_csv(root / "whole.csv")
    people()[:2].write_csv(root / "part.csv")
    priced, _, _ = tried(root, "part.csv", "whole.csv")
    assert ("no_saving", None) == (priced.refused, priced.recipe)


def test_a_parent_that_changed_is_named(tmp_path: Path) -> None:
    """A rebuild from another version of the parent is refused, and the error names table and file."""
    root = _lake(tmp_path)
    people().write_csv(root / "whole.csv")
    people()[:300].write_csv(root / "part.csv")
    priced, recipes, sources = tried(root, "part.csv", "whole.csv")
    people().with_columns(id=pl.col("id") + 1).write_csv(root / "whole.csv")
    with pytest.raises(InputError, match=r"'part.csv' is rebuilt from 'whole.csv', of which 'whole.csv' was changed"):
        rebuild(priced.recipe, recipes, sources, tmp_path)
    (root / "whole.csv").unlink()
    with pytest.raises(InputError, match="is gone"):
        rebuild(priced.recipe, recipes, sources, tmp_path)
