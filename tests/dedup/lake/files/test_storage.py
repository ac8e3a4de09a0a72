"""Where a lake may lie, and what in it is no file, another name of one, or changes while it is read."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pytest

from dedup.lake.contain import contain
from dedup.lake.files.storage import File, Storage
from dedup.lake.fingerprints.rows import rows_digest
from dedup.lake.survey import survey
from schemas.errors import InputError
from schemas.recipe.lake import Lake
from tests.dedup.lake.lakes import GOOD, looked
from warehouse.stages import Services, Workspace


@pytest.mark.parametrize("pattern", ["", "**/*.csv"])
def test_links_pipes_and_odd_names(pattern: str, tmp_path: Path) -> None:
    """What is no file, leads nowhere, leads back or is another name of a file is told by name, and nothing hangs."""
    folder = tmp_path / "lake"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.csv").write_bytes(GOOD)
    (folder / "sub" / "b.csv").write_bytes(GOOD + b"3,z\n")
    for link, target in (("broken.csv", "nowhere"), ("self.csv", "self.csv"), ("0.csv", "a.csv"), ("sub/loop", "..")):
        (folder / link).symlink_to(target)
    (folder / "hard.csv").hardlink_to(folder / "a.csv")
    os.mkfifo(folder / "pipe.csv")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.csv")).write_bytes(GOOD)

    found = looked(folder / pattern, tmp_path / "house")

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


def test_an_object_store_holds_the_same_lake(tmp_path: Path) -> None:
    """Through fsspec the same files give the same tables, edges and rows."""
    (tmp_path / "lake" / "deep").mkdir(parents=True)
    frame = pl.DataFrame({"a": range(50), "b": np.random.default_rng(1).random(50)})
    frame.write_parquet(tmp_path / "lake" / "whole.parquet")
    frame.head(20).write_parquet(tmp_path / "lake" / "deep" / "part.parquet")
    (tmp_path / "lake" / "c.csv").write_bytes(GOOD)
    (tmp_path / "lake" / "d.csv.gz").write_bytes(gzip.compress(b"p,q\n1,2\n"))
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
        (tmp_path / "lake" / name).write_bytes(GOOD)

    found = looked(tmp_path / "lake" / pattern, tmp_path / "house")

    assert {"*.csv": ["a.csv"], "**/*.csv": ["a.csv", "sub/b.csv"], "sub/b.csv": ["b.csv"]}[pattern] == [
        table.name for table in found.tables
    ]


@pytest.mark.parametrize("path", ["nowhere", "nowhere/*.csv", "nosuchprotocol://x"])
def test_a_lake_that_is_not_there(path: str, tmp_path: Path) -> None:
    """A path that leads nowhere is an error that says so."""
    place = path if "://" in path else tmp_path / path

    with pytest.raises(InputError, match=r"nowhere|nosuchprotocol"):
        looked(place, tmp_path / "house")


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
    (tmp_path / "lake" / "a.csv").write_bytes(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr("dedup.lake.survey.Storage", _Growing)
        moving = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

    still = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

    assert ["changed_while_read"] == [one.reason for one in moving.rejections]
    assert Path(tmp_path / "lake" / "a.csv").read_bytes().count(b"\n") - 1 == still.tables[0].rows
