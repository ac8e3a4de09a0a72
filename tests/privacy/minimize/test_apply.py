"""Applying policies to files: engines agree, drift is refused with file and row, nothing half-written stays."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from privacy.minimize.apply import ENGINES, apply_policy, minimized, refuse_expired
from privacy.minimize.compile import python_target
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Drop, Interval
from privacy.minimize.tables import read_typed, scan, scan_typed
from schemas.errors import InputError, SchemaDrift, UsageError
from tests.privacy.minimize.corpora import Corpus, corpora, policy_of

_ROWS = [
    {"id": "1", "age": "27", "rate": "0.5", "day": "2020-01-01", "job": "clerk", "home": "x", "y": "1"},
    {"id": "2", "age": "28", "rate": "nan", "day": "2020-01-02", "job": "", "home": "", "y": "0"},
    {"id": "2", "age": "", "rate": "-inf", "day": "", "job": "astronaut", "home": "y", "y": ""},
]
_STORED = [
    {"age": "b0", "rate": "b0", "day": "b0", "job": "g0", "y": 1},
    {"age": "b1", "rate": "__null__", "day": "b1", "job": "__null__", "y": 0},
    {"age": "__null__", "rate": "b0", "day": "__null__", "job": "__other__", "y": None},
]


@pytest.fixture
def policy() -> Policy:
    """A policy with a rule of each kind."""
    rules = {
        "age": Interval(type="int", borders=["27.5"]),
        "rate": Interval(type="float", borders=["0.5"]),
        "day": Interval(type="date", borders=["2020-01-01"]),
        "job": Categories(type="str", buckets={"g0": ["clerk"]}),
        "home": Drop(),
    }
    return policy_of(rules, passthrough={"y": "int"}, client="id")


def _csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _sources(folder: Path) -> dict[str, Path]:
    plain = _csv(folder / "raw.csv", _ROWS)
    packed = folder / "raw.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    typed = pl.DataFrame(_ROWS).with_columns(pl.all().replace("", None)).with_columns(
        pl.col("age", "y").cast(pl.Int32), pl.col("rate").cast(pl.Float64), pl.col("day").str.to_date()
    )  # fmt: skip
    typed.write_parquet(folder / "raw.parquet")
    lines = folder / "raw.jsonl"
    lines.write_text("".join(json.dumps(row, default=str) + "\n" for row in typed.to_dicts()), encoding="utf-8")
    return {".csv": plain, ".csv.gz": packed, ".parquet": folder / "raw.parquet", ".jsonl": lines}


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        return pl.read_csv(path).to_dicts()
    return (pl.read_parquet if path.suffix == ".parquet" else pl.read_ndjson)(path).to_dicts()


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".jsonl", ".parquet"])
@pytest.mark.parametrize("out", [".csv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same(tmp_path: Path, policy: Policy, kind: str, out: str) -> None:
    """The same records in CSV, JSON lines and Parquet become the same buckets."""
    done = apply_policy(policy, _sources(tmp_path)[kind], tmp_path / f"out{out}")

    assert (3, ("age", "rate", "day", "job", "y")) == (done.rows, done.columns)
    assert _STORED == _read(done.target)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "spark"])
def test_engines_give_the_same(tmp_path: Path, policy: Policy, engine: str) -> None:
    """DuckDB writes what polars writes."""
    done = apply_policy(policy, _sources(tmp_path)[".parquet"], tmp_path / "out.parquet", engine=engine)

    assert (3, _STORED) == (done.rows, _read(done.target))


def test_engines_read_texts_in_dictionaries_and_single_floats(tmp_path: Path) -> None:
    """Categoricals, enums and plain texts are one type; 0.1 of 32 bits is above the border 0.1, and on its own."""
    values = ["a", "b", None, "zz", "A", ""]
    singles = pl.Series([0.1, float("nan"), None, float("inf"), -0.0, 2.5], dtype=pl.Float32)
    kinds = {"categorical": pl.Categorical(), "enum": pl.Enum(["zz", "A", "a", "", "b"]), "text": pl.String()}
    columns = {name: pl.Series(values).cast(kind) for name, kind in kinds.items()}
    pl.DataFrame({**columns, "single": singles}).write_parquet(tmp_path / "raw.parquet")
    names = Categories(type="str", buckets={"g0": ["a", ""], "g1": ["b"]})
    policy = policy_of(
        dict.fromkeys(kinds, names) | {"single": Interval(type="float", borders=["0.1", "0.10000000149011612"])}
    )

    told = ["g0", "g1", "__null__", "__other__", "__other__", "g0"]
    expected = dict.fromkeys(kinds, told) | {"single": ["b1", "__null__", "__null__", "b2", "b0", "b2"]}
    for engine in ("polars", "duckdb"):
        apply_policy(policy, tmp_path / "raw.parquet", tmp_path / "out.parquet", engine=engine)
        assert expected == pl.read_parquet(tmp_path / "out.parquet").to_dict(as_series=False)


def test_duckdb_says_that_it_compares_no_nanoseconds_with_a_zone(tmp_path: Path) -> None:
    """Polars does; without a zone both do."""
    moments = pl.Series([0, 1, None]).cast(pl.Datetime("ns"))
    pl.DataFrame({"at": moments.dt.replace_time_zone("UTC")}).write_parquet(tmp_path / "raw.parquet")
    policy = policy_of({"at": Interval(type="instant", borders=["1970-01-01T00:00Z"])})

    with pytest.raises(UsageError, match="use the engine polars"):
        apply_policy(policy, tmp_path / "raw.parquet", tmp_path / "out.parquet", engine="duckdb")
    apply_policy(policy, tmp_path / "raw.parquet", tmp_path / "out.parquet")
    assert ["b0", "b1", "__null__"] == pl.read_parquet(tmp_path / "out.parquet")["at"].to_list()


@pytest.mark.usefixtures("spark")
def test_spark_gives_the_same(tmp_path: Path, policy: Policy) -> None:
    """In the running session, which is left running."""
    done = apply_policy(policy, _sources(tmp_path)[".parquet"], tmp_path / "out.parquet", engine="spark")

    assert (3, _STORED) == (done.rows, sorted(_read(done.target), key=_STORED.index))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"age": "27.0"}, "row 2: column 'age': a value is not of type int"),
        ({"age": "old"}, "row 2: column 'age': a value is not of type int"),
        ({"rate": "1,5"}, "row 2: column 'rate': a value is not of type float"),
        ({"day": "2020-02-30"}, "row 2: column 'day': a value is not of type date"),
        ({"y": str(2**63)}, "row 2: column 'y': a value is not of type int"),
    ],
)
def test_a_text_of_another_type_is_refused_with_its_row(
    tmp_path: Path, policy: Policy, change: dict[str, str], said: str
) -> None:
    """File, row and column are told, the value is not, and nothing is written."""
    source = _csv(tmp_path / "raw.csv", [_ROWS[0], {**_ROWS[1], **change}, _ROWS[2]])

    with pytest.raises(SchemaDrift) as told:
        apply_policy(policy, source, tmp_path / "out.csv")

    assert f"{source}: {said}" == told.value.message
    assert [source] == list(tmp_path.iterdir())


def test_all_differences_of_columns_are_told_at_once(tmp_path: Path, policy: Policy) -> None:
    """Missing and unknown columns and other types are listed together."""
    frame = pl.DataFrame({"id": [1], "age": [1.0], "rate": [1], "job": [["a"]], "y": [1], "mail": ["a@b.c"]})
    frame.write_parquet(tmp_path / "raw.parquet")

    with pytest.raises(SchemaDrift) as told:
        apply_policy(policy, tmp_path / "raw.parquet", tmp_path / "out.csv")

    assert (
        "column 'day' is missing",
        "column 'home' is missing",
        "column 'mail' is not in the policy",
        "column 'age' is Float64; the policy was made for type int",
        "column 'rate' is Int64; the policy was made for type float",
        "column 'job' is List(String); the policy was made for type str",
    ) == told.value.faults


@pytest.mark.parametrize("of", [pl.Binary, pl.Null, pl.Time, pl.Duration, pl.Object], ids=str)
def test_a_column_of_a_type_that_no_policy_speaks_of_is_refused(policy: Policy, of: Any) -> None:
    """Bytes are no text, and a column without a type is no missing value."""
    frame = pl.DataFrame(schema=dict.fromkeys(policy.inputs, pl.Int64) | {"job": of})

    with pytest.raises(SchemaDrift, match=f"column 'job' is {of}.*; the policy was made for type str"):
        minimized(policy, frame)


def test_a_target_that_is_missing_is_told_from_other_columns(policy: Policy) -> None:
    """Where the target is not known yet there is a way without it, which the error names."""
    frame = pl.DataFrame(schema=dict.fromkeys(policy.inputs, pl.Int64)).drop("y")

    with pytest.raises(SchemaDrift, match="column 'y' is missing, a target: `--without-targets` does without it"):
        minimized(policy.model_copy(update={"targets": ("y",)}), frame)


def test_a_line_of_another_shape_is_refused_with_its_row(tmp_path: Path, policy: Policy) -> None:
    """JSON lines are named by number."""
    lines = tmp_path / "raw.jsonl"
    good = {"id": 1, "age": 1, "rate": 1, "day": None, "job": None, "home": None, "y": 1}
    for bad, said in (({"id": 1}, "column 'age' is missing"), ({**good, "age": 1.5}, "column 'age': a value is not")):
        lines.write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
        with pytest.raises(SchemaDrift, match=f"row 2: {said}"):
            apply_policy(policy, lines, tmp_path / "out.csv")
    lines.write_text(f"{json.dumps(good)}\n[1]\n")
    with pytest.raises(InputError, match="row 2: not a JSON object"):
        apply_policy(policy, lines, tmp_path / "out.csv")


@pytest.mark.parametrize("text", ["a,b\n1,2,3\n", "", "a\n\xff\n"])
def test_a_file_that_is_no_table_is_an_error(tmp_path: Path, policy: Policy, text: str) -> None:
    """Ragged rows, empty files and other encodings are told in a line."""
    (tmp_path / "raw.csv").write_text(text, encoding="latin-1")

    with pytest.raises(InputError):
        apply_policy(policy, tmp_path / "raw.csv", tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("source", "target", "engine", "said"),
    [
        ("raw.xlsx", "out.csv", "polars", "is in no known format"),
        ("raw.csv", "out.csv", "duckdb", "reads Parquet, not 'raw.csv'"),
        ("raw.csv", "out.csv", "duckbd", "did you mean 'duckdb'"),
        ("raw.csv", "out.csv.gz", "polars", "would be written compressed"),
    ],
)
def test_what_cannot_be_done_is_refused(  # noqa: PLR0913, PLR0917 - a case of a table
    tmp_path: Path, policy: Policy, source: str, target: str, engine: str, said: str
) -> None:
    """Formats and engines are checked before anything is read."""
    _sources(tmp_path)
    with pytest.raises(UsageError, match=said):
        apply_policy(policy, tmp_path / source, tmp_path / target, engine=engine)


@settings(max_examples=60)
@given(corpus=corpora(rows=5))
def test_a_csv_file_gives_what_its_records_give(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> None:
    """Text that reads as a value falls where the value falls; an empty cell is missing."""
    folder = tmp_path_factory.mktemp("csv")
    rows = [{name: _cell(value) for name, value in row.items()} for row in corpus.rows]
    source = _csv(folder / "raw.csv", rows)
    expected = [
        python_target.minimize({name: value or None for name, value in row.items()}, corpus.policy.spec) for row in rows
    ]

    done = apply_policy(corpus.policy, source, folder / "out.parquet")

    assert [{**row, "row": int(row["row"])} for row in expected] == _read(done.target)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value).replace("\r", "").replace("\0", "")


def test_texts_that_stand_for_missing_values_are_the_policys(tmp_path: Path) -> None:
    """What is missing is part of the policy, so that every engine reads it alike."""
    policy = policy_of({"job": Categories(type="str", buckets={"g0": ["a"]})}, missing=("NA", "?"))
    source = _csv(tmp_path / "raw.csv", [{"job": "NA", "n": ""}, {"job": "?", "n": ""}, {"job": "a", "n": ""}])
    frame = scan_typed(source, policy.model_copy(update={"columns": {**policy.columns, "n": Drop()}}))

    assert [None, None, "a"] == frame.collect()["job"].to_list()


def test_a_table_in_memory_is_held_to_the_policy_too() -> None:
    """Frames are checked like files, under the name they are given."""
    policy = policy_of({"age": Interval(type="int", borders=["27.5"])})

    assert ["b0"] == minimized(policy, pl.DataFrame({"age": [3]})).collect()["age"].to_list()
    with pytest.raises(SchemaDrift, match="batch 3: column 'age' is String"):
        minimized(policy, pl.DataFrame({"age": ["3"]}), place="batch 3")


def test_records_without_targets_are_minimized_for_serving(tmp_path: Path, policy: Policy) -> None:
    """Where the target is not known yet, the same policy is applied without it."""
    serving = policy.model_copy(update={"targets": ("y",)}).serving
    source = _csv(tmp_path / "raw.csv", [{name: text for name, text in row.items() if name != "y"} for row in _ROWS])

    apply_policy(serving, source, tmp_path / "out.parquet")

    assert [{k: v for k, v in row.items() if k != "y"} for row in _STORED] == _read(tmp_path / "out.parquet")


def test_an_expired_policy_is_refused_after_its_last_day(policy: Policy) -> None:
    """On the day itself it still holds."""
    limited = policy.model_copy(update={"expires": date(2026, 1, 31)})

    refuse_expired(limited, date(2026, 1, 31))
    with pytest.raises(UsageError, match="expired on 2026-01-31"):
        refuse_expired(limited, date(2026, 2, 1))


def test_types_of_a_sample_are_found_from_all_of_its_values(tmp_path: Path) -> None:
    """A column that is whole for a thousand rows and then is not is no column of whole numbers."""
    rows = [{"n": str(number), "day": "2020-01-01"} for number in range(1_000)]
    source = _csv(tmp_path / "raw.csv", [*rows, {"n": "0.5", "day": ""}])

    assert {"n": pl.Float64(), "day": pl.Date()} == dict(scan(source).collect_schema())


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, policy: Policy) -> None:
    """It is not clear which one the policy speaks of."""
    (tmp_path / "raw.csv").write_text("age,age\n1,2\n")

    with pytest.raises(SchemaDrift, match="column 'age' is there twice"):
        scan_typed(tmp_path / "raw.csv", policy)


def test_records_for_an_audit_have_types_in_every_column(tmp_path: Path, policy: Policy) -> None:
    """Dropped columns of a CSV file are read by what they hold: a number is not taken for a name."""
    rows = [{**row, "home": str(number)} for number, row in enumerate(_ROWS)]

    found = read_typed(_csv(tmp_path / "raw.csv", rows), policy)

    expected = {"id": pl.Int64(), "age": pl.Int64(), "rate": pl.Float64(), "day": pl.Date(), "home": pl.Int64()}
    assert expected == {name: of for name, of in found.schema.items() if name in expected}
    assert [0, 1, 2] == found["home"].to_list()
