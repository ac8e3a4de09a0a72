"""Schemas, samples, evidence and classes, each against its definition."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.lake.fingerprints.entropies import entropy
from dedup.lake.proving.classes import classes
from dedup.lake.proving.evidence import weigh
from dedup.lake.proving.min_max import Pairs
from dedup.lake.proving.paper import schema_edges
from dedup.lake.proving.samples import survival
from dedup.lake.proving.schema_graph import schema_groups
from dedup.lake.proving.suggestions import one_name_apart

_SCHEMAS = st.lists(st.frozensets(st.sampled_from("abcdefghijkl"), min_size=1, max_size=5), max_size=60)


@given(_SCHEMAS)
def test_index_and_clusters_find_all_subsets(schemas: list[frozenset[str]]) -> None:
    """The inverted index and the paper's clusters give just the ordered pairs of a subset and a superset."""
    brute = {(c, p) for c, p in permutations(range(len(schemas)), 2) if schemas[c] <= schemas[p]}

    groups = schema_groups(schemas)
    by_index = {(c, p) for group in groups for c in group.children for p in group.parents if c != p}
    by_clusters, _ = schema_edges(schemas)

    assert brute == by_index
    assert len(brute) == sum(group.edges for group in groups)
    assert brute == set(zip(by_clusters.children.tolist(), by_clusters.parents.tolist(), strict=True))


@given(_SCHEMAS)
def test_schemas_one_name_apart(schemas: list[frozenset[str]]) -> None:
    """All pairs of schemas are found of which the second lacks just one name of the first."""
    brute = {
        (a, b, next(iter(schemas[a] - schemas[b])))
        for a, b in permutations(range(len(schemas)), 2)
        if len(schemas[a]) > 1 and len(schemas[a] - schemas[b]) == 1
    }

    assert brute == set(one_name_apart(schemas))


@pytest.mark.parametrize(
    ("rows", "missing", "sampled", "expected"),
    [(6, 1, 3, 0.5), (100, 1, 10, 0.9), (100, 10, 10, 0.33048), (10**6, 1, 100, 0.9999), (1000, 5, 300, 0.16735)],
)
def test_survival_of_a_sample(rows: int, missing: int, sampled: int, expected: float) -> None:
    """Sampling without replacement misses all missing rows with probability C(n - k, s) / C(n, s)."""
    assert expected == pytest.approx(survival(rows, missing, sampled), abs=5e-6)


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_the_reduction_keeps_what_is_reachable(drawn: set[tuple[int, int]]) -> None:
    """Of a transitively closed relation the reduction and the classes give back every edge, and no edge less does."""
    closed = {(a, b) for a, b in drawn if a != b}
    while more := {(a, d) for a, b in closed for c, d in closed if b == c and a != d} - closed:
        closed |= more
    pairs = np.array(sorted(closed), np.int64).reshape(-1, 2)

    found = classes(Pairs(pairs[:, 0], pairs[:, 1]), 8)

    label = found.first.tolist()
    mutual = {(a, b) for a, b in closed if (b, a) in closed}
    assert mutual == {tuple(edge) for edge, equal in zip(pairs.tolist(), found.equal, strict=True) if equal}
    kept = {(label[a], label[b]) for (a, b), reduced in zip(pairs.tolist(), found.reduced, strict=True) if reduced}
    between = {(label[a], label[b]) for a, b in closed if label[a] != label[b]}
    assert {(a, b) for a, b in between if not any((a, c) in between and (c, b) in between for c in range(8))} == kept


def test_evidence_is_what_chance_does_not_explain() -> None:
    """A single column and a full grid are worth nothing; rows that hang together are worth more the more there are."""
    draw = np.random.default_rng(1)
    single = draw.integers(0, 2**60, (1, 500)).astype(np.uint64)
    grid = np.array([(a, b) for a in range(20) for b in range(20)], np.uint64).T
    linked = np.stack([np.arange(50), np.arange(50) * 7]).astype(np.uint64)

    scores = [
        weigh(len(cells), cells.shape[1], entropy(cells)).score for cells in (single, grid, linked[:, :5], linked)
    ]

    assert [0.0, 0.0] == pytest.approx(scores[:2], abs=1e-6)
    assert 0 < scores[2] < 0.5 < scores[3] < 1
