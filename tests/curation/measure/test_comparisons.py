"""Checkpoints and policies held against each other."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.measure.comparisons import compare, inversions, trend
from schemas.recipe.measures import Measure
from tests.counts import rates
from tests.strategies import counts

OLD, NEW = Measure(policy_revision="1"), Measure(policy_revision="2")


def both(before: dict, after: dict) -> pl.LazyFrame:
    """Counts of two revisions."""
    return pl.concat([rates(before), rates(after, policy_revision="2")])


def test_compare_known():
    """Newcombe's worked example: 56/70 against 48/80 differ by 0.2 with bounds 0.0524 and 0.3339."""
    row = compare(both({"a": (80, 48)}, {"a": (70, 56)}), OLD, NEW).collect().row(0, named=True)
    assert (0.2, 0.0524, 0.3339) == pytest.approx((row["delta"], row["delta_low"], row["delta_high"]), abs=1e-4)
    assert "up" == row["change"]


def test_compare_tells_noise_from_change():
    """On eight answers a step of one is noise; a fall from all to none is not."""
    found = compare(both({"a": (8, 4), "b": (8, 8)}, {"a": (8, 5), "b": (8, 0)}), OLD, NEW).collect()
    assert [("a", "same"), ("b", "down")] == found.select("problem_id", "change").rows()


def test_compare_only_like_with_like():
    """Counts of another verifier version, or without an answer judged, are not compared."""
    table = pl.concat(
        [rates({"a": (8, 4), "b": (0, 0)}), rates({"a": (8, 5)}, policy_revision="2", verifier_version="2")],
    )
    assert 0 == compare(table, OLD, NEW).collect().height


@given(counts(), counts(), st.sampled_from(["wilson", "jeffreys"]))
def test_compare_mirrors(one, other, kind):
    """Swapping the checkpoints turns the difference and its bounds round."""
    there = compare(both({"a": one}, {"a": other}), OLD, NEW, kind=kind).collect().row(0, named=True)
    back = compare(both({"a": one}, {"a": other}), NEW, OLD, kind=kind).collect().row(0, named=True)
    assert there["delta_low"] <= there["delta"] <= there["delta_high"]
    assert (there["delta_low"], there["delta_high"]) == pytest.approx((-back["delta_high"], -back["delta_low"]))


def strong_and_weak() -> pl.LazyFrame:
    """Counts of a weak and a strong policy; on the last problem the strong one fails."""
    easy = {f"p{i}": i for i in range(5)}
    weak = rates({**dict.fromkeys(easy, (16, 8)), "odd": (16, 15)}, policy="weak")
    strong = rates({**dict.fromkeys(easy, (16, 16)), "odd": (16, 1)}, policy="strong")
    return pl.concat([weak, strong])


def test_inversions_by_overall_rate():
    """The policy that does better overall is the stronger; where it falls behind, the problem is named."""
    found = inversions(strong_and_weak()).collect().rows(named=True)
    assert [("odd", "strong@1", "weak@1")] == [(row["problem_id"], row["stronger"], row["weaker"]) for row in found]
    assert -14 / 16 == pytest.approx(found[0]["delta"])


def test_inversions_by_declared_order():
    """A declared order is believed: turned round, the other problems are the suspects."""
    upside_down = (Measure(policy="strong"), Measure(policy="weak"))
    found = inversions(strong_and_weak(), upside_down).collect()["problem_id"].sort().to_list()
    assert ["p0", "p1", "p2", "p3", "p4"] == found


def test_inversions_need_two():
    """One policy cannot be inverted."""
    assert 0 == inversions(rates({"a": (8, 8)})).collect().height


def test_trend_by_where_it_began():
    """Problems stay in the band where they began, and each band's mean is followed."""
    table = both({"h": (8, 0), "m": (8, 4), "e": (8, 8)}, {"h": (8, 8), "m": (8, 6), "e": (8, 8)})
    expected = [
        (0, "easy", 1, 1.0),
        (0, "hard", 1, 0.0),
        (0, "medium", 1, 0.5),
        (1, "easy", 1, 1.0),
        (1, "hard", 1, 1.0),
        (1, "medium", 1, 0.75),
    ]
    assert expected == trend(table, [OLD, NEW]).collect().rows()
