"""The gate: what it refuses, what it calls broken, and that both of its methods agree."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.contracts import AtMost, Between, Column, Contract, InSet, JsonText, Matches, NotBlank
from schemas.errors import GateBroken
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.audits import AuditResult
from warehouse.gate import EXAMPLES, audit
from warehouse.stages import Workspace

EVERY_RULE = Contract(
    name="every_rule",
    version="1.0.0",
    doc="One rule of each kind.",
    columns=(
        Column("id", pa.utf8(), "Key."),
        Column("part", pa.int32(), "Second half of the key."),
        Column("kind", pa.utf8(), "In a set.", nullable=True),
        Column("code", pa.utf8(), "Matches a pattern.", nullable=True),
        Column("text", pa.utf8(), "Not blank.", nullable=True),
        Column("items", pa.list_(pa.utf8()), "Not empty.", nullable=True),
        Column("data", pa.utf8(), "JSON.", nullable=True),
        Column("low", pa.int64(), "At most high.", nullable=True),
        Column("high", pa.int64(), "Counts.", nullable=True),
        Column("rate", pa.float64(), "Between 0 and 1.", nullable=True),
        Column("limit", pa.float64(), "Above the rate.", nullable=True),
    ),
    key=("id", "part"),
    rules=(
        InSet("kind", ("a", "b", "it's")),
        Matches("code", r"p_[0-9a-f]{2,4}|\d+"),
        NotBlank("text"),
        NotBlank("items"),
        JsonText("data"),
        Between("low", 0),
        Between("low", None, 100),
        Between("rate", 0, 1),
        AtMost("low", "high"),
        AtMost("rate", "limit"),
    ),
)

_TRICKY = st.sampled_from(
    ["", " ", "\t\n", "\u00a0", "\u2003", "\x00", "a\n", "p_ab", "p_ab\n", "12", "\u0663", "'", "]"]
)
_TEXT = _TRICKY | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
_JSON = st.sampled_from(
    ["{}", "NaN", "[1,]", '"\\ud800"', "[" * 3000 + "]" * 3000, "", "1 2", "null", '{"a": -Infinity}']
)
_NUMBER = st.sampled_from([0.0, 1.0, -0.1, 1.1, float("nan"), float("inf"), -0.0])
_ROW = st.fixed_dictionaries(
    {
        "id": st.none() | st.sampled_from(["x", "y", "z"]),
        "part": st.none() | st.integers(0, 3),
        "kind": st.none() | st.sampled_from(["a", "b", "c", "it's", ""]),
        "code": st.none() | _TEXT,
        "text": st.none() | _TEXT,
        "items": st.none() | st.lists(_TEXT, max_size=2),
        "data": st.none() | _JSON | _TEXT,
        "low": st.none() | st.integers(-2, 102),
        "high": st.none() | st.integers(-2, 102) | st.just(2**62),
        "rate": st.none() | _NUMBER,
        "limit": st.none() | _NUMBER,
    }
)


def _good(part: int = 0, **changes: Any) -> dict[str, Any]:
    row = {"id": "x", "part": part, "kind": "a", "code": "p_ab", "text": "t", "items": ["i"], "data": "{}"}
    return row | {"low": 1, "high": 2, "rate": 0.5, "limit": 0.6} | changes


def _write(path: Path, rows: list[dict[str, Any]], of: Contract = EVERY_RULE) -> list[Path]:
    pl.DataFrame(rows, schema=pl.Schema(of.arrow)).write_parquet(path)
    return [path]


def _failed(result: AuditResult) -> dict[str, int]:
    return {check.name: check.broken for check in result.failures}


@pytest.fixture(params=[1_000, 0], ids=["rows", "counts"])
def rows_read(request: pytest.FixtureRequest) -> int:
    """The limit that makes the gate read rows, or counts."""
    return request.param


def test_a_check_of_the_main_module_by_pyspark_does_not_end_the_process(
    workspace: Workspace, rates: Callable[..., TableRef]
) -> None:
    """Where there is no main file, pyspark without its remote client's parts would exit with 0; the gate goes on."""
    folder = workspace.folder(rates(range(3)))
    code = (
        "import pathlib, sys; from schemas.registry import contract; from warehouse.gate import audit\n"
        "print(audit(list(pathlib.Path(sys.argv[1]).glob('*.parquet')), contract('pass_rate')).success)"
    )
    ran = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert "True\n" == ran.stdout


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(_ROW, min_size=1, max_size=12))
def test_rows_and_counts_agree(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """Reading every row and reading one row of counts give the same outcomes, down to the examples."""
    paths = _write(tmp_path / "rows.parquet", rows)

    by_row, by_counts = audit(paths, EVERY_RULE), audit(paths, EVERY_RULE, rows_read=0)

    assert by_row.checks == by_counts.checks
    assert ("rows", "counts") == (by_row.method, by_counts.method)


def test_good_rows_pass(tmp_path: Path, rows_read: int) -> None:
    """Rows that keep every rule pass, nulls where the contract allows them included."""
    nothing = dict.fromkeys(["kind", "code", "text", "items", "data", "low", "high", "rate", "limit"])
    paths = _write(tmp_path / "rows.parquet", [_good(), _good(1, **nothing)])

    result = audit(paths, EVERY_RULE, rows_read=rows_read)

    assert {} == _failed(result)
    assert result.success


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"id": None}, "not_null(id)"),
        ({"kind": "c"}, "in_set(kind)"),
        ({"code": "p_ab\n"}, "matches(code)"),
        ({"text": "\u00a0\t"}, "not_blank(text)"),
        ({"items": []}, "not_blank(items)"),
        ({"data": '{"a": NaN}'}, "json_text(data)"),
        ({"low": -1}, "between(low)"),
        ({"low": 101, "high": 102}, "between(low) #2"),
        ({"rate": float("nan"), "limit": None}, "between(rate)"),
        ({"low": 3}, "at_most(low, high)"),
    ],
)
def test_bad_value_fails_its_check_alone(
    change: dict[str, Any],
    check: str,
    tmp_path: Path,
    rows_read: int,
) -> None:
    """One bad value fails the one check that speaks of it, and the row is named."""
    paths = _write(tmp_path / "rows.parquet", [_good(), _good(1, **change)])

    result = audit(paths, EVERY_RULE, rows_read=rows_read)

    assert {check: 1} == _failed(result)
    assert ["1"] == [example["part"] for example in result.failures[0].examples]
    assert "1 failed" in result.summary


