"""The books: entered once, whoever records what how often."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import UsageError, WarehouseError
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.books import Entry
from warehouse.catalog import BOOKS
from warehouse.house import Warehouse

Rates = Callable[..., TableRef]


def _decisions(records: list[str], measured: float = 1.0) -> pl.DataFrame:
    rows = [
        {"stage": "dedup", "record_id": record, "verdict": "drop", "reason": "same", "measured": measured}
        for record in records
    ]
    schema = {name: of for name, of in pl.Schema(contract("decision").arrow).items() if name != "run_id"}
    return pl.DataFrame(rows, schema=schema)


def _run(run_id: str, status: str) -> dict[str, object]:
    texts = dict.fromkeys(("recipe", "inputs", "counts", "cost"), "{}")
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "run_id": run_id, "dataset": "sums", "status": status, "recipe_hash": "h", "code_version": "1",
        "started_at": began, **texts,
    }  # fmt: skip


def test_a_run_recorded_again_doubles_nothing(house: Warehouse) -> None:
    """Decisions of one run, entered whole or in parts, any number of times, stand in the book once."""
    assert Entry(3, 0, 0, 0) == house.append("decisions", _decisions(["a", "b", "c"]), "r1")
    assert Entry(0, 0, 3, 0) == house.append("decisions", _decisions(["c", "b", "a"]), "r1")
    assert Entry(1, 0, 1, 0) == house.append("decisions", _decisions(["c", "d"]), "r1")
    assert Entry(1, 0, 0, 0) == house.append("decisions", _decisions(["a"]), "r2")
    book = house.book("decisions").collect()
    assert [("r1", "a"), ("r1", "b"), ("r1", "c"), ("r1", "d"), ("r2", "a")] == sorted(
        book.select("run_id", "record_id").iter_rows(),
    )


def test_rows_with_one_key_are_folded_the_same_way_in_any_order(house: Warehouse) -> None:
    """Of two entries with one key the first in the order of all columns counts, and the other is reported."""
    both = pl.concat([_decisions(["a"], 2.0), _decisions(["a"], 1.0)])
    assert Entry(1, 0, 0, 1) == house.append("decisions", both, "r1")
    assert Entry(1, 0, 0, 1) == house.append("decisions", both.reverse(), "r2")
    assert [1.0, 1.0] == house.book("decisions").collect()["measured"].to_list()


def test_pass_rates_are_renewed_only_by_more_answers(house: Warehouse, rates: Rates) -> None:
    """The same counts recorded by a later run change nothing, more answers replace fewer, fewer never replace more."""
    assert Entry(4, 0, 0, 0) == house.append("pass_rates", rates(range(4)), "r1")
    assert Entry(0, 0, 4, 0) == house.append("pass_rates", rates(range(4)), "r2")
    assert Entry(2, 2, 0, 0) == house.append("pass_rates", rates(range(2, 6), n=64, c=9), "r3")
    assert Entry(0, 0, 3, 0) == house.append("pass_rates", rates(range(3)), "r4")
    book = house.book("pass_rates").sort("problem_id").collect()
    assert [(8, 4), (8, 4), (64, 9), (64, 9), (64, 9), (64, 9)] == list(book.select("n", "c").iter_rows())


def test_a_run_has_one_entry_with_its_present_state(house: Warehouse) -> None:
    """Status and results are brought up to date in place."""
    house.upsert_run(_run("r1", "running"))
    house.upsert_run(_run("r2", "running"))
    house.upsert_run({**_run("r1", "published"), "dataset_version": "1.0.0"})
    book = house.book("runs").sort("run_id").collect()
    assert [("r1", "published", "1.0.0"), ("r2", "running", None)] == list(
        book.select("run_id", "status", "dataset_version").iter_rows(),
    )


def test_a_run_with_unknown_columns_is_refused(house: Warehouse) -> None:
    """A misspelt column is an error, not a loss."""
    with pytest.raises(UsageError, match="no column stauts"):
        house.upsert_run({**_run("r1", "running"), "stauts": "x"})


def test_a_run_without_what_it_must_say_is_refused(house: Warehouse) -> None:
    """A null where the contract allows none is not entered."""
    with pytest.raises(WarehouseError, match="non-nullable"):
        house.upsert_run({"run_id": "r1"})
    assert 0 == house.book("runs").collect().height


def test_many_small_entries_are_folded_into_few_files(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries made one by one become neither a file nor a snapshot each for good, and none is lost."""
    monkeypatch.setattr("warehouse.books._SMALL_FILES", 3)
    monkeypatch.setattr("warehouse.books._SNAPSHOTS", 2)
    for number in range(10):
        house.append("decisions", _decisions([str(number)]), "r1")
    assert len(house.book_files("decisions")) <= 3
    assert len(house.catalog.find(BOOKS, "decisions").metadata.snapshots) <= 3
    assert [str(number) for number in range(10)] == sorted(house.book("decisions").collect()["record_id"])


def test_writers_at_the_same_time_lose_nothing(house: Warehouse) -> None:
    """Four writers with connections of their own, on overlapping rows: every row is there once."""

    def write(writer: int) -> int:
        own = Warehouse.open(house.root)
        return sum(
            own.append("rejections", _rejections(range(10 * part, 10 * part + 12)), f"r{writer}").added
            for part in range(5)
        )

    with ThreadPoolExecutor(4) as pool:
        added = sum(pool.map(write, range(4)))
    assert 52 == added
    assert list(range(52)) == sorted(house.book("rejections").collect()["line"])


def _rejections(lines: range) -> pl.DataFrame:
    rows = [{"source": "s", "file": "f", "line": line, "reason": "bad", "detail": ""} for line in lines]
    return pl.DataFrame(rows, schema=pl.Schema(contract("rejection").arrow))


@settings(max_examples=6)
@given(st.lists(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([8, 16, 64])), max_size=5), max_size=4))
def test_a_book_is_the_fold_of_what_was_entered(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, int]]]
) -> None:
    """Whatever is entered in whatever batches, the book holds the largest count per key."""
    house = Warehouse.open(tmp_path_factory.mktemp("house"))
    expected: dict[str, int] = {}
    for number, batch in enumerate(batches):
        unique = dict(batch)
        house.append("pass_rates", _counts(unique), f"r{number}")
        for problem, n in unique.items():
            expected[str(problem)] = max(n, expected.get(str(problem), 0))
    assert expected == dict(house.book("pass_rates").select("problem_id", "n").collect().iter_rows())


def _counts(counts: dict[int, int]) -> pl.DataFrame:
    zeros = ("c", "faults", "tests_passed", "tests_total", "truncated", "chars", "chars_correct")
    names = ("policy", "policy_revision", "sampler", "verifier_version")
    rows = [
        {"problem_id": str(problem), "n": n, **dict.fromkeys(zeros, 0), **dict.fromkeys(names, "x")}
        for problem, n in counts.items()
    ]
    return pl.DataFrame(rows, schema=pl.Schema(contract("pass_rate").arrow))
