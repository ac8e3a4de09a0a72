"""Estimators agree with published values, exact arithmetic and each other."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import comb

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from curation.measure.estimators import interval, jeffreys, keep_probability, over, pass_at_k, wilson, with_estimates
from schemas.errors import UsageError
from tests.counts import rates
from tests.strategies import counts


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (10, 3, 1, 0.3),
        (10, 3, 5, 0.916667),
        (16, 1, 8, 0.5),
        (64, 2, 8, 0.236111),
        (8, 8, 8, 1.0),
        (100, 0, 100, 0.0),
    ],
)
def test_pass_at_k_known(n, c, k, expected):
    """Known values of pass@k come out."""
    assert expected == pytest.approx(float(pass_at_k(n, c, k)), abs=1e-6)


@given(counts(), st.integers(1, 120))
def test_pass_at_k_exact(counted, k):
    """The product form equals the binomial formula in exact arithmetic, and says nothing beyond n."""
    n, c = counted
    found = float(pass_at_k(n, c, k))
    if k > n:
        assert np.isnan(found)
    else:
        assert float(1 - Fraction(comb(n - c, k), comb(n, k))) == pytest.approx(found, abs=1e-12)


def test_pass_at_k_refuses_zero():
    """pass@0 is no question."""
    with pytest.raises(UsageError, match="k=0"):
        pass_at_k(8, 1, 0)


def test_pass_at_k_stays_finite():
    """A hundred thousand samples neither overflow nor underflow."""
    assert 1.0 == pytest.approx(float(pass_at_k(100_000, 50_000, 1000)))
    assert 0.01 == pytest.approx(float(pass_at_k(100_000, 1, 1000)))


@pytest.mark.parametrize(
    ("n", "c", "low", "high"),
    [
        (8, 0, 0, 0.3244),
        (8, 1, 0.0224, 0.4709),
        (8, 5, 0.3057, 0.8632),
        (8, 8, 0.6756, 1),
        (16, 0, 0, 0.1936),
        (64, 0, 0, 0.0566),
    ],
)
def test_wilson_known(n, c, low, high):
    """Known 95 % Wilson bounds come out."""
    assert (low, high) == pytest.approx(tuple(float(bound) for bound in wilson(n, c)), abs=5e-5)


@given(counts())
def test_jeffreys_is_the_beta_quantile(counted):
    """Jeffreys' bounds are the quantiles of Beta(c + 1/2, n - c + 1/2), save at the ends."""
    n, c = counted
    low, high = (float(bound) for bound in jeffreys(n, c, 0.9))
    assert (0.0 if c == 0 else beta.ppf(0.05, c + 0.5, n - c + 0.5)) == pytest.approx(low, abs=1e-9)
    assert (1.0 if c == n else beta.ppf(0.95, c + 0.5, n - c + 0.5)) == pytest.approx(high, abs=1e-9)


@given(counts(), st.sampled_from(["wilson", "jeffreys"]))
def test_intervals_hold_and_mirror(counted, kind):
    """An interval holds the rate, lies in [0, 1], and mirrors when failures become successes."""
    n, c = counted
    bounds = interval(kind)
    low, high = (float(bound) for bound in bounds(n, c))
    other_low, other_high = (float(bound) for bound in bounds(n, n - c))
    assert 0 <= low <= c / n <= high <= 1
    assert (1 - high, 1 - low) == pytest.approx((other_low, other_high), abs=1e-9)


@pytest.mark.parametrize(
    ("p", "group", "wasted"),
    [
        ((50, 1), 8, 0.8508),
        ((50, 1), 16, 0.7238),
        ((50, 1), 64, 0.2745),
        ((50, 1), 80, 0.1986),
        ((20, 1), 8, 0.6634),
        ((20, 1), 64, 0.0375),
        ((10, 1), 16, 0.1853),
        ((10, 1), 80, 0.0002),
        ((2, 1), 8, 0.0078),
    ],
)
def test_keep_probability_known(p, group, wasted):
    """The share of groups without variance is as published."""
    assert wasted == pytest.approx(1 - float(keep_probability(*p, group)), abs=5e-5)


@given(st.lists(counts(), min_size=1, max_size=20))
def test_expressions_equal_numbers(counted):
    """An estimator as an expression gives what it gives number by number, on either engine."""
    frame = pl.LazyFrame(counted, schema={"n": pl.Int64, "c": pl.Int64}, orient="row")
    query = frame.select(k=over(partial(pass_at_k, k=3), "n", "c"))
    expected = [None if n < 3 else float(pass_at_k(n, c, 3)) for n, c in counted]
    assert expected == query.collect()["k"].to_list() == query.collect(engine="streaming")["k"].to_list()


def test_with_estimates():
    """What follows from counts stands beside them; nothing judged gives null, not a number."""
    table = with_estimates(rates({"a": (8, 2), "b": (0, 0)}), pass_at=(1, 8, 64)).collect()
    first, second = table.rows(named=True)
    assert (0.25, 0.25, 1.0, None) == tuple(
        pytest.approx(first[name]) if first[name] is not None else None
        for name in ("pass_rate", "pass_at_1", "pass_at_8", "pass_at_64")
    )
    assert 1 - 0.25**8 - 0.75**8 == pytest.approx(first["keep_probability"])
    assert [None, None, None, 0.0, 1.0] == [
        second[name] for name in ("pass_rate", "pass_at_1", "keep_probability", "wilson_low", "wilson_high")
    ]
