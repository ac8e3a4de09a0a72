"""Which documents repeat another one, exactly or nearly, among themselves or in what is published."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup.text.boilerplate import boilerplate
from dedup.text.documents import Documents, exact_removals, own_shingles
from dedup.text.minhash import Banding, band_probes
from dedup.text.near import prefix_probes, removals
from dedup.text.own import Own
from dedup.text.published import Published
from dedup.text.similarity import Pairs
from dedup.text.store import SetStore
from schemas.recipe.dedup import Dedup
from warehouse.engines import LocalEngine
from warehouse.stages import Services

__all__ = ["Removals", "find_duplicates", "minhash_banding"]


@dataclass(frozen=True, slots=True)
class Removals:
    """Documents that go, each by number with the kept document that it repeats.

    Parameters
    ----------
    exact, near
        Witnesses among the documents themselves.
    published, near_published
        Witnesses by number in the index of what is published.
    """

    exact: Pairs
    near: Pairs
    published: Pairs
    near_published: Pairs


def find_duplicates(documents: Documents, config: Dedup, services: Services, published: Published | None) -> Removals:
    """Return the removals: what a run over published and new documents together gives, the published put first.

    All published documents are kept. A new one goes if it equals another or reaches the threshold with a kept one;
    its witness is the first of these, published ones before new ones. Boilerplate is counted over all documents,
    once per distinct text.
    """
    known = published.exact(documents) if published else Pairs.none()
    exact = exact_removals(documents)
    exact = exact.take(~np.isin(exact.later, known.later))
    if not config.near:
        return Removals(exact, Pairs.none(), known, Pairs.none())
    long_enough = np.flatnonzero(documents.shingles.sizes >= config.fewest)
    compared = np.setdiff1d(long_enough, np.concatenate((known.later, exact.later)))
    own = Own(boilerplate(documents.shingles, compared, config, published), config.fewest)
    near_published = Pairs.none()
    if published:
        near_published = published.near(documents, compared, own, config.threshold, services)
        compared = np.setdiff1d(compared, near_published.later)
    near = _near(own_shingles(documents, compared, own, services.workspace.root), config, services)
    return Removals(*_followed(exact, near, near_published, known))


def minhash_banding(documents: int, config: Dedup) -> Banding | None:
    """Return how MinHash is to look for candidates among so many documents; None if prefixes do."""
    many = documents > config.exact_up_to
    if config.candidates == "minhash" or (config.candidates == "auto" and many):
        return Banding.reaching(config.minhash_recall, config.threshold)
    return None


def _near(store: SetStore, config: Dedup, services: Services) -> Pairs:
    engine = services.engine or LocalEngine()
    banding = minhash_banding(np.count_nonzero(store.sizes), config)
    if banding is None:
        probes = prefix_probes(store, config.threshold)
    else:
        services.progress.note(
            f"candidates by MinHash, {banding.bands} bands of {banding.rows}: a pair at {config.threshold:g} is found "
            f"with probability {banding.probability(config.threshold):.3f}"
        )
        probes = band_probes(store, banding, engine, services.workspace.root)
    return removals(store, config.threshold, engine, services.progress, probes)


def _followed(exact: Pairs, near: Pairs, near_published: Pairs, known: Pairs) -> tuple[Pairs, Pairs, Pairs, Pairs]:
    """Return all removals, copies of a document that goes as near going with it, to the same witness."""
    followers = []
    for gone in (near, near_published):
        goes = np.isin(exact.earlier, gone.later)
        other = gone.take(np.searchsorted(gone.later, exact.earlier[goes]))
        followers.append(Pairs.joined([gone, Pairs(exact.later[goes], other.earlier, other.similarity)]))
        exact = exact.take(~goes)
    return exact, followers[0], known, followers[1]
