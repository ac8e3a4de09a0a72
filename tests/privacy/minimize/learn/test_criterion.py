"""The criterion and its splits, as exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from privacy.minimize.learn.criterion import Criterion
from tests.privacy.minimize.learn.worked import TABLE, ranked

F = Fraction
CLERKS = "job [('clerk',), ('driver', 'nurse')]"


@pytest.mark.parametrize(
    ("alpha", "impurity", "expected"),
    [
        (F(0), F(1, 2), [(CLERKS, F(1, 4)), ("hours <= 37.5", F(2, 9))]),
        (F(1, 2), F(1, 4), [("hours <= 37.5", F(1, 9)), (CLERKS, F(3, 32))]),
        (F(7, 10), F(3, 20), [("hours <= 37.5", F(1, 15)), (CLERKS, F(1, 32))]),
        (F(9, 10), F(1, 20), [("hours <= 37.5", F(1, 45)), ("hours <= 47.5", F(1, 100))]),
    ],
)
def test_first_question_is_exact(alpha, impurity, expected):
    """Impurity, best split and runner-up of the worked table are the fractions worked out by hand."""
    found, gains = ranked(alpha)
    assert impurity == found
    assert expected == list(gains.items())[:2]


@pytest.mark.parametrize(
    ("alpha", "impurity", "expected"),
    [
        (F(1, 2), F(97, 384), [("hours <= 37.5", F(119, 1152)), ("hours <= 42.5", F(719, 13440))]),
        (F(7, 10), F(59, 384), [("hours <= 37.5", F(107, 1920)), ("hours <= 42.5", F(1577, 67200))]),
        (F(9, 10), F(7, 128), [("hours <= 37.5", F(47, 5760))]),
    ],
)
def test_two_personal_attributes_are_exact(alpha, impurity, expected):
    """With two personal attributes, too; at 0.9 every other split loses."""
    found, gains = ranked(alpha, personal=("sex", "job"))
    assert impurity == found
    assert expected == list(gains.items())[: len(expected)]
    assert alpha != F(9, 10) or list(gains.values())[1] < 0


@pytest.mark.parametrize(
    ("alpha", "impurity"), [(F(0), F(1, 2)), (F(1, 2), F(1, 8)), (F(7, 10), F(-1, 40)), (F(9, 10), F(-7, 40))]
)
def test_released_code_leaves_out_the_last_value(alpha, impurity):
    """The compatible criterion has the released code's impurities, negative ones among them."""
    assert impurity == ranked(alpha, compat="datamin-0736fd2")[0]


def test_perfect_predictor_without_leakage():
    """A predictor that tells nothing personal is worth I = 3/20, and refused by the released code at I = -1/40."""
    witness = pl.DataFrame({"x": ["1", "1", "2", "2"], "y": [0, 0, 1, 1], "s": ["1", "2", "1", "2"]})
    assert (F(3, 20), {"x [('1',), ('2',)]": F(3, 20)}) == _best(ranked(F(7, 10), witness, personal=("s",)))
    assert F(-1, 40) == ranked(F(7, 10), witness, personal=("s",), compat="datamin-0736fd2")[0]


def _best(found):
    impurity, gains = found
    return impurity, dict(list(gains.items())[:1])


def test_worst_attribute_counts_alone():
    """Leakage by the worst attribute is half less the smallest normalised Gini."""
    counts = np.array([2.0, 2, 4, 0, 2, 2])
    assert [0.25, 0.5] == [
        float(Criterion((2,), (2, 2), alpha=1.0, worst=worst).impurity(counts)) for worst in (False, True)
    ]


def test_weights_of_attributes_shift_the_mean():
    """An attribute of weight 3 counts three times."""
    counts = np.array([2.0, 2, 4, 0, 2, 2])
    assert 0.375 == pytest.approx(float(Criterion((2,), (2, 2), alpha=1.0, weights=(3, 1)).impurity(counts)))


def test_several_classes_and_targets_are_normalised():
    """Three equal classes are as impure as two, and targets are averaged."""
    assert 0.5 == pytest.approx(float(Criterion((3,), (), alpha=0.0).impurity(np.array([1.0, 1, 1]))))
    assert 0.25 == pytest.approx(float(Criterion((2, 3), (), alpha=0.0).impurity(np.array([2.0, 0, 2, 0, 0])) + 0.25))
    assert 0.25 == pytest.approx(float(Criterion((2, 2), (), alpha=0.0).impurity(np.array([2.0, 0, 1, 1]))))


@given(hnp.arrays(np.int64, (2, 7), elements=st.integers(0, 5)), st.fractions(0, 1, max_denominator=20))
def test_floats_agree_with_fractions(counts, alpha):
    """The criterion on floats is the exact one but for rounding."""
    counts[:, :2] += 1
    exact, floating = (Criterion((2,), (2, 3), alpha=alpha, number=number) for number in (F, float))
    assert [float(value) for value in exact.mass(exact.cast(counts))] == pytest.approx(
        floating.mass(floating.cast(counts)).tolist()
    )


def test_table_is_the_worked_one():
    """The worked table has twelve rows and six positive ones."""
    assert (12, 6) == (TABLE.height, TABLE["y"].sum())
