"""Rows of files, whole and broken."""

from __future__ import annotations

import csv
import gzip
import json
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.drafts import Reason
from curation.sources.files import Fault, Record, records
from schemas.errors import InputError
from tests.strategies import json_values

ROWS = [{"a": i, "text": "né\n" * i} for i in range(5)]


def read(path, encoding="utf-8", row_bytes=1_000_000):
    """Read all of a file."""
    return list(records(path, encoding, row_bytes))


def values(items):
    """Return the values read, without the faults."""
    return [item.value for item in items if isinstance(item, Record)]


def faults(items):
    """Return line and reason of each fault."""
    return [(item.line, item.reason) for item in items if isinstance(item, Fault)]


def written(folder, name, data):
    """Write bytes, compressed if the name says so."""
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


LINES = "\n".join(json.dumps(row) for row in ROWS).encode()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson", "a.json"])
def test_json_lines(tmp_path, name):
    """JSON lines are read under any of their names, compressed or not."""
    assert ROWS == values(read(written(tmp_path, name, LINES)))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_json_array(tmp_path, name, indent):
    """An array is read element by element, however it is set."""
    assert ROWS == values(read(written(tmp_path, name, json.dumps(ROWS, indent=indent).encode())))


@given(st.lists(json_values(), max_size=6), st.booleans())
def test_array_and_lines_agree(tmp_path_factory, rows, indented):
    """Any JSON values come back equal from an array and from lines."""
    folder = tmp_path_factory.mktemp("json")
    array = written(folder, "a.json", json.dumps(rows, indent=1 if indented else None).encode())
    lines = written(folder, "a.jsonl", "\n".join(map(json.dumps, rows)).encode())
    assert rows == values(read(array)) == values(read(lines))


def test_elements_larger_than_a_chunk(tmp_path):
    """An element of several megabytes, between others, is read whole."""
    rows = ["x" * 3_000_000, 1, "é" * 1_500_000]
    assert rows == values(read(written(tmp_path, "a.json", json.dumps(rows).encode()), row_bytes=10_000_000))


def test_csv(tmp_path):
    """A quoted field may span lines; a row with fields too few is a fault at its line."""
    path = written(tmp_path, "a.csv.gz", b'a,b\n1,"x\ny"\n2\n3,z\n')
    items = read(path)
    assert [{"a": "1", "b": "x\ny"}, {"a": "3", "b": "z"}] == values(items)
    assert [(4, Reason.WRONG_TYPE)] == faults(items)


def test_parquet(tmp_path):
    """Parquet rows come with their row numbers."""
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert [(i, row) for i, row in enumerate(ROWS, 1)] == [(r.line, r.value) for r in read(tmp_path / "a.parquet")]


def test_parquet_that_is_none(tmp_path):
    """A file that only calls itself Parquet is a fault, not a traceback."""
    assert [(1, Reason.TRUNCATED)] == faults(read(written(tmp_path, "a.parquet", b"PAR1 no")))


def test_faults_stand_where_they_are(tmp_path):
    """Lines that are no JSON or no text are faults at their lines, and the lines around them are read."""
    data = b'\xef\xbb\xbf{"a": 1}\n{broken\n\n{"a": "\xff"}\n' + b"[" * 100_000 + b'\n{"a": 2}\n'
    items = read(written(tmp_path, "a.jsonl", data))
    assert [{"a": 1}, {"a": 2}] == values(items)
    assert [(2, Reason.NOT_JSON), (4, Reason.INVALID_TEXT), (5, Reason.NOT_JSON)] == faults(items)


def test_other_encodings(tmp_path):
    """Latin-1 is read when the recipe says so."""
    assert [{"a": "né"}] == values(read(written(tmp_path, "a.jsonl", '{"a": "né"}'.encode("latin-1")), "latin-1"))


def test_a_line_too_large_is_skipped(tmp_path):
    """A line beyond the limit is a fault, and the next one is read."""
    data = b'"' + b"x" * 3_000_000 + b'"\n1\n'
    items = read(written(tmp_path, "a.jsonl", data), row_bytes=1000)
    assert [1] == values(items)
    assert [(1, Reason.ROW_TOO_LARGE)] == faults(items)


def test_a_field_too_large_is_a_fault(tmp_path):
    """In a row it takes that row, in the header the file; the limit is that of this reading alone."""
    before, long = csv.field_size_limit(), b"x" * 5_000
    row, header = written(tmp_path, "a.csv", b"a\n" + long + b"\n1\n"), written(tmp_path, "b.csv", long + b"\n1\n")
    assert [(2, Reason.ROW_TOO_LARGE)] == faults(read(row, row_bytes=99))
    assert [(1, Reason.ROW_TOO_LARGE)] == faults(read(header, row_bytes=99))
    assert before == csv.field_size_limit()


def test_an_element_too_large_ends_an_array(tmp_path):
    """An array element beyond the limit is named, with the warning that the rest is unread."""
    items = read(written(tmp_path, "a.json", json.dumps([1, "x" * 5_000_000, 2]).encode()), row_bytes=1000)
    assert [1] == values(items)
    assert [(2, Reason.ROW_TOO_LARGE)] == faults(items)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json.gz"])
def test_truncated_gzip(tmp_path, name):
    """What stands before the break is read; the break is a fault."""
    rows = [{"a": i, "b": str(i * 7919) * 5} for i in range(20_000)]
    data = json.dumps(rows) if ".json." in name else "\n".join(map(json.dumps, rows))
    path = tmp_path / name
    path.write_bytes(gzip.compress(data.encode())[:-30_000])
    items = read(path)
    found = values(items)
    assert 0 < len(found) < len(rows)
    assert rows[: len(found)] == found
    assert Reason.TRUNCATED == faults(items)[-1][1]


@pytest.mark.parametrize("data", [b"[1, 2", b"[1, 2,"])
def test_unclosed_array(tmp_path, data):
    """An array without its end is reported after its elements."""
    items = read(written(tmp_path, "a.json", data))
    assert [1, 2] == values(items)
    assert [(3, Reason.TRUNCATED)] == faults(items)


def test_broken_element(tmp_path):
    """After an element that does not parse the rest of an array is not guessed at, and that is said."""
    items = read(written(tmp_path, "a.json", b'[{"a": 1}, {"a" 2}, {"a": 3}]'))
    assert [{"a": 1}] == values(items)
    assert "the rest is not read" in items[-1].detail


def test_utf16_is_named(tmp_path):
    """UTF-16 is an error that says so."""
    with pytest.raises(InputError, match="UTF-16"):
        read(written(tmp_path, "a.jsonl", '{"a": 1}'.encode("utf-16")))


@given(st.binary(max_size=300), st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.json.gz", "a.parquet"]))
def test_no_bytes_break_the_reader(tmp_path_factory, data, name):
    """Any bytes under any format give rows and faults, or the one error that names the file."""
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(data)
    with suppress(InputError):
        assert all(isinstance(item, Record | Fault) for item in read(path))
