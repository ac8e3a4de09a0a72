"""Exploration: the views there are, what they say, and what a query may not do."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError, WarehouseError
from schemas.registry import contract
from schemas.tables import TableRef
from tests.built import DATASET, FLAGGED, row_of
from warehouse import explore
from warehouse.books import SHELF
from warehouse.gate import audit
from warehouse.house import Warehouse


def test_versions_and_latest_are_views(built: Warehouse) -> None:
    """Each version is a view of its own, and the dataset's name is the latest."""
    counts = explore.query(
        built,
        f"""SELECT (SELECT count(*) FROM {DATASET}) AS latest, (SELECT count(*) FROM "{DATASET}@1.0.0") AS first,
            (SELECT count(*) FROM "{DATASET}@1.1.0") AS second""",
    )

    assert {"latest": [4], "first": [6], "second": [4]} == counts.to_dict(as_series=False)


def test_every_book_is_a_view_with_its_columns(built: Warehouse) -> None:
    """Each book can be read under its name, with the columns of its contract."""
    for name, book in SHELF.items():
        assert book.contract.names == explore.query(built, f'FROM "{name}" LIMIT 0').columns


def test_empty_warehouse_has_empty_views(tmp_path: Path) -> None:
    """Before the first run every book is there, empty, with its types."""
    found = explore.query(Warehouse.open(tmp_path / "new"), "SELECT * FROM rollouts")

    assert (0, pl.Schema(contract("rollout").arrow)) == (found.height, found.schema)


def test_file_opens_read_only_and_is_documented(built: Warehouse) -> None:
    """The written file answers alone, read-only, and carries the contract's words as comments."""
    path = explore.write(built)

    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute(f"SELECT count(*) FROM {DATASET}").fetchall()
        spoken = dict(connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = ?", [DATASET],
        ).fetchall())  # fmt: skip
        undocumented = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL "
            "UNION ALL SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal "
            "AND comment IS NULL",
        ).fetchall()

    assert [(4,)] == rows
    assert {column.name: column.doc for column in contract("prompt_set").columns} == spoken
    assert [] == undocumented
    assert "sluice.duckdb" == path.name
    assert [] == list(path.parent.glob(".sluice.duckdb*"))


def test_file_is_replaced_while_open(built: Warehouse) -> None:
    """A reader keeps what it opened while the file is written anew."""
    with duckdb.connect(explore.write(built), read_only=True) as connection:
        explore.write(built)

        assert [(4,)] == connection.execute(f"SELECT count(*) FROM {DATASET}").fetchall()


def test_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    """Where the file cannot be put the error names it."""
    house = Warehouse.open(tmp_path / "new")
    (house.root / explore.FILE).mkdir(parents=True)

    with pytest.raises(WarehouseError, match=r"sluice\.duckdb"):
        explore.write(house)


_KNOWN = [(0, 8, 0, 0.3244), (1, 8, 0.0224, 0.4709), (5, 8, 0.3057, 0.8632), (8, 8, 0.6756, 1)]


@pytest.mark.parametrize(("c", "n", "low", "high"), _KNOWN)
def test_wilson_interval_matches_known_values(built: Warehouse, c: int, n: int, low: float, high: float) -> None:
    """The 95 % intervals are those of Wilson (1927) for known counts."""
    found = explore.query(built, f"SELECT wilson_low({c}, {n}) AS low, wilson_high({c}, {n}) AS high")

    assert [pytest.approx((low, high), abs=5e-5)] == found.rows()


@pytest.fixture(scope="module")
def macros() -> duckdb.DuckDBPyConnection:
    """The macros of views.sql over empty books."""
    text = Path(explore.__file__).with_name("views.sql").read_text(encoding="utf-8")
    with duckdb.connect() as connection:
        for statement in text.split(";"):
            if "CREATE MACRO" in statement:
                connection.execute(statement)
        yield connection


@given(n=st.integers(1, 40), k=st.integers(1, 40), data=st.data())
def test_pass_at_k_is_the_share_of_subsets(
    macros: duckdb.DuckDBPyConnection,
    n: int,
    k: int,
    data: st.DataObject,
) -> None:
    """pass@k is the share of k-subsets of the n answers that hold a correct one; unknown where k > n."""
    c = data.draw(st.integers(0, n))

    [(found,)] = macros.execute("SELECT pass_at(?, ?, ?)", [c, n, k]).fetchall()

    assert (None if k > n else pytest.approx(1 - comb(n - c, k) / comb(n, k), abs=1e-12)) == found