def test_repeated_key_names_its_rows(tmp_path: Path, rows_read: int) -> None:
    """Each row that shares its key counts as broken, and examples stay few."""
    paths = _write(tmp_path / "rows.parquet", [_good(7) for _ in range(9)] + [_good(1)])

    result = audit(paths, EVERY_RULE, rows_read=rows_read)

    assert {"unique(id, part)": 9} == _failed(result)
    assert ({"id": "x", "part": "7"},) * EXAMPLES == result.failures[0].examples


def test_shape_is_checked_before_rows(tmp_path: Path) -> None:
    """Missing, unknown and wrongly typed columns are named, and no rule is tried on them."""
    path = tmp_path / "rows.parquet"
    frame = pl.DataFrame([_good()], schema=pl.Schema(EVERY_RULE.arrow))
    frame.drop("text").with_columns(pl.col("part").cast(pl.Utf8), more=1).write_parquet(path)

    result = audit([path], EVERY_RULE)

    assert "schema" == result.method
    assert ["more is not in the contract; text is missing", "part is String instead of Int32"] == [
        check.observed for check in result.failures
    ]


def test_order_of_columns_is_checked(tmp_path: Path) -> None:
    """The same columns in another order are not the contract's."""
    path = tmp_path / "rows.parquet"
    pl.DataFrame([_good()], schema=pl.Schema(EVERY_RULE.arrow)).select(reversed(EVERY_RULE.names)).write_parquet(path)

    assert {"columns": 1} == _failed(audit([path], EVERY_RULE))


@pytest.mark.parametrize("content", [b"", b"PAR1 not really PAR1", None], ids=["empty", "garbage", "absent"])
def test_unreadable_file_breaks_the_gate(content: bytes | None, tmp_path: Path) -> None:
    """A file that cannot be read says nothing about the rows: broken, not failed."""
    path = tmp_path / "rows.parquet"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(GateBroken, match="could not read"):
        audit([path], EVERY_RULE)


def test_truncated_file_breaks_the_gate(tmp_path: Path, rows_read: int) -> None:
    """A file whose pages were damaged after its footer was written is told apart from bad rows."""
    [path] = _write(tmp_path / "rows.parquet", [_good(part, text="t" * part) for part in range(500)])
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])

    with pytest.raises(GateBroken, match="could not read"):
        audit([path], EVERY_RULE, rows_read=rows_read)


def test_exception_inside_a_metric_breaks_the_gate(tmp_path: Path) -> None:
    """A rule that cannot be measured on its column is a broken gate that names the check."""
    unfit = Contract(
        "unfit", "1.0.0", "A rule that does not fit.", (Column("id", pa.utf8(), "Key."),), ("id",),
        (Between("id", 0),),
    )  # fmt: skip
    paths = _write(tmp_path / "rows.parquet", [{"id": "x"}], unfit)

    with pytest.raises(GateBroken, match=r"between\(id\)"):
        audit(paths, unfit)


def test_audit_opens_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    """The gate works offline and says nothing on the terminal."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the gate opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    assert audit(_write(tmp_path / "rows.parquet", [_good()]), EVERY_RULE).success
    assert ("", "") == tuple(capfd.readouterr())


def test_result_survives_storage(tmp_path: Path) -> None:
    """A stored result reads back equal, and is plain JSON."""
    result = audit(_write(tmp_path / "rows.parquet", [_good(), _good(1, kind="c")]), EVERY_RULE)

    path = result.save(tmp_path / "reports" / "audit.json")

    assert result == AuditResult.load(path)
    assert result.summary == json.loads(path.read_text())["summary"]
    with pytest.raises(GateBroken, match="not a stored audit"):
        AuditResult.load(tmp_path / "absent.json")


def test_console_rows_show_failures_first(tmp_path: Path) -> None:
    """The console's table begins with what failed."""
    result = audit(_write(tmp_path / "rows.parquet", [_good(), _good(1, kind="c")]), EVERY_RULE)

    rows = result.rows_for_console()

    assert ("FAILED", "in_set(kind)", "one of a, b, it's", "1 of 2 rows break it (x, 1, c)") == rows[0]
    assert len(result.checks) == len(rows)


def _house_contracts() -> Iterator[str]:
    yield from (
        "problem",
        "rollout",
        "pass_rate",
        "test_quality",
        "prompt_set",
        "decision",
        "lineage",
        "run",
        "rejection",
    )


@pytest.mark.parametrize("name", _house_contracts())
def test_every_contract_can_be_audited(name: str, tmp_path: Path, rows_read: int) -> None:
    """An empty table of each contract of the house passes by both methods, so every rule has a working check."""
    path = tmp_path / "rows.parquet"
    pq.write_table(contract(name).arrow.empty_table(), path)

    assert {} == _failed(audit([path], contract(name), rows_read=rows_read - 1))
