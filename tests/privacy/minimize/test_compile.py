"""Compiled policies: five targets, one answer."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sqlite3
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import Phase, given, settings

from privacy.minimize.cells import Node
from privacy.minimize.compile import TARGETS, compile_policy, polars_target, python_target
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Drop, Interval
from schemas.derive.duckdb import identifier
from schemas.errors import UsageError
from tests.privacy.minimize.corpora import Corpus, Raw, corpora, policy_of
from warehouse.engines import SparkEngine

_IN_SQLITE = ("Int8", "Int64", "Float64", "Boolean", "String")


def _python(corpus: Corpus) -> list[dict[str, Any]]:
    return [python_target.minimize(row, corpus.policy.spec) for row in corpus.rows]


def _texts(frame: pl.LazyFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.col(pl.Enum).cast(pl.String)).collect().to_dicts()


def _duckdb(corpus: Corpus, query: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        corpus.load(connection, "clients")
        found = connection.sql(query).order("row")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def _writable(corpus: Corpus) -> bool:
    categories = (rule for rule in corpus.policy.kept.values() if isinstance(rule, Categories))
    return not any("\0" in str(value) for rule in categories for values in rule.buckets.values() for value in values)


def _module(policy: Policy, target: str, folder: Path) -> ModuleType:
    path = folder / f"{target}_policy.py"
    path.write_text(compile_policy(policy, target), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _digits(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _run(policy: Policy, folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = folder / "device.py"
    path.write_text(compile_policy(policy, "python"), encoding="utf-8")
    command = [sys.executable, "-I", str(path), *arguments]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=False)


@settings(max_examples=120)
@given(corpora())
def test_polars_agrees_with_python(corpus: Corpus) -> None:
    """Every value of every type falls into the same bucket."""
    assert _python(corpus) == _texts(polars_target.minimize(corpus.frame, corpus.policy.spec))


@settings(max_examples=80)
@given(corpora())
def test_duckdb_agrees_with_python(corpus: Corpus) -> None:
    """The query in DuckDB's dialect gives the same."""
    assert _python(corpus) == _duckdb(corpus, compile_policy(corpus.policy, "duckdb"))


@settings(max_examples=60)
@given(corpora().filter(_writable))
def test_portable_sql_agrees_with_python(corpus: Corpus) -> None:
    """The ANSI query gives the same in DuckDB, for all types."""
    assert _python(corpus) == _duckdb(corpus, compile_policy(corpus.policy, "sql"))