def test_pass_rate_view_reads_the_counts(built: Warehouse) -> None:
    """Rates, intervals and pass@k stand beside the counts."""
    found = explore.query(built, "SELECT c, rate, pass_at_8, pass_at_64 FROM pass_rate ORDER BY c").rows()

    assert (5, 0.625, 1.0, None) == found[5]
    assert (0, 0.0, 0.0, None) == found[0]


def test_funnel_adds_up(built: Warehouse) -> None:
    """In every stage of every run the outcomes sum to what went in."""
    wrong = explore.query(
        built,
        "SELECT run_id, step FROM funnel GROUP BY run_id, step HAVING sum(rows) <> any_value(rows_in)",
    )
    filters = explore.query(
        built,
        "SELECT outcome, reason, rows FROM funnel WHERE run_id = 'run_1' AND stage = 'filters' ORDER BY outcome",
    )

    assert 0 == wrong.height
    assert [("dropped", "too_easy", 1), ("failed", None, 1), ("kept", None, 6)] == filters.rows()


def test_suspects_hold_flags_and_weak_tests(built: Warehouse) -> None:
    """A flagged problem and one whose tests accept a trivial program are both suspects, with their counts."""
    found = explore.query(built, "SELECT problem_id, reason, n, c FROM suspects ORDER BY reason").rows()

    assert [
        (row_of(0)["problem_id"], "accepts_trivial", 8, 0),
        (row_of(FLAGGED)["problem_id"], "label_suspect", 8, FLAGGED),
    ] == found


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT * FROM rolouts", 'did you mean "rollouts"'),
        ("SELECT problm_id FROM rollouts", 'did you mean "problem_id"'),
        ("SELEC 1", "SHOW ALL TABLES"),
        ("", "start with SELECT"),
        ("SELECT 1; SELECT 2", "start with SELECT"),
    ],
)
def test_wrong_query_gets_a_hint(built: Warehouse, sql: str, hint: str) -> None:
    """A query that cannot run names the nearest view or column, or what would do."""
    with pytest.raises(UsageError) as caught:
        explore.query(built, sql)

    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a INT)",
        "DROP VIEW rollouts",
        "ATTACH 'other.db'",
        "COPY (SELECT 1) TO 'out.csv'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "SELECT * FROM read_text('catalog.db')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sqlite_scan('catalog.db', 'iceberg_tables')",
    ],
)
def test_query_can_neither_write_nor_leave(
    built: Warehouse,
    sql: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is written, configured, installed, or read besides the views' own files."""
    monkeypatch.chdir(built.root)
    before = sorted(built.root.iterdir())

    with pytest.raises(UsageError):
        explore.query(built, sql)

    assert before == sorted(built.root.iterdir())


def test_dataset_named_like_a_book_stays_reachable(house: Warehouse, place: Callable[..., TableRef]) -> None:
    """A dataset that carries a book's name is found as name@latest; the book keeps its name."""
    house.publish("rollouts", "problem", place(range(3)), run_id="run_9", audit=audit)

    assert [(3,)] == explore.query(house, 'SELECT count(*) FROM "rollouts@latest"').rows()
    assert contract("rollout").names == explore.query(house, "FROM rollouts LIMIT 0").columns


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT sum(n) AS a FROM (VALUES (1), (2)) t(n)", 3),
        ("SELECT INTERVAL 90 MINUTE AS a", "01:30:00"),
        ("SELECT [INTERVAL 1 DAY] AS a", "[1 day]"),
        ("SELECT 1 AS a, 2 AS a", 1),
        ("SELECT union_value(x := 1) AS a", "1"),
        ("SELECT '101'::BIT AS a", "101"),
        ("SHOW ALL TABLES", "memory"),
    ],
)
def test_every_type_has_an_answer(built: Warehouse, sql: str, answer: object) -> None:
    """What polars has no type for comes as text, and sums of whole numbers are whole numbers."""
    assert answer == explore.query(built, sql).row(0)[0]


def test_plan_of_a_query_can_be_seen(built: Warehouse) -> None:
    """EXPLAIN is a reading statement too."""
    plan = explore.query(built, "EXPLAIN SELECT problem_id FROM pass_rates WHERE c > 3").rows()
    assert "PARQUET" in str(plan).upper()
