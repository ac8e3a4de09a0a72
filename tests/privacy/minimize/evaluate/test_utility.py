"""Errors of classifiers, and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.minimize.evaluate.utility import Fold, class_shares, classifier_guesses, standard_error

rows = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), st.integers(1, 4)), min_size=1, max_size=20)


@given(rows)
def test_a_weight_is_so_many_rows(drawn):
    """A row of weight n is as sure as n equal rows."""
    differences, weights = np.array(drawn).T
    repeated = np.repeat(differences, weights.astype(int))
    assert standard_error(repeated) == pytest.approx(standard_error(differences, weights))


@given(rows)
def test_rows_of_one_client_are_no_surer_than_one(drawn):
    """Every row said several times by the same client adds nothing; clients of one row are rows."""
    differences = np.array(drawn)[:, 0]
    clients = np.arange(len(differences))
    once = standard_error(differences)
    assert once == pytest.approx(standard_error(differences, clients=clients))
    assert once == pytest.approx(standard_error(np.tile(differences, 3), clients=np.tile(clients, 3)))


def test_a_standard_error_is_the_textbooks():
    """Of 100 paired differences, 20 of them 1 and 10 of them -1: sqrt(0.29 / 100)."""
    differences = np.repeat([1.0, -1.0, 0.0], [20, 10, 70])
    assert standard_error(differences) == pytest.approx(np.sqrt(0.29 / 100))


def test_nothing_released_leaves_the_commonest_class():
    """By weight: one row of weight 5 outvotes three rows."""
    train = Fold({}, np.array([0, 0, 0, 1]), np.array([1, 1, 1, 5]))
    assert [[1, 1]] == [guess.tolist() for guess in classifier_guesses(train, [Fold({}, np.array([0, 1]))])]


def test_one_column_is_counted():
    """Each cell has its commonest class; a new cell that of all."""
    train = Fold({"cell": np.array([0, 0, 1, 1, 1])}, np.array([1, 1, 0, 0, 1]))
    asked = Fold({"cell": np.array([0, 1, 2])}, np.zeros(3, dtype=int))
    assert [1, 0, 1] == classifier_guesses(train, [asked])[0].tolist()


def test_classes_that_the_rows_lack_have_no_share():
    """A single class is certain; others have columns of zeros."""
    shares = class_shares(Fold({"a": np.array([0, 1])}, np.array([1, 1])), 3)
    assert [[0, 1, 0], [0, 1, 0]] == shares.tolist()
