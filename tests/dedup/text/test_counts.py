"""Counting hashes in little memory: never too low, and exact where exactness is asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup.text.counts import Counts, common, occurrences

# Values that differ by multiples of 2**20 share a bucket of any table that these few values ask for.
HASHES = st.builds(lambda low, high: low + (high << 20), st.integers(0, 5), st.integers(0, 3))
BATCHES = st.lists(st.lists(HASHES, max_size=12), max_size=8)


def _arrays(batches: list[list[int]]) -> list[np.ndarray]:
    return [np.array(batch, np.uint64) for batch in batches]


@given(batches=BATCHES)
def test_counts_are_never_too_low(batches: list[list[int]]) -> None:
    """Hashes that share a bucket add up; none is undercounted."""
    counts, truth = Counts(10), Counter(value for batch in batches for value in batch)
    for batch in _arrays(batches):
        counts.add(batch)
    assert all(counts.of(np.array([value], np.uint64))[0] >= times for value, times in truth.items())


@given(batches=BATCHES, limit=st.integers(0, 6))
def test_common_hashes_are_exactly_those_above_the_limit(batches: list[list[int]], limit: int) -> None:
    """Sharing a bucket makes no hash common that is not."""
    truth = Counter(value for batch in batches for value in batch)
    expected = sorted((value, times) for value, times in truth.items() if times > limit)
    hashes, times = common(lambda: _arrays(batches), 10, limit)
    assert expected == list(zip(hashes.tolist(), times.tolist(), strict=True))


@given(batches=BATCHES, asked=st.sets(HASHES))
def test_occurrences_are_those_of_the_hashes_asked_for(batches: list[list[int]], asked: set[int]) -> None:
    """Each hash asked for is counted over all batches, those that never occur included."""
    truth = Counter(value for batch in batches for value in batch)
    found = occurrences(_arrays(batches), np.array(sorted(asked), np.uint64))
    assert [truth[value] for value in sorted(asked)] == found.tolist()


def test_counts_stop_at_their_largest_value() -> None:
    """A bucket that is full stays full instead of starting again at zero."""
    counts = Counts(1)
    for _ in range(3):
        counts.add(np.full(40_000, 7, np.uint64))
    assert 65_535 == counts.of(np.array([7], np.uint64))[0]
