"""Intervals: Wilson's, and wider where a client brings many rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from privacy.minimize.audit.intervals import effective_size, interval, wilson


@given(st.integers(1, 500), st.data())
def test_wilson_is_that_of_scipy(size: int, data: st.DataObject) -> None:
    """For whole numbers the interval is the one that scipy computes."""
    hits = data.draw(st.integers(0, size))
    low, high = binomtest(hits, size).proportion_ci(0.9, method="wilson")
    assert (low, high) == pytest.approx(wilson(hits / size, size, 0.9), abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), min_size=2, max_size=20))
def test_rows_of_one_client_that_fare_alike_count_once(clients: list[tuple[bool, int]]) -> None:
    """Repeating each client's row equally often leaves the effective size; it is never above the rows."""
    hit = np.array([one for one, _ in clients])
    repeated, names = np.repeat(hit, 3), pl.Series(np.repeat(np.arange(len(hit)), 3))
    assert effective_size(hit) == pytest.approx(effective_size(repeated, clients=names))
    uneven = np.repeat(hit, [times for _, times in clients])
    owners = pl.Series(np.repeat(np.arange(len(hit)), [times for _, times in clients]))
    assert effective_size(uneven, clients=owners) <= len(uneven)


def test_clients_widen_the_interval() -> None:
    """The same hits are less sure when ten rows at a time come from one client."""
    hit = np.repeat(np.arange(40) % 4 == 0, 10)
    alone, clustered = interval(hit), interval(hit, clients=pl.Series(np.repeat(np.arange(40), 10)))
    assert clustered[0] < alone[0] < 0.25 < alone[1] < clustered[1]


def test_the_interval_covers_what_it_promises() -> None:
    """Of 400 draws of clustered hits, the 95 % interval misses the truth in about 20, and not in 100 as by rows."""
    draw, missed, naive = np.random.default_rng(7), 0, 0
    for _ in range(400):
        sizes = draw.integers(1, 12, 60)
        hit = np.concatenate(
            [draw.random(size) < chance for size, chance in zip(sizes, draw.beta(1, 1, 60), strict=True)]
        )
        low, high = interval(hit, clients=pl.Series(np.repeat(np.arange(60), sizes)))
        missed += not low <= 0.5 <= high
        low, high = interval(hit)
        naive += not low <= 0.5 <= high
    assert missed <= 36
    assert naive > 2 * missed
