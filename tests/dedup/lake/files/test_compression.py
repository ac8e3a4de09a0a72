"""Compressed text has the rows of the text, in memory that does not follow what it expands to."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import polars as pl
import pytest
import zstandard

from dedup.lake.contain import contain
from dedup.lake.fingerprints.rows import rows_digest
from schemas.recipe.lake import Lake
from tests.dedup.lake.lakes import looked
from warehouse.stages import Services, Workspace

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

    found = looked(tmp_path / "lake", tmp_path / "house", keep_cells_mb=keep)

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

    found = looked(tmp_path / "lake", tmp_path / "house")

    assert 16 << 18 == found.tables[0].rows
    assert found.tables[0].prints[0].block is None
