"""Weights agree with the papers' numbers, and draws follow weights, seeds and nothing else."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.draws import lot, stratified, uniform, weighted
from curation.measure.samplers import SPO_PRIOR, gaussian, kimi, spo, spo_update, spo_value, weight, with_weights
from schemas.recipe.curricula import Weighted
from tests.counts import rates

EIGHT = pl.DataFrame({"n": [8, 8, 8, 8], "c": [0, 2, 4, 8]})
N, C = pl.col("n"), pl.col("c")


def values(expression: pl.Expr) -> list[float]:
    """Evaluate over 0, 2, 4 and 8 right answers of 8."""
    return EIGHT.select(x=expression)["x"].to_list()


def test_spo_prior():
    """First values and prior counts are those of the released code."""
    assert [0.055556, 0.277778, 0.5, 0.944444] == pytest.approx(values(spo_value(N, C)), abs=1e-6)
    row = with_weights(rates({"a": (8, 2)})).collect().row(0, named=True)
    assert (2.22222, 5.77778) == pytest.approx((row["spo_alpha"], row["spo_beta"]), abs=1e-5)


@pytest.mark.parametrize(
    ("drift", "memory"),
    [(0.03, 0.875), (0.0, 0.96), (0.005, 0.943874)],
)
def test_spo_update(drift, memory):
    """Memory fades with the policy's drift, within its bounds, and the mean moves as the average form says."""
    alpha, beta = SPO_PRIOR * 0.277778, SPO_PRIOR * 0.722222
    new = spo_update(alpha, beta, 1, drift)
    assert (memory * alpha + 1, memory * beta) == pytest.approx(new, abs=1e-4)
    value = alpha / (alpha + beta)
    assert value + (1 - value) / (memory * SPO_PRIOR + 1) == pytest.approx(new[0] / sum(new), abs=1e-6)


def test_spo_update_known():
    """The published step: 2.22222 and 5.77778 become 2.944444 and 5.055556 after a right answer at drift 0.03."""
    assert (2.944444, 5.055556) == pytest.approx(spo_update(20 / 9, 52 / 9, 1, 0.03), abs=1e-6)


def test_spo_weights():
    """Weights and probabilities at 0, 2, 4 and 8 of 8 are those of the released code."""
    found = values(spo(N, C))
    assert [0.279061, 0.497903, 0.55, 0.279061] == pytest.approx(found, abs=1e-6)
    shares = [one / sum(found) for one in found]
    assert [0.173759, 0.310022, 0.342460, 0.173759] == pytest.approx(shares, abs=1e-6)


def test_spo_as_published():
    """The paper divides the spread by the effective samples; at exponent 0 both agree."""
    assert values(spo(N, C)) == pytest.approx(values(spo(N, C, published=True, gamma=0)))
    assert [0.05 + 0.5 / 8**0.5] == pytest.approx(values(spo(N, C, published=True))[2:3])


def test_kimi_shares():
    """Pass rates 0, .25, .5 and 1 are drawn with .444, .333, .222 and 0; a cap tames the unsolved."""
    found = values(kimi(N, C))
    assert [0.444444, 0.333333, 0.222222, 0] == pytest.approx([one / sum(found) for one in found], abs=1e-6)
    assert [0.6, 0.6, 0.5, 0] == pytest.approx(values(kimi(N, C, highest=0.6)))


def test_gaussian_bell():
    """The bell is 1 at its centre and falls by exp(-1/2) within one deviation."""
    assert [1.0, 0.60653] == pytest.approx(values(gaussian(N, C, mean=0.25, deviation=0.25))[1:3], abs=1e-5)


@pytest.mark.parametrize("by", ["spo", "spo_paper", "kimi", "gaussian"])
def test_weights_need_counts(by):
    """Nothing judged gives no weight, whatever the rule."""
    table = pl.DataFrame({"n": [0, 8], "c": [0, 4]}).select(w=weight(Weighted(size=1, by=by)))
    assert table["w"][0] is None
    assert table["w"][1] > 0


def people(number: int) -> pl.LazyFrame:
    """Rows to draw from, in four strata of uneven size."""
    ids = [f"p{i:04d}" for i in range(number)]
    strata = ["abcd"[min(i % 7, 3)] for i in range(number)]
    return pl.LazyFrame({"problem_id": ids, "stratum_name": strata, "w": [1.0 + i % 3 for i in range(number)]})


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 5), st.randoms())
def test_stratified_is_even(number, size, seed, random):
    """Strata that still have rows left differ by at most one, and row order changes nothing."""
    table = people(number).collect()
    drawn = stratified(table.lazy(), ["stratum_name"], size, seed).collect()
    assert min(size, number) == drawn.height == drawn["problem_id"].n_unique()
    held = dict(table.group_by("stratum_name").len().rows())
    taken = dict.fromkeys(held, 0) | dict(drawn.group_by("stratum_name").len().rows())
    unfinished = [taken[name] for name in held if taken[name] < held[name]]
    assert all(abs(one - other) <= 1 for one in unfinished for other in unfinished)
    assert max(taken.values()) <= min(unfinished, default=number) + 1
    order = random.sample(range(number), number)
    again = stratified(table[order].lazy(), ["stratum_name"], size, seed).collect()
    assert drawn["problem_id"].to_list() == again["problem_id"].to_list()


def test_stratified_without_strata():
    """No strata is one stratum: a plain draw."""
    assert 5 == stratified(people(9), [], 5, 0).collect().height


def test_weighted_follows_weights():
    """Over many seeds, a weight three times as large is drawn about three times as often; zero never."""
    table = pl.LazyFrame({"problem_id": ["a", "b", "none"], "w": [3.0, 1.0, 0.0]})
    first = [weighted(table, "w", 1, seed).collect()["problem_id"][0] for seed in range(600)]
    assert 0 == first.count("none")
    assert 450 == pytest.approx(first.count("a"), abs=45)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 3), st.randoms())
def test_weighted_ignores_order(number, size, seed, random):
    """A weighted draw has the size asked for, without repetition, from any row order."""
    table = people(number).collect()
    order = random.sample(range(number), number)
    drawn = weighted(table.lazy(), "w", size, seed).collect()["problem_id"].to_list()
    assert min(size, number) == len(set(drawn)) == len(drawn)
    assert drawn == weighted(table[order].lazy(), "w", size, seed).collect()["problem_id"].to_list()


def test_lots_are_stable_and_even():
    """Lots depend on seed, purpose and values; numbers drawn from them fill (0, 1) evenly."""
    table = people(2000)
    one, other, shifted = (
        table.select(x=expression).collect()["x"]
        for expression in (lot(1, "problem_id"), lot(1, "problem_id", purpose="else"), lot(2, "problem_id"))
    )
    assert 6000 == len({*one, *other, *shifted})
    numbers = table.select(x=uniform(1, "problem_id")).collect()["x"]
    assert 0.5 == pytest.approx(numbers.mean(), abs=0.02)
    assert 0 < numbers.min() < numbers.max() < 1
