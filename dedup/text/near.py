"""Near-duplicates: which documents go, and the kept one that each of them repeats.

Documents are taken in order of preference. One that reaches the threshold with a document already kept goes, and the
first such kept document is its witness; any other is kept. So every removed document has a kept witness, no two kept
documents reach the threshold, and a chain of neighbours is not swallowed whole as connected components would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from dedup.text.counts import Counts
from dedup.text.join import Postings, PrefixIndex, Probes, candidates, matches, prefix_lengths, prefixes
from dedup.text.similarity import Pairs, measure
from dedup.text.store import SetStore
from warehouse.engines import Engine
from warehouse.progress import Progress

__all__ = ["removals", "similar_pairs"]

_AT_ONCE = 4096
_MATCHES_AT_ONCE = 500_000
_TWICE = 2
_FLAGS = 1 << 28
_TASK = "compare texts"


def removals(
    store: SetStore,
    threshold: float,
    engine: Engine,
    progress: Progress,
    probes: Probes | None = None,
) -> Pairs:
    """Return the documents to remove (``later``), each with the first kept document that reaches the threshold.

    Parameters
    ----------
    store
        Sets of the documents, numbered in order of preference.
    threshold
        Least Jaccard similarity, in (0, 1].
    probes
        How candidates are found; by default by prefixes, which miss none.
    """
    index = PrefixIndex()
    found = [Pairs.none()]
    progress.start(_TASK, len(np.flatnonzero(store.sizes)), "texts")
    judge = partial(measure, store=store, threshold=threshold, engine=engine)
    for numbers, probe in probes or prefix_probes(store, threshold):
        known = _first(judge(index.candidates(probe, threshold)))
        new = probe.without(known.later)
        among = _among(new, threshold, judge)
        index.add(new.without(among.later))
        found += [known, among]
        progress.advance(_TASK, len(numbers), removed=sum(len(part.later) for part in found))
    progress.finish(_TASK)
    return Pairs.joined(found)


def similar_pairs(store: SetStore, threshold: float, engine: Engine, probes: Probes | None = None) -> Pairs:
    """Return all pairs of documents whose Jaccard similarity is at least ``threshold``."""
    index = PrefixIndex()
    found = [Pairs.none()]
    for _, probe in probes or prefix_probes(store, threshold):
        index.add(probe)
        found.append(measure(index.candidates(probe, threshold), store, threshold, engine))
    return Pairs.joined(found)


def prefix_probes(store: SetStore, threshold: float) -> Probes:
    """Yield batches of documents with the elements of their prefixes that another prefix holds."""
    everyone = np.flatnonzero(store.sizes)
    counts = Counts(int(store.sizes.sum()))
    for numbers in store.batches(everyone):
        counts.add(store.read(numbers))

    def batches() -> Probes:
        for numbers in store.batches(everyone, _AT_ONCE):
            yield numbers, prefixes(numbers, store.sizes[numbers], store.read(numbers), counts, threshold)

    again = Counts(int(prefix_lengths(store.sizes, threshold).sum()), most=_TWICE, size=_FLAGS)
    for _, probe in batches():
        again.add(probe.hashes)
    for numbers, probe in batches():
        yield numbers, probe.take(again.of(probe.hashes) > 1)


def _among(new: Postings, threshold: float, judge: Callable[[Iterable[np.ndarray]], Pairs]) -> Pairs:
    """Return the removals within some documents, halving them where so many are alike that pairs would abound."""
    documents = np.unique(new.documents)
    if len(documents) <= 1 or matches(new, new).sum() <= _MATCHES_AT_ONCE:
        return _greedy(judge(candidates(new, new, threshold)))
    early = new.documents < documents[len(documents) // 2]
    first = _among(new.take(early), threshold, judge)
    late = new.take(~early)
    known = _first(judge(candidates(late, new.take(early).without(first.later), threshold)))
    return Pairs.joined([first, known, _among(late.without(known.later), threshold, judge)])


def _first(pairs: Pairs) -> Pairs:
    """Return each later document's pair with the earliest other."""
    _, where = np.unique(pairs.later, return_index=True)
    return pairs.take(where)


def _greedy(pairs: Pairs) -> Pairs:
    """Return the pairs that remove a document, walking the later ones in order."""
    gone: set[int] = set()
    chosen = []
    rows = zip(pairs.later.tolist(), pairs.earlier.tolist(), strict=True)
    for row, (later, earlier) in enumerate(rows):
        if later not in gone and earlier not in gone:
            gone.add(later)
            chosen.append(row)
    return pairs.take(chosen)
