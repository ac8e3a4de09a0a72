"""What must not matter to a policy does not: names, codes, order, duplicates, units; in every search and release."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.minimize.apply import minimized
from privacy.minimize.learn import fit
from privacy.minimize.policy import Policy
from schemas.minimize import Fit
from tests.privacy.minimize.learn.tables import exclusive_or, mixed_tables

every_mode = pytest.mark.parametrize(
    "mode",
    [Fit(targets=("y",), personal=("sex", "town"), min_samples_leaf=2, max_leaf_nodes=7, search=search, release=release)
     for search in ("best", "greedy") for release in ("attribute", "cell")],
    ids=lambda mode: f"{mode.search} {mode.release}",
)  # fmt: skip
few = settings(max_examples=12)


def told_apart(policy: Policy, table: pl.DataFrame) -> dict[str, list[int]]:
    """Return which rows share what is stored of them, column by column; buckets are numbered as they appear."""
    stored = minimized(policy, table).collect().drop("y", "w", strict=False)
    return {name: stored[name].rank("dense").replace(_first_seen(stored[name])).to_list() for name in stored.columns}


def _first_seen(column: pl.Series) -> dict[int, int]:
    ranks = column.rank("dense").unique(maintain_order=True).to_list()
    return {rank: number for number, rank in enumerate(ranks)}


def renamed(table: pl.DataFrame, column: str, draw: st.DrawFn) -> pl.DataFrame:
    """Return a table with the values of a column named anew, in any order."""
    names = sorted(table[column].drop_nulls().unique())
    new = draw(st.permutations([f"n{number}" for number in range(len(names))]))
    return table.with_columns(pl.col(column).replace_strict(dict(zip(names, new, strict=True))))


@every_mode
@few
@given(data=st.data())
def test_names_of_categories(mode, data):
    """Named anew, the values of a column are told apart as before."""
    table = data.draw(mixed_tables())
    other = renamed(table, "job", data.draw)
    assert told_apart(fit(table, mode), table) == told_apart(fit(other, mode), other)


@every_mode
@few
@given(data=st.data(), column=st.sampled_from(["sex", "town"]))
def test_codes_of_personal_values(mode, data, column):
    """Named anew, the values of a personal attribute, the first one or another, change nothing."""
    table = data.draw(mixed_tables())
    other = renamed(table, column, data.draw)
    assert told_apart(fit(table, mode), table) == told_apart(fit(other, mode), other)


@every_mode
@few
@given(table=mixed_tables(), seed=st.integers(0, 99))
def test_order_of_rows(mode, table, seed):
    """A shuffled table gives the same policy, hash and fingerprint."""
    one, other = fit(table, mode), fit(table.sample(fraction=1, shuffle=True, seed=seed), mode)
    assert (one.digest, one.fit.sample_fingerprint) == (other.digest, other.fit.sample_fingerprint)


@every_mode
@few
@given(table=mixed_tables(), most=st.integers(1, 4))
def test_duplicates_are_weights(mode, table, most):
    """Rows written several times give the policy, and the fingerprint, of rows with weights."""
    weighted = table.with_columns(w=pl.Series([1 + number % most for number in range(table.height)]))
    one = fit(weighted, mode.model_copy(update={"weight": "w"}))
    other = fit(table.select(pl.all().repeat_by(weighted["w"]).explode()), mode)
    assert (one.digest, one.fit.sample_fingerprint) == (other.digest, other.fit.sample_fingerprint)


@every_mode
@few
@given(table=mixed_tables(), factor=st.integers(1, 7), shift=st.integers(-1_000, 1_000))
def test_units(mode, table, factor, shift):
    """In other units, of numbers and of fractions, the same records are told apart."""
    other = table.with_columns(pl.col("age") * factor + shift, pl.col("pay") * (factor / 4) - shift)
    assert told_apart(fit(table, mode), table) == told_apart(fit(other, mode), other)


@pytest.mark.parametrize("release", ["attribute", "cell"])
@settings(max_examples=4)
@given(seed=st.integers(0, 9), names=st.permutations(["p1", "p2", "p3", "q1", "q2", "q3"]), data=st.data())
def test_looking_ahead_sees_no_names(release, seed, names, data):
    """Where an interaction is found by looking ahead, new names, another order and other units find the same."""
    config = Fit(targets=("y",), personal=("sex", "town"), max_leaf_nodes=8, min_samples_leaf=20, release=release)
    table = exclusive_or(1_200, seed)
    other = table.with_columns(pl.col("job").replace_strict(dict(zip(sorted(names), names, strict=True))))
    for column in ("town", "sex", "c0"):
        other = renamed(other, column, data.draw)
    other = other.with_columns(pl.col("age") * 12 - 7)
    one, two = (told_apart(fit(rows, config), rows) for rows in (table, other))
    assert one == two
    assert len(np.unique(np.column_stack(list(one.values())), axis=0)) >= 8
