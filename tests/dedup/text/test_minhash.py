"""MinHash as a finder of candidates: the curve it promises, the recall it has, and precision 1 all the same."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text import minhash
from dedup.text.documents import read_documents
from dedup.text.duplicates import find_duplicates, minhash_banding
from dedup.text.minhash import Banding, band_probes
from dedup.text.near import removals, similar_pairs
from dedup.text.store import SetStore
from schemas.recipe.dedup import Dedup
from tests.dedup.text.test_near import _rows, _store
from warehouse.engines import LocalEngine, SparkEngine
from warehouse.progress import Silent
from warehouse.stages import Services


@pytest.mark.parametrize(
    ("bands", "rows", "similarity", "expected"),
    [
        (14, 8, 0.7, 0.565), (14, 8, 0.8, 0.924), (14, 8, 0.85, 0.988), (14, 9, 0.7, 0.438), (14, 9, 0.8, 0.867),
        (16, 8, 0.7, 0.613), (16, 8, 0.8, 0.947), (24, 10, 0.7, 0.497), (24, 10, 0.8, 0.935), (20, 13, 0.7, 0.177),
        (20, 13, 0.8, 0.677), (20, 13, 0.9, 0.997), (20, 5, 0.5, 0.470), (20, 5, 0.7, 0.975), (26, 11, 0.8, 0.903),
    ],
)  # fmt: skip
def test_the_curve_has_the_known_values(bands: int, rows: int, similarity: float, expected: float) -> None:
    """The settings that other tools ship find pairs with the probabilities 1 - (1 - s^r)^b."""
    assert expected == round(Banding(bands, rows).probability(similarity), 3)


@given(recall=st.floats(0.01, 0.999), threshold=st.floats(0.1, 1.0))
def test_a_banding_keeps_its_promise_within_its_budget(recall: float, threshold: float) -> None:
    """The probability at the threshold is the recall asked for, with at most 128 hash functions."""
    chosen = Banding.reaching(recall, threshold)
    assert chosen.bands * chosen.rows <= 128
    assert chosen.probability(threshold) >= recall - 1e-9


def test_a_threshold_too_small_for_the_budget_gets_all_of_it() -> None:
    """Where no banding has the recall, the best one there is is taken."""
    assert Banding(128, 1) == Banding.reaching(0.999, 0.01)


def _pairs_at(shared: int, alone: int, count: int) -> list[set[int]]:
    """Return ``count`` pairs of sets of similarity shared / (shared + 2 alone), one after another."""
    draw, sets = random.Random(5), []
    for _ in range(count):
        core = {draw.getrandbits(62) for _ in range(shared)}
        sets += [core | {draw.getrandbits(62) for _ in range(alone)} for _ in range(2)]
    return sets


@pytest.mark.parametrize(("shared", "alone"), [(30, 10), (40, 5), (20, 10)])
def test_pairs_are_found_as_often_as_the_curve_says(shared: int, alone: int) -> None:
    """Of 1,500 pairs of one similarity, the share found lies within four standard deviations of the curve."""
    similarity = shared / (shared + 2 * alone)
    banding, count = Banding(8, 5), 1_500
    store = _store(_pairs_at(shared, alone, count))
    probes = band_probes(store, banding, LocalEngine(), Path("/tmp"))
    found = similar_pairs(store, similarity - 1e-9, LocalEngine(), probes)
    expected = banding.probability(similarity)
    assert abs(len(found.later) / count - expected) < 4 * (expected * (1 - expected) / count) ** 0.5


SETS = st.lists(st.sets(st.integers(0, 25), max_size=20), max_size=25)


@pytest.mark.parametrize("batch", [4096, 3])
@given(sets=SETS, threshold=st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_what_minhash_finds_is_verified_exactly(batch: int, sets: list[set[int]], threshold: float) -> None:
    """Every pair found is one of the true pairs with its exact similarity: precision is 1."""
    store = _store(sets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minhash, "_AT_ONCE", batch)
        patch.setattr(minhash, "_VALUES_AT_ONCE", batch)
        found = similar_pairs(store, threshold, LocalEngine(), _probes(store, threshold))
        gone = removals(store, threshold, LocalEngine(), Silent(), _probes(store, threshold))
    assert set(_rows(found)) <= set(_rows(similar_pairs(store, threshold, LocalEngine())))
    assert set(gone.earlier.tolist()).isdisjoint(gone.later.tolist())


def _probes(store: SetStore, threshold: float) -> minhash.Probes:
    return band_probes(store, Banding.reaching(0.98, threshold), LocalEngine(), Path("/tmp"))


def test_equal_sets_always_meet() -> None:
    """A pair of similarity 1 is never missed, whatever the banding."""
    sets = [{1, 2, 3, 50, 2**40}, {1, 2, 3, 50, 2**40}]
    store = _store(sets)
    found = similar_pairs(store, 1.0, LocalEngine(), band_probes(store, Banding(1, 128), LocalEngine(), Path("/tmp")))
    assert [(1, 0, 1.0)] == _rows(found)


@pytest.mark.parametrize(
    ("candidates", "documents", "expected"),
    [("exact", 10**9, False), ("minhash", 2, True), ("auto", 10_000_000, False), ("auto", 10_000_001, True)],
)
def test_minhash_is_for_more_documents_than_prefixes_are(candidates: str, documents: int, *, expected: bool) -> None:
    """The setting decides; `auto` is exact up to ten million documents."""
    assert expected == (minhash_banding(documents, Dedup(candidates=candidates)) is not None)


def test_the_same_keys_on_spark(services: Services, spark: SparkEngine) -> None:
    """Removals found by MinHash are the same whichever engine computes the keys."""
    import polars as pl

    draw = random.Random(9)
    texts = [" ".join(f"w{draw.randrange(400)}" for _ in range(40)) for _ in range(150)]
    texts += [f"{text} once more" for text in texts[:50]]
    rows = pl.LazyFrame({"id": list(range(len(texts))), "text": texts})
    config = Dedup(candidates="minhash", keep_numbers=False)
    services.workspace.root.mkdir()
    found = []
    for engine in (LocalEngine(), spark):
        own = Services(services.workspace, engine)
        near = find_duplicates(read_documents(rows, config, own), config, own, None).near
        found.append(_rows(near))
    assert found[0] == found[1]
    assert 50 == len(found[0])
    assert np.allclose([36 / 38] * 50, [similarity for *_, similarity in found[0]])
