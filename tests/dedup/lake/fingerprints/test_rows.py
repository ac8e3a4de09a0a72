"""Fingerprints of rows, in order."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dedup.lake.fingerprints.rows import fingerprints, rows_digest
from tests.dedup.lake.lakes import looked


def test_fingerprints_are_in_the_order_of_the_files(tmp_path: Path) -> None:
    """Row fingerprints follow the rows, and projections of equal rows are equal whatever the format."""
    frame = pl.DataFrame({"a": ["x", "y", None], "b": ["1", "2", "3"], "c": ["p", "q", "r"]})
    (tmp_path / "lake").mkdir()
    frame.write_parquet(tmp_path / "lake" / "a.parquet")
    frame[::-1].select("c", "b", "a").write_csv(tmp_path / "lake" / "b.csv")

    found = looked(tmp_path / "lake", tmp_path / "house")
    one, other = (fingerprints(found.storage, table, ["b", "a"]) for table in found.tables)

    assert one.tolist() == other[::-1].tolist()
    assert 3 == len(set(one.tolist()))
    assert 1 == len({rows_digest(found.storage, table) for table in found.tables})
