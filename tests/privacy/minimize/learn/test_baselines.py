"""The baselines of the paper: what each is by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from privacy.minimize.learn.baselines import adversarial, feature_selection, iterative, mutual_information, uniform
from privacy.minimize.learn.baselines.iterative import grouped
from privacy.minimize.learn.binning import bin_sample
from schemas.minimize import Fit
from tests.privacy.minimize.learn.tables import planted

PLAIN = Fit(targets=("y",), personal=("sex", "colour"))


@pytest.fixture(scope="module")
def sample():
    """A planted table, coded."""
    return bin_sample(planted(1_200), PLAIN)


def test_uniform_cuts_equal_widths(sample):
    """Ages 18 to 79 in four equal widths end at 33, 48 and 64; names fall anywhere, the same with the same seed."""
    binning, _ = sample
    found = uniform(binning, 4, seed=3)
    highs = binning.layout.codings[0].highs.to_list()
    ends = [highs[place] for place in np.flatnonzero(np.diff(found.buckets[0]))]
    assert [33, 48, 63] == ends
    assert all(size <= 4 for size in found.sizes)
    assert [one.tolist() for one in found.buckets] == [one.tolist() for one in uniform(binning, 4, seed=3).buckets]


def test_feature_selection_keeps_what_tells_most(sample):
    """One column is kept at nearly full resolution: the one that tells most of the target."""
    pytest.importorskip("sklearn", reason="needs the extra `privacy`")
    binning, rows = sample
    found = feature_selection(binning, rows, 1)
    kept = [name for name, size in zip(binning.names, found.sizes, strict=True) if size > 1]
    assert ["age"] == kept
    assert found.sizes[0] == binning.layout.codings[0].bins


def test_runs_of_least_variance():
    """Values are divided where they jump."""
    assert [0, 1, 0, 1, 2] == grouped(np.array([0.0, 9.0, 0.1, 8.8, 20.0]), 3).tolist()


def test_iterative_keeps_accuracy(sample):
    """What says nothing of the target is dropped, and what the accuracy needs is kept."""
    pytest.importorskip("sklearn", reason="needs the extra `privacy`")
    binning, rows = sample
    found = iterative(binning, rows.take(np.arange(800)), rows.take(np.arange(800, 1_200)), 0.9)
    sizes = dict(zip(binning.names, found.sizes, strict=True))
    assert (1, 1) == (sizes["colour"], sizes["sex"])
    assert min(sizes["age"], sizes["job"]) > 1


@pytest.mark.parametrize("way", [adversarial, mutual_information])
def test_encoders_are_trained(way, sample):
    """Trained encoders keep ordered columns ordered, stay within the buckets, and keep what the target needs."""
    pytest.importorskip("torch", reason="needs the extra `llm`")
    binning, rows = sample
    found = way(binning, rows, 0.0 if way is adversarial else 0.001, buckets=3, seed=1)
    assert all(1 <= size <= 3 for size in found.sizes)
    assert sorted(found.buckets[0].tolist()) == found.buckets[0].tolist()
    assert min(found.sizes[0], found.sizes[1]) > 1
