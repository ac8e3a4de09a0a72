"""All pairs and greedy removals over sets, held against brute force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.text import join, near, similarity
from dedup.text.near import removals, similar_pairs
from dedup.text.store import SetStore
from tests.dedup.text import brute
from warehouse.engines import LocalEngine
from warehouse.progress import Silent

SETS = st.lists(st.sets(st.integers(0, 25) | st.sampled_from([2**63 - 1, 2**40]), max_size=20), max_size=25)
THRESHOLDS = st.sampled_from([0.1, 0.3, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.9, 1.0])


def _store(sets: list[set[int]], folder: Path = Path("/tmp")) -> SetStore:
    store = SetStore(folder)
    flat = [value for one in sets for value in sorted(one)]
    store.append(np.array([len(one) for one in sets], np.int64), np.array(flat, np.uint64))
    store.seal()
    return store


def _rows(pairs: similarity.Pairs) -> list[tuple[int, int, float]]:
    return sorted(zip(pairs.later.tolist(), pairs.earlier.tolist(), pairs.similarity.tolist(), strict=True))


def _true_pairs(sets: list[set[int]], threshold: float) -> Iterator[tuple[int, int, float]]:
    for later in range(len(sets)):
        for earlier in range(later):
            if (similar := brute.jaccard(sets[later], sets[earlier])) >= threshold:
                yield later, earlier, similar


@pytest.fixture(params=[(4096, 2_000_000, 4_000_000), (3, 5, 7)], ids=["whole", "in pieces"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, matches, block = request.param
    monkeypatch.setattr(near, "_AT_ONCE", batch)
    monkeypatch.setattr(near, "_MATCHES_AT_ONCE", matches)
    monkeypatch.setattr(join, "_MATCHES_AT_ONCE", matches)
    monkeypatch.setattr(similarity, "_VALUES_IN_BLOCK", block)


@pytest.mark.usefixtures("_pieces")
class TestAgainstBruteForce:
    """The same truth whatever the batch, chunk and block sizes."""

    @given(sets=SETS, threshold=THRESHOLDS)
    @settings(max_examples=150)
    def test_similar_pairs_are_all_pairs_that_reach_the_threshold(self, sets: list[set[int]], threshold: float) -> None:
        """No pair is missed, none is invented, and the similarity is exact."""
        found = similar_pairs(_store(sets), threshold, LocalEngine())
        assert sorted(_true_pairs(sets, threshold)) == _rows(found)

    @given(sets=SETS, threshold=THRESHOLDS)
    @settings(max_examples=150)
    def test_removals_are_the_greedy_ones(self, sets: list[set[int]], threshold: float) -> None:
        """Each document goes exactly if an earlier kept one reaches the threshold; the first such is its witness."""
        truth: dict[int, tuple[int, float]] = {}
        for later, earlier, similar in _true_pairs(sets, threshold):
            if later not in truth and earlier not in truth:
                truth[later] = (earlier, similar)
        found = removals(_store(sets), threshold, LocalEngine(), Silent())
        assert sorted((later, *rest) for later, rest in truth.items()) == _rows(found)


def test_a_chain_keeps_its_far_end() -> None:
    """A-B and B-C at 0.75, A-C at 0.5: B goes, A and C stay."""
    a, b, c = {1, 2, 3, 4, 5, 6, 7}, {2, 3, 4, 5, 6, 7, 8}, {3, 4, 5, 6, 7, 8, 9}
    assert [(1, 0, 0.75)] == _rows(removals(_store([a, b, c]), 0.7, LocalEngine(), Silent()))


@pytest.mark.parametrize(("shingles", "replaced"), [(100, 6), (50, 1), (30, 4)])
def test_replacing_consecutive_words_gives_the_known_similarity(shingles: int, replaced: int) -> None:
    """L consecutive inner words of n 5-gram shingles replaced leave (n - L - 4) / (n + L + 4)."""
    words = [f"w{i}" for i in range(shingles + 4)]
    changed = [*words[:10], *(f"new{i}" for i in range(replaced)), *words[10 + replaced :]]
    grams = [{hash(tuple(text[i : i + 5])) >> 1 & (2**62 - 1) for i in range(shingles)} for text in (words, changed)]
    expected = (shingles - replaced - 4) / (shingles + replaced + 4)
    assert [(1, 0, expected)] == _rows(similar_pairs(_store(grams), 0.3, LocalEngine()))


def test_a_large_cluster_has_one_survivor() -> None:
    """Five thousand near-copies of one document name one witness, without comparing all pairs of them."""
    sets = [set(range(60)) - {number % 60} for number in range(5000)]
    found = removals(_store(sets), 0.9, LocalEngine(), Silent())
    assert (4999, {0}) == (len(found.later), set(found.earlier.tolist()))
