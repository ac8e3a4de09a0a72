"""How much full-resolution data is enough: as much as leaves the policy as it was with less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from privacy.minimize.learn.baselines.simple import positions
from privacy.minimize.learn.binning import bin_sample
from privacy.minimize.learn.columns import Coding, Named
from privacy.minimize.learn.distinct import checksum, row_hashes
from privacy.minimize.learn.fit import fitted, generalize, passed_types
from privacy.minimize.learn.generalize import Buckets, Generalization
from privacy.minimize.learn.release import to_policy
from privacy.minimize.learn.sample import Sample
from privacy.minimize.policy import Policy
from schemas.minimize import SampleSize

__all__ = ["Enough", "Step", "enough", "similarity"]

_GRID = 1_000


@dataclass(frozen=True)
class Step:
    """One share of the sample.

    Parameters
    ----------
    similarity
        Likeness of its policy to that of the share before, in [0, 1]; None for the first.
    """

    share: float
    rows: int
    similarity: float | None


@dataclass(frozen=True)
class Enough:
    """How the policy settled as the sample grew.

    Parameters
    ----------
    steps
        The shares tried, up to the first whose policy was like that of the share before.
    settled
        False if the policy still changed at the last share.
    policy
        The policy of the last share tried; the steps stand among its settings.
    """

    steps: tuple[Step, ...]
    settled: bool
    policy: Policy


def enough(frame: pl.DataFrame | pl.LazyFrame, config: SampleSize) -> Enough:
    """Grow the sample until the policy stays as it is.

    Rows (clients) are drawn by their content, and every share contains the one before.

    Raises
    ------
    UsageError
        If the configuration names columns that are not there.
    InputError
        If the sample cannot be learned from.
    """
    types = passed_types(frame.lazy(), config.fit, (config.fit.release,))
    binning, sample = bin_sample(frame, config.fit)
    steps: list[Step] = []
    part, found = sample, None
    for share, part in _shares(sample, config):
        before, found = found, generalize(binning, part)
        steps.append(Step(share, part.rows, None if before is None else similarity(before, found)))
        if _settled(steps, config):
            break
    assert found is not None  # there are at least two shares
    told = [{"share": step.share, "rows": step.rows, "similarity": _rounded(step.similarity)} for step in steps]
    held = replace(binning, clients=None if part.clients is None else len(np.unique(part.clients)))
    policy = to_policy(binning, found, fitted(held, part.rows, checksum(part), sample_size=told), types)
    return Enough(tuple(steps), _settled(steps, config), policy)


def similarity(one: Generalization, other: Generalization) -> float:
    """Return how alike two generalizations of one table are, in [0, 1].

    For each value the set of values in its bucket is compared, by the Jaccard similarity of the two sets; its mean
    over the values of a column (of an ordered one, over a grid of 1000 points), then over the columns.
    """
    columns = zip(one.layout.codings, one.buckets, other.buckets, strict=True)
    return float(np.mean([_alike(*(buckets[_places(coding)] for buckets in pair)) for coding, *pair in columns]))


def _alike(one: Buckets, other: Buckets) -> float:
    sizes = one.max() + 1, other.max() + 1
    both = np.bincount(one * sizes[1] + other, minlength=sizes[0] * sizes[1]).reshape(sizes)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    return float((both * both / np.maximum(either, 1)).sum() / len(one))


def _places(coding: Coding) -> npt.NDArray[np.intp]:
    """Return the bins of the values at which generalizations are compared."""
    if isinstance(coding, Named) or coding.bins == coding.missing:
        return np.arange(coding.bins)
    grid = np.searchsorted(positions(coding), np.linspace(0, 1, _GRID), side="left")
    return np.append(grid, coding.bins - 1) if coding.missing else grid


def _shares(sample: Sample, config: SampleSize) -> Iterator[tuple[float, Sample]]:
    seed = config.fit.seed
    rank = row_hashes(sample, seed) if sample.clients is None else _client_hashes(sample.clients, seed)
    for share in config.shares:
        yield share, sample.take(np.flatnonzero(rank <= _cut(rank, share)))


def _cut(rank: npt.NDArray[np.uint64], share: float) -> np.uint64:
    last = max(round(share * len(rank)), 1) - 1
    return np.partition(rank, last)[last]


def _client_hashes(clients: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    draw = np.random.default_rng(seed).permutation(int(clients.max()) + 1)
    return draw[clients].astype(np.uint64)


def _settled(steps: list[Step], config: SampleSize) -> bool:
    last = steps[-1].similarity
    return last is not None and last >= 1 - config.eps


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
