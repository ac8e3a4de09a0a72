"""Reading raw tables: a file is read whole, as it is named, or refused in words that show nobody's value."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from privacy.minimize.apply import apply_policy
from privacy.minimize.compile import python_target
from privacy.minimize.rules import Categories, Interval
from privacy.minimize.tables import FORMATS, scan, scan_typed
from schemas.errors import InputError
from tests.privacy.minimize.corpora import policy_of

_JOBS = policy_of({"job": Categories(type="str", buckets={"g0": ["clerk"]})})
_HOMES = policy_of({"job": _JOBS.columns["job"], "home": {"kind": "drop"}})
_PACKED = gzip.compress(b"job\nclerk\n" * 5_000)
_DAMAGED = {
    "cut.csv.gz": _PACKED[:15],
    "broken.csv.gz": _PACKED[:12] + b"\xff" * 8 + _PACKED[20:],
    "long.csv": b'"' + b"j" * 200_000 + b'"\nclerk\n',
    "wide.csv": b"job\n" + b"clerk\n" * 3_000 + b"clerk,secret\n" + b"clerk\n" * 3_000,
    "open.csv": b'job\nclerk\n"secret\nclerk\n',
}


@pytest.mark.parametrize("name", _DAMAGED)
@pytest.mark.parametrize("read", ["sample", "apply"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, read: str) -> None:
    """Whether to learn from or to minimize; what stands in the file is not told."""
    (tmp_path / name).write_bytes(_DAMAGED[name])
    with pytest.raises(InputError, match="cannot be read") as error:
        scan(tmp_path / name) if read == "sample" else apply_policy(_JOBS, tmp_path / name, tmp_path / "out.csv")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_is_not_there_is_told_from_a_damaged_one(tmp_path: Path, suffix: str) -> None:
    """Whatever its format would be."""
    with pytest.raises(InputError, match="is not there"):
        scan(tmp_path / f"none{suffix}")


def test_cells_beyond_the_columns_are_seen_though_no_column_needs_them(tmp_path: Path) -> None:
    """A row with a comma too many has shifted values, even where the columns after it are dropped."""
    (tmp_path / "raw.csv").write_text("job,home\nclerk,here\nclerk,of a sort,there\n", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        scan_typed(tmp_path / "raw.csv", _HOMES)


@pytest.mark.parametrize(("second", "cells"), [("cook", 1), ("", 0), ('"a\nb"', 1)])
@pytest.mark.parametrize("read", [scan, lambda path: scan_typed(path, _HOMES)])
def test_a_row_of_too_few_cells_is_no_row_of_missing_ones(
    tmp_path: Path, read: Callable[[Path], pl.LazyFrame], second: str, cells: int
) -> None:
    """It is named, as is a blank line: nobody is made up; a cell that is there and empty is missing."""
    (tmp_path / "raw.csv").write_text(f'job,home\n"cl,erk",\n{second}\n', encoding="utf-8")
    with pytest.raises(InputError, match=f"cannot be read: row 2 has {cells} of 2 cells"):
        read(tmp_path / "raw.csv")
    (tmp_path / "raw.csv").write_text('job,home\n"cl,erk",\ncook,\n', encoding="utf-8")
    assert [None, None] == read(tmp_path / "raw.csv").collect()["home"].to_list()


def test_offsets_are_read_with_and_without_colons(tmp_path: Path) -> None:
    """As ISO 8601 allows them, in files and on devices; a sample with either is read as moments, too."""
    at = Interval(type="instant", borders=["2020-01-01T05:00Z"])
    texts = ["2020-01-01T00:00:00-0500", "2020-01-01T00:00:00-05:00", "2020-01-01T00:00:00-0459"]
    pl.DataFrame({"at": texts}).write_csv(tmp_path / "raw.csv")
    policy = policy_of({"at": at})

    read = scan_typed(tmp_path / "raw.csv", policy).collect()
    assert ["05:00", "05:00", "04:59"] == read["at"].dt.strftime("%H:%M").to_list()
    assert ["b0", "b0", "b0"] == [python_target.minimize({"at": text}, policy.spec)["at"] for text in texts]
    assert "b1" == python_target.minimize({"at": "2020-01-01T00:00:00.1-0500"}, policy.spec)["at"]


def test_the_one_cell_of_a_row_may_be_missing(tmp_path: Path) -> None:
    """Where there is one column, a blank line is a row."""
    (tmp_path / "raw.csv").write_text("job\nclerk\n\n", encoding="utf-8")
    assert ["clerk", None] == scan_typed(tmp_path / "raw.csv", _JOBS).collect()["job"].to_list()


@pytest.mark.parametrize(
    ("suffix", "engine"), [(".csv", "polars"), (".jsonl", "polars"), (".parquet", "polars"), (".parquet", "duckdb")]
)
def test_a_name_is_no_pattern(tmp_path: Path, suffix: str, engine: str) -> None:
    """A file called a[1] is read and written, not the file a1 beside it."""
    for name, job in (("a[1]", "clerk"), ("a1", "cook")):
        frame = pl.DataFrame({"job": [job]})
        if suffix == ".parquet":
            frame.write_parquet(tmp_path / f"{name}.parquet")
        elif suffix == ".csv":
            frame.write_csv(tmp_path / f"{name}.csv")
        else:
            (tmp_path / f"{name}.jsonl").write_text(json.dumps({"job": job}) + "\n", encoding="utf-8")
    source, target = tmp_path / f"a[1]{suffix}", tmp_path / f"[out]{suffix}"

    assert ["clerk"] == scan(source).collect()["job"].to_list()
    assert 1 == apply_policy(_JOBS, source, target, engine=engine).rows
    assert "g0" in scan(target).collect()["job"].to_list()
