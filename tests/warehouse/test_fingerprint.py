"""Content hashes of tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.records import PROBLEM, ROLLOUT
from tests.tables import problems
from warehouse.fingerprint import content_hash


@given(cut=st.integers(0, 12), order=st.permutations(range(12)))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_content_hash_ignores_order_and_layout(tmp_path: Path, cut: int, order: list[int]) -> None:
    """The same rows in another order, in one file or two, have the same hash."""
    whole, first, second = (tmp_path / name for name in ("whole.parquet", "a.parquet", "b.parquet"))
    problems(range(12)).write_parquet(whole)
    problems(order[:cut]).write_parquet(first)
    problems(order[cut:]).write_parquet(second)

    assert content_hash([whole], PROBLEM) == content_hash([first, second], PROBLEM)


@given(numbers=st.lists(st.integers(0, 3), max_size=4), others=st.lists(st.integers(0, 3), max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_content_hash_tells_multisets_apart(tmp_path: Path, numbers: list[int], others: list[int]) -> None:
    """Equal hashes if and only if the rows are equal, duplicates counted."""
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, rows in zip(paths, (numbers, others), strict=True):
        problems(rows).write_parquet(path)

    same = content_hash(paths[:1], PROBLEM) == content_hash(paths[1:], PROBLEM)

    assert (sorted(numbers) == sorted(others)) == same


def test_content_hash_leaves_volatile_columns_out(tmp_path: Path) -> None:
    """Timings differ from run to run and mean nothing."""
    frame = pl.DataFrame(
        {
            name: [1] if of.is_numeric() else [True] if of == pl.Boolean else ["x"]
            for name, of in pl.Schema(ROLLOUT.arrow).items()
        },
        schema=pl.Schema(ROLLOUT.arrow),
    )
    frame.write_parquet(tmp_path / "a.parquet")
    frame.with_columns(cpu_ms=pl.lit(9.5)).write_parquet(tmp_path / "b.parquet")

    assert content_hash([tmp_path / "a.parquet"], ROLLOUT) == content_hash([tmp_path / "b.parquet"], ROLLOUT)