@settings(max_examples=60)
@given(corpora().filter(_writable).filter(lambda one: all(str(raw.dtype) in _IN_SQLITE for raw in one.raw.values())))
def test_portable_sql_agrees_in_another_database(corpus: Corpus) -> None:
    """SQLite, which stores NaN as null, runs the ANSI query too, for the types that it has."""
    rows = [
        {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124 - NaN
        for row in corpus.rows
    ]
    with sqlite3.connect(":memory:") as connection:
        columns = ", ".join(map(identifier, corpus.raw))
        connection.execute(f"CREATE TABLE clients ({columns})")
        marks = ", ".join("?" * len(corpus.raw))
        connection.executemany(f"INSERT INTO clients VALUES ({marks})", [tuple(row.values()) for row in rows])
        query = f'SELECT * FROM ({compile_policy(corpus.policy, "sql")}) ORDER BY "row"'
        cursor = connection.execute(query)
        found = [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor]

    assert [python_target.minimize(row, corpus.policy.spec) for row in rows] == found


def _spark_type(raw: Raw) -> str:
    if isinstance(raw.dtype, pl.Datetime):
        return "timestamp_ntz" if raw.dtype.time_zone is None else "timestamp"
    names = {"UInt64": "decimal(20,0)", "Int128": "decimal(38,0)", "Int8": "tinyint", "Int64": "bigint"}
    names |= {"Float64": "double", "Float32": "float", "Date": "date", "Boolean": "boolean", "String": "string"}
    return names.get(str(raw.dtype)) or raw.sql.lower()


def _spark_value(raw: Raw, value: Any) -> Any:
    wide = str(raw.dtype) in ("UInt64", "Int128")
    return Decimal(value) if wide and value is not None else value


@settings(max_examples=4, phases=(Phase.generate,))
@given(corpus=corpora(rows=40, columns=10))
def test_spark_agrees_with_python(spark: SparkEngine, tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> None:
    """The compiled module gives the same in a Spark session."""
    from pyspark.sql import SparkSession, types

    session = SparkSession(spark.context)
    known = {"timestamp_ntz": types.TimestampNTZType(), "timestamp": types.TimestampType()}
    schema = types.StructType()
    for name, raw in corpus.raw.items():
        schema.add(name, known.get(_spark_type(raw)) or types._parse_datatype_string(_spark_type(raw)))
    rows = [tuple(_spark_value(raw, raw.values[at]) for raw in corpus.raw.values()) for at in range(40)]
    module = _module(corpus.policy, "spark", tmp_path_factory.mktemp("spark"))

    found = module.minimize(session.createDataFrame(rows, schema)).toDF(*corpus.policy.stored, "row").orderBy("row")

    assert _python(corpus) == [row.asDict() for row in found.collect()]


def test_the_compiled_polars_module_stands_alone(tmp_path: Path) -> None:
    """It needs polars and nothing of this product."""
    policy = policy_of({"age": Interval(type="int", borders=["27.5"])})
    module = _module(policy, "polars", tmp_path)

    assert ["b0", "b1", "__null__"] == module.minimize(pl.DataFrame({"age": [27, 28, None]})).collect()["age"].to_list()
    assert not any(word in Path(module.__file__).read_text() for word in ("from privacy", "from schemas"))


def test_the_device_file_reads_csv_and_tells_buckets(tmp_path: Path) -> None:
    """With the standard library alone, rows come in as text and go out as buckets; an empty cell is missing."""
    rules = {"age": Interval(type="int", borders=["27.5"]), "job": Categories(type="str", buckets={"g0": ['é, "x"']})}
    policy = policy_of({**rules, "when": Interval(type="instant", borders=["2020-01-01T00:00:00Z"])})
    raw = io.StringIO(newline="")
    writer = csv.writer(raw)
    writer.writerows(
        [["job", "age", "when"], ['é, "x"', "27", "2020-01-01 01:00+01:00"], ["", "", "2020-01-01T00:00:00.000001Z"]]
    )

    done = _run(policy, tmp_path, raw.getvalue())

    assert b"" == done.stderr
    assert b"age,job,when\nb0,g0,b0\n__null__,__null__,b1\n" == done.stdout


@settings(max_examples=15, phases=(Phase.generate,))
@given(corpus=corpora(rows=6))
def test_the_device_file_agrees_with_itself_as_a_module(
    tmp_path_factory: pytest.TempPathFactory, corpus: Corpus
) -> None:
    """JSON lines give what the function gives: decimals and huge integers keep their digits."""
    lines = [json.dumps(row, default=_digits, allow_nan=True) for row in corpus.rows]

    done = _run(corpus.policy, tmp_path_factory.mktemp("device"), "\n".join(lines), "--format", "jsonl")

    assert b"" == done.stderr
    assert _python(corpus) == [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({}, "column 'age' is missing"),
        ({"age": 3, "name": "x"}, "column 'name' is unknown"),
        ({"age": "3.5"}, "column 'age': a value is not of type int"),
        ({"age": True}, "column 'age': a value is not of type int"),
    ],
)
def test_the_device_file_refuses_drift_and_keeps_the_value_to_itself(record: dict[str, Any], said: str) -> None:
    """What is wrong is told, the raw value is not."""
    policy = policy_of({"age": Interval(type="int", borders=["27.5"])})

    with pytest.raises(python_target.Drift) as told:
        python_target.minimize(record, policy.spec)

    assert said in str(told.value)
    assert "3.5" not in str(told.value)


def test_the_device_file_names_the_row(tmp_path: Path) -> None:
    """A row of another shape stops it with its number and exit status 1."""
    done = _run(policy_of({"age": Interval(type="int", borders=["27.5"])}), tmp_path, "age\n3\nold\n")

    assert (1, b"row 2: column 'age': a value is not of type int (its text does not read as one)") == (
        done.returncode,
        done.stderr.strip(),
    )


def test_the_device_file_makes_no_cell_up(tmp_path: Path) -> None:
    """A row of too few cells lacks a column; a blank line is no row, unless there is one column."""
    home, age = Categories(type="str", buckets={"g0": ["here"]}), Interval(type="int", borders=["27.5"])

    done = _run(policy_of({"age": age, "home": home}), tmp_path, "age,home\n3,here\n\n4\n")
    assert (1, b"row 2: column 'home' is missing", b"age,home\nb0,g0\n") == (
        done.returncode,
        done.stderr.strip(),
        done.stdout,
    )
    assert b"age\nb0\n__null__\n" == _run(policy_of({"age": age}), tmp_path, "age\n3\n\n").stdout


def test_the_device_file_tells_no_value_of_what_it_cannot_read(tmp_path: Path) -> None:
    """A list instead of an object, and a line that is no JSON, end it with their row; blank lines are none."""
    policy = policy_of({"age": Interval(type="int", borders=["27.5"])})
    for line, said in (('["secret", 3]', b"row 2: not an object"), ('{"age": "secr', b"row 2: not readable as jsonl")):
        done = _run(policy, tmp_path, '{"age": 3}\n\n' + line + "\n", "--format", "jsonl")

        assert (1, b'{"age": "b0"}\n') == (done.returncode, done.stdout)
        assert said in done.stderr
        assert b"secr" not in done.stderr


def test_the_device_file_writes_the_columns_of_no_rows(tmp_path: Path) -> None:
    """A file without rows becomes one with the stored columns, and without rows."""
    policy = policy_of({"age": Interval(type="int", borders=["27.5"]), "home": Drop()}, passthrough={"y": "int"})

    assert b"age,y\n" == _run(policy, tmp_path, "y,home,age\n").stdout


def test_a_device_file_changed_by_hand_refuses_to_run(tmp_path: Path) -> None:
    """Its policy is hashed in it."""
    policy = policy_of({"age": Interval(type="int", borders=["27.5"])})
    path = tmp_path / "device.py"
    path.write_text(compile_policy(policy, "python").replace("27.5", "28.5"), encoding="utf-8")

    done = subprocess.run([sys.executable, "-I", str(path)], input=b"age\n3\n", capture_output=True, check=False)

    assert 1 == done.returncode
    assert b"was changed after it was compiled" in done.stderr


def test_nanoseconds_above_a_border_are_above_it() -> None:
    """Engines that hold nanoseconds compare them; polars, DuckDB and the device agree."""
    border = datetime(1960, 1, 1)  # noqa: DTZ001 - a type without a zone
    policy = policy_of({"at": Interval(type="datetime", borders=[border])}, passthrough={"row": "int"})
    at_border = pl.Series([border]).dt.epoch("ns").item()
    nanos = [at_border + step for step in (-1, 0, 1, 1000)]
    frame = pl.DataFrame({"at": pl.Series(nanos).cast(pl.Datetime("ns")), "row": range(4)})
    texts = ["1959-12-31T23:59:59.999999999", "1960-01-01T00:00"]
    texts += ["1960-01-01 00:00:00.000000001", "1960-01-01T00:00:00.000001"]
    with duckdb.connect() as connection:
        connection.register("clients", frame.to_arrow())
        found = connection.sql(compile_policy(policy, "duckdb")).fetchall()

    expected = ["b0", "b0", "b1", "b1"]
    assert (
        expected
        == polars_target.minimize(frame, policy.spec).select(pl.col("at").cast(pl.String)).collect()["at"].to_list()
    )
    assert expected == [row[0] for row in sorted(found, key=lambda row: row[1])]
    assert expected == [python_target.minimize({"at": text, "row": 0}, policy.spec)["at"] for text in texts]


@pytest.mark.parametrize(
    ("unit", "low", "middle", "high"),
    [(pl.Date, -800_000, 0, 3_000_000), (pl.Datetime("us"), -(10**17), 0, 3 * 10**17)],
)
def test_days_before_christ_and_after_9999_fall_outside_the_borders(
    unit: pl.DataType, low: int, middle: int, high: int
) -> None:
    """Python has no such dates; tables have, and polars and both dialects of SQL agree on them."""
    kind, end = ("date", "9999-12-31") if unit == pl.Date else ("datetime", "9999-12-31T00:00")
    rule = Interval(type=kind, borders=["0001-01-01" + end[10:], end])
    policy = policy_of({"at": rule}, passthrough={"row": "int"})
    frame = pl.DataFrame({"at": pl.Series([low, middle, high, None], dtype=pl.Int64).cast(unit), "row": range(4)})

    expected = ["b0", "b1", "b2", "__null__"]
    assert expected == [row["at"] for row in _texts(polars_target.minimize(frame, policy.spec))]
    for target in ("duckdb", "sql"):
        with duckdb.connect() as connection:
            connection.register("clients", frame.to_arrow())
            found = connection.sql(compile_policy(policy, target)).order("row").fetchall()
        assert expected == [row[0] for row in found]


@pytest.mark.parametrize("known", [3, 250])
@pytest.mark.parametrize("stored", ["table", "file", "parquet"])
def test_duckdb_finds_texts_in_whatever_holds_them(tmp_path: Path, known: int, stored: str) -> None:
    """Row by row, in the dictionaries of a database file, and in those of Parquet; with few categories and many."""
    names = ["", "a\0b", *(f"value {number}" for number in range(known))]
    rule = Categories(type="str", buckets={f"g{group}": names[group::3] for group in range(3)}, on_null="g1")
    policy = policy_of({"name": rule}, passthrough={"row": "int"})
    values = [*names, None, "never seen", "VALUE 1"]
    frame = pl.DataFrame({"name": [values[row * 7 % len(values)] for row in range(5_000)], "row": range(5_000)})
    frame.write_parquet(tmp_path / "clients.parquet")
    from_parquet = f"FROM read_parquet('{tmp_path / 'clients.parquet'}')"
    with duckdb.connect(tmp_path / "clients.duckdb" if stored == "file" else ":memory:") as connection:
        kind = "VIEW" if stored == "parquet" else "TABLE"
        connection.execute(f"CREATE {kind} clients AS {from_parquet}")
        connection.execute("CHECKPOINT")
        found = connection.sql(compile_policy(policy, "duckdb")).order("row").fetchall()

    expected = [python_target.minimize(row, policy.spec)["name"] for row in frame.to_dicts()]
    assert {"g0", "g1", "g2", "__other__"} == set(expected)
    assert expected == [row[0] for row in found]


@pytest.mark.parametrize(("buckets", "kind"), [(3, "ENUM"), (60, "VARCHAR")])
@pytest.mark.parametrize("released", ["attribute", "cell"])
def test_duckdb_lists_few_buckets_in_their_type(buckets: int, kind: str, released: str) -> None:
    """Few buckets or cells are an ENUM, many are texts: both are the ones that a device tells."""
    rules = {"age": Interval(type="int", borders=[f"{border}.5" for border in range(buckets - 1)])}
    root: Node | str = f"c{buckets - 1}"
    for number in reversed(range(buckets - 1)):
        root = Node(column="age", buckets=(f"b{number}",), left=f"c{number}", right=root)
    cells = {"release": "cell", "cells": root} if released == "cell" else {}
    policy = policy_of(rules, passthrough={"row": "int"}, **cells)
    (name,) = policy.stored
    rows = [{"age": age, "row": age} for age in range(buckets)] + [{"age": None, "row": buckets}]
    with duckdb.connect() as connection:
        connection.register("clients", pl.DataFrame(rows).to_arrow())
        found = connection.sql(compile_policy(policy, "duckdb")).order("row")
        types, stored = found.types, [row[0] for row in found.fetchall()]

    assert str(types[0]).startswith(kind)
    assert [python_target.minimize(row, policy.spec)[name] for row in rows] == stored


def test_portable_sql_refuses_what_it_cannot_write() -> None:
    """A category with U+0000 is named; DuckDB's dialect can write it."""
    policy = policy_of({"job": Categories(type="str", buckets={"g0": ["a\0b"]})})

    with pytest.raises(UsageError, match="U\\+0000"):
        compile_policy(policy, "sql")
    assert "chr(0)" in compile_policy(policy, "duckdb")


def test_an_unknown_target_is_named_with_the_nearest() -> None:
    """A slip of the pen is pointed out."""
    policy = policy_of({"day": Interval(type="date", borders=[date(2020, 1, 1)])})

    with pytest.raises(UsageError, match="did you mean 'polars'"):
        compile_policy(policy, "polar")
    assert ["python", "polars", "spark", "duckdb", "sql"] == list(TARGETS)


@given(corpora(rows=3))
@settings(max_examples=40)
def test_every_stored_value_is_one_that_the_policy_lists(corpus: Corpus) -> None:
    """Nothing but bucket ids, cells and what is passed through comes out."""
    for row in _python(corpus):
        stored = {name: value for name, value in row.items() if name not in corpus.policy.passthrough}
        assert list(corpus.policy.stored) == list(stored)
        assert all(value in corpus.policy.stored[name] for name, value in stored.items())


_WIDE = 10**36
_BOUNDARIES = [
    (pl.Int64(), Interval(type="int", borders=["-1.5", "-0.5"]), [-2, -1, 0, 1, None]),
    (pl.Int64(), Interval(type="int", borders=[str(2**53) + ".5"]), [2**53 - 1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]),
    (pl.UInt64(), Interval(type="int", borders=["-0.5", str(2**64 - 2)]), [0, 1, 2**64 - 3, 2**64 - 2, 2**64 - 1]),
    (pl.Int128(), Interval(type="int", borders=[f"{_WIDE}.5"]), [_WIDE - 1, _WIDE, _WIDE + 1, -_WIDE, None]),
    (
        pl.Decimal(38, 2),
        Interval(type="decimal", scale=2, borders=["-0.255", f"{10**34 + 1}.555"]),
        [Decimal("-0.26"), Decimal("-0.25"), Decimal(f"{10**34 + 1}.55"), Decimal(f"{10**34 + 1}.56"), None],
    ),
]
_EXPECTED = [
    ["b0", "b1", "b2", "b2", "__null__"],
    ["b0", "b0", "b1", "b0", "b1"],
    ["b1", "b1", "b1", "b1", "b2"],
    ["b0", "b0", "b1", "b0", "__null__"],
    ["b0", "b1", "b1", "b2", "__null__"],
]


@pytest.mark.parametrize(("boundary", "expected"), list(zip(_BOUNDARIES, _EXPECTED, strict=True)))
def test_values_next_to_a_border_are_told_apart_without_rounding(boundary: Any, expected: list[str]) -> None:
    """Below zero, beyond 2^53 and 2^64, and in decimals of 36 digits, by hand and in every engine of this process."""
    dtype, rule, values = boundary
    corpus = Corpus(
        policy_of({"n": rule}, passthrough={"row": "int"}),
        {"n": Raw(dtype, tuple(values)), "row": Raw(pl.Int64(), tuple(range(len(values))))},
    )

    assert expected == [row["n"] for row in _python(corpus)]
    assert expected == [row["n"] for row in _texts(polars_target.minimize(corpus.frame, corpus.policy.spec))]
    for target in ("duckdb", "sql"):
        assert expected == [row["n"] for row in _duckdb(corpus, compile_policy(corpus.policy, target))]
