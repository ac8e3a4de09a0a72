"""Orders of names, and borders in raw units."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.minimize.learn.borders import border
from privacy.minimize.learn.candidates import alternate_order


def test_alternating_order_is_the_worked_one():
    """Halves by the personal attribute, each by mean target, interleaved with the upper half first: a, b, c, e, d."""
    order = alternate_order(np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([1.8, 1.2, 1.6, 1.4, 1.0]))
    assert "abced" == "".join("abcde"[place] for place in order)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 9)), min_size=1, max_size=12))
def test_alternating_order_holds_every_name_once(scores):
    """Whatever the ties, the order is a permutation."""
    targets, personal = np.array(scores).T
    assert list(range(len(scores))) == sorted(alternate_order(targets, personal).tolist())


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_borders_of_floats_separate(one, other):
    """A border lies at or above the lower value and below the higher one, infinities among them."""
    low, high = sorted((one, other))
    if low < high:
        assert low <= float(border("float", low, high)) < high


@given(st.integers(), st.integers(min_value=1))
def test_borders_of_integers_are_no_integers_of_records(low, gap):
    """A border between integers is neither of them, however large they are."""
    assert low < Decimal(border("int", low, low + gap)) < low + gap


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        ("int", 27, 28, "27.5"),
        ("int", 5_013, 7_298, "6000"),
        ("float", 0.1, 0.30000000000000004, "0.2"),
        ("float", float("-inf"), 3.0, "0"),
        ("float", 1.0, 1.0000000000000002, "1.0"),
        ("decimal", Decimal("1.25"), Decimal("1.26"), "1.255"),
        ("date", date(2020, 1, 1), date(2020, 1, 2), "2020-01-01"),
        ("date", date(2020, 1, 1), date(2020, 1, 9), "2020-01-05"),
        ("datetime", datetime(2020, 1, 1, 13), datetime(2020, 1, 3, 8), "2020-01-02T00:00:00"),  # noqa: DTZ001
        ("instant", datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 3, tzinfo=UTC), "2020-01-01T01:00:00Z"),
    ],
)
def test_borders_are_short(kind, low, high, expected):
    """As few digits as separate the neighbours; the lower neighbour where nothing lies between."""
    assert expected == border(kind, low, high)
