"""Rows of a table found in its parent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.retention.recipes.positions import Index, decoded, encoded, positions
from schemas.errors import InputError


def _prints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def _found(child: list[int], parent: list[int]) -> list[int]:
    return positions(_prints(child), Index.of(_prints(parent))).tolist()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.data())
def test_each_row_is_found(parent: list[int], data: st.DataObject) -> None:
    """The rows named are equal to the child's, in its order, however often it repeats them."""
    child = data.draw(st.lists(st.sampled_from(parent), max_size=40))
    found = _found(child, parent)
    assert child == [parent[place] for place in found]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.data())
def test_rows_cut_out_in_order_give_rising_numbers(parent: list[int], data: st.DataObject) -> None:
    """A filter of the parent is found as one, although rows repeat."""
    taken = data.draw(st.lists(st.booleans(), min_size=len(parent), max_size=len(parent)))
    child = [row for row, kept in zip(parent, taken, strict=True) if kept]
    found = _found(child, parent)
    assert sorted(set(found)) == found


def test_a_row_that_the_parent_lacks_is_counted() -> None:
    """What is not contained has no positions."""
    with pytest.raises(InputError, match="2 of 3 rows"):
        _found([1, 5, 6], [1, 2])


@given(st.lists(st.integers(0, 2**40), max_size=50))
def test_coding_round_trips(rows: list[int]) -> None:
    """Row numbers come back as they were, in any order and of any size."""
    assert rows == decoded(encoded(np.array(rows, dtype=np.int64))).tolist()


def test_a_stretch_takes_few_bytes() -> None:
    """A million rows in a row are a few bytes, and every third row no more than a few bits each."""
    assert len(encoded(np.arange(5, 1_000_005))) < 200
    chosen = np.flatnonzero(np.random.default_rng(1).random(1_000_000) < 0.3)
    assert len(encoded(chosen)) < len(chosen) // 2


@pytest.mark.parametrize("harm", [lambda code: code[:-2], lambda code: code[:8] + b"\x09" + code[9:], lambda _: b""])
def test_damage_is_named(harm) -> None:
    """Cut off or altered bytes are an error that says so."""
    with pytest.raises(InputError, match="damaged"):
        decoded(harm(encoded(np.arange(1000) ** 2 % 997)))
