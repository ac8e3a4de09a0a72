"""Difficulty labels on one scale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.difficulty import SCALES, label
from schemas.enums import Polarity
from schemas.errors import UsageError


@pytest.mark.parametrize(
    ("scale", "raw", "value"),
    [
        ("failures_16", 16, 1.0),
        ("failures_16", 4, 0.25),
        ("pass_rate", 1.0, 0.0),
        ("pass_rate", "2/8", 0.75),
        ("percent_failed", 75, 0.75),
        ("votes_10", 10, 1.0),
        ("votes_10", -1, None),
        ("level_5", "Level 5", 1.0),
        ("level_5", "Level ?", None),
        ("words", "Meidum", 0.5),
        ("words", "Hard", 1.0),
        ("taco", "VERY_HARD", 1.0),
        ("taco", "UNKNOWN_DIFFICULTY", None),
        ("apps", "introductory", 0.0),
        ("cf_rating", 3500, 1.0),
        ("cf_rating", 0, None),
        ("letters", "C", None),
    ],
)
def test_projects_labels_point_one_way(scale, raw, value):
    """Each project's label becomes 1 for its hardest and null for unknown; the raw label is kept."""
    (made,) = label("difficulty", raw, scale)
    assert (value, str(raw), SCALES[scale].polarity.value) == (made["value"], made["raw"], made["polarity"])


@given(st.sampled_from(sorted(SCALES)), st.floats(-10, 4000) | st.text(max_size=9))
def test_values_stay_in_the_unit_interval(scale, raw):
    """No label of any scale leaves [0, 1], whatever stands in the file."""
    value = label("difficulty", raw, scale)[0]["value"]
    assert value is None or 0 <= value <= 1


@given(st.sampled_from([name for name, scale in SCALES.items() if not scale.words]), st.floats(0, 1), st.floats(0, 1))
def test_polarity_is_what_it_says(scale, one, other):
    """A raw label further up its scale is harder or easier as the polarity says."""
    known = SCALES[scale]
    low, high = (known.low + share * (known.high - known.low) for share in sorted((one, other)))
    values = [known.value(low), known.value(high)]
    if known.polarity is Polarity.UNORDERED:
        assert [None, None] == values
    elif known.polarity is Polarity.HIGHER_IS_HARDER:
        assert sorted(values) == values
    else:
        assert sorted(values, reverse=True) == values


def test_no_label_without_a_value():
    """A null label is no label."""
    assert [] == label("difficulty", None, "words")


def test_unknown_scale_suggests_the_nearest():
    """A misspelt scale is an error with a suggestion."""
    with pytest.raises(UsageError, match="did you mean 'pass_rate'"):
        label("difficulty", 1, "pass_rates")
