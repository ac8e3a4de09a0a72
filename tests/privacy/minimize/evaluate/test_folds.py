"""Folds: the same records whatever their order, and no client on both sides."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.minimize.evaluate.folds import held_back
from schemas.errors import UsageError


@given(
    st.lists(st.tuples(st.integers(0, 3) | st.none(), st.sampled_from("ab")), min_size=4, max_size=30),
    st.integers(0, 9),
)
def test_the_order_of_the_rows_does_not_matter(rows: list, seed: int) -> None:
    """A table and its reverse hold back the same rows, equal ones counted."""
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row")
    there, back = (one.filter(held_back(one, 0.33, seed)) for one in (frame, frame.reverse()))
    assert there.sort("a", "b").rows() == back.sort("a", "b").rows()
    assert round(len(rows) * 0.33) == len(there)


@given(st.lists(st.integers(0, 6) | st.none(), min_size=8, max_size=40), st.integers(0, 9))
def test_a_client_is_on_one_side(clients: list, seed: int) -> None:
    """All rows of a client are attacked or known, missing clients as one."""
    frame = pl.DataFrame({"client": pl.Series(clients, dtype=pl.Int64), "row": range(len(clients))})
    if frame["client"].n_unique() < 3:
        return
    test = held_back(frame, 0.4, seed, "client")
    sides = frame.with_columns(test=pl.Series(test)).group_by("client").agg(pl.col("test").n_unique())
    assert [1] * len(sides) == sides["test"].to_list()


def test_an_empty_side_is_refused() -> None:
    """Two rows cannot give a third away."""
    with pytest.raises(UsageError, match="leaves one side"):
        held_back(pl.DataFrame({"a": [1]}), 0.33, 0)
    assert 1 == int(np.sum(held_back(pl.DataFrame({"a": [1, 2]}), 0.33, 0)))
