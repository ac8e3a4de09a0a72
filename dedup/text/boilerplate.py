"""Shingles that so many documents hold that they say nothing about any of them."""

from __future__ import annotations

import numpy as np

from dedup.text.counts import common, occurrences
from dedup.text.published import Published
from dedup.text.store import SetStore
from schemas.recipe.dedup import Dedup

__all__ = ["boilerplate"]


def boilerplate(shingles: SetStore, compared: np.ndarray, config: Dedup, published: Published | None) -> np.ndarray:
    """Return the shingles that too many documents hold, published ones and those ``compared`` together, ascending."""
    documents = len(compared) + (published.compared if published else 0)
    if config.common_share is None:
        return np.zeros(0, np.uint64)
    limit = max(config.common_least, int(config.common_share * documents))
    if limit >= documents:
        return np.zeros(0, np.uint64)
    expected = int(shingles.sizes[compared].sum())
    if published is None:
        return common(lambda: map(shingles.read, shingles.batches(compared)), expected, limit)[0]
    # what both hold more than `limit` times together, one of them holds more than half as often
    half = limit // 2
    new, times = common(lambda: map(shingles.read, shingles.batches(compared)), expected, half)
    old, counts = published.common(half)
    times = times + published.frequency(new)
    counts = counts + occurrences(map(shingles.read, shingles.batches(compared)), old)
    return np.union1d(new[times > limit], old[counts > limit])
