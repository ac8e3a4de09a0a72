"""Searches: none costs more than greedy growth, and prunings are the best there are."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.minimize.learn.binning import bin_sample
from privacy.minimize.learn.distinct import collapse
from privacy.minimize.learn.generalize import from_tree
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.search import Search, criterion_of, greedy
from privacy.minimize.learn.tree import Prunings
from schemas.minimize import Fit
from tests.privacy.minimize.learn.tables import client_tables, exclusive_or, planted


def _searched(table: pl.DataFrame, alpha: float, leaves: int, **settings: object):
    config = Fit(targets=("y",), min_samples_leaf=1, alpha=alpha, max_leaf_nodes=leaves, **settings)
    binning, sample = bin_sample(table, config)
    criterion = criterion_of(binning)
    source = InMemory(sample)
    best = Search(source, binning, sample).tree(alpha, leaves)
    return [float(sum(criterion.mass(leaf.counts) for leaf in tree.leaves())) for tree in
            (best, greedy(source, binning, criterion, leaves))], best  # fmt: skip


@settings(max_examples=30)
@given(client_tables(), st.sampled_from([0.0, 0.3, 0.5, 0.8]), st.integers(1, 8))
def test_default_search_is_never_worse_than_greedy(table, alpha, leaves):
    """By the criterion, on any table, within the budget."""
    (best, plain), tree = _searched(table, alpha, leaves)
    assert best <= plain + 1e-9
    assert len(tree.leaves()) <= leaves


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.8])
def test_default_search_beats_greedy_on_interactions(alpha):
    """An exclusive or of three columns costs greedy growth several times as much."""
    (best, plain), _ = _searched(exclusive_or(5_000), alpha, 8, personal=("sex",))
    assert best < plain / 2


@settings(max_examples=30)
@given(client_tables(), st.integers(1, 6))
def test_prunings_are_optimal(table, leaves):
    """No other way of cutting the tree back to the budget costs less."""
    binning, sample = bin_sample(table, Fit(targets=("y",), min_samples_leaf=1, alpha=0.0))
    criterion = criterion_of(binning, 0.3)
    tree = greedy(InMemory(sample), binning, criterion_of(binning, 0.0), 7)
    inner = [node for node in tree.nodes() if node.children]

    def cost(cut: tuple[bool, ...]) -> tuple[int, float]:
        closed = {node for node, shut in zip(inner, cut, strict=True) if shut}
        waiting, found = [tree], []
        while waiting:
            node = waiting.pop()
            if node in closed or not node.children:
                found.append(float(criterion.mass(node.counts)))
            else:
                waiting += node.children
        return len(found), sum(found)

    costs = [total for size, total in map(cost, product([False, True], repeat=len(inner))) if size <= leaves]
    assert min(costs) == pytest.approx(Prunings(tree, criterion.mass, 8).best(leaves)[0])


@settings(max_examples=30)
@given(client_tables())
def test_buckets_answer_every_question(table):
    """The tree over buckets sends every record of the sample where the tree over bins sent it."""
    binning, sample = bin_sample(table, Fit(targets=("y",), min_samples_leaf=1, alpha=0.0))
    tree = greedy(InMemory(sample), binning, criterion_of(binning, 0.0), 8)
    found = from_tree(binning.layout, tree)
    assert found.tree is not None
    assert tree.route(list(sample.columns)).tolist() == found.tree.route(list(sample.columns)).tolist()
    together: dict[tuple[int, ...], set[int]] = {}
    columns = [buckets[codes] for buckets, codes in zip(found.buckets, sample.columns, strict=True)]
    for key, leaf in zip(zip(*map(np.ndarray.tolist, columns), strict=True), tree.route(list(sample.columns)).tolist(),
                         strict=True):  # fmt: skip
        together.setdefault(key, set()).add(leaf)
    assert {1} == {len(leaves) for leaves in together.values()}


def test_collapsed_rows_grow_the_same_tree():
    """Equal rows gathered under a weight give the counts of the rows themselves."""
    _, sample = bin_sample(planted(2_000).select("job", "sex", "y"), Fit(targets=("y",)))
    distinct = collapse(sample)
    assert distinct.rows < 20
    assert (InMemory(sample).root().pairs == InMemory(distinct).root().pairs).all()
