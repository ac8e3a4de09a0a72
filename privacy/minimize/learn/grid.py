"""The grid of a sweep: a policy for every exchange rate, budget and form of release, and for every merge."""

from __future__ import annotations

from collections.abc import Iterator

from privacy.minimize.learn.bench import Bench
from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.cells import with_cells
from privacy.minimize.learn.coarsen import Trade, coarsened
from privacy.minimize.learn.distinct import draw
from privacy.minimize.learn.fit import SCOUTS, told_apart
from privacy.minimize.learn.generalize import Generalization, from_tree
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.search import Search, criterion_of
from schemas.minimize import Choice, Sweep

__all__ = ["tried"]


def tried(binning: Binning, bench: Bench, config: Sweep) -> Iterator[tuple[Choice, Generalization]]:
    """Yield every point of the grid, learned from training rows; of points with the same release, the first.

    A person's choice is yielded whatever came before it.
    """
    seen = set()
    for choice, found in _grid(binning, bench, config):
        key = (choice.release, *(codes.tobytes() for codes in found.release(bench.distinct).values()))
        if key not in seen or choice == config.choice:
            seen.add(key)
            yield choice, found


def _grid(binning: Binning, bench: Bench, config: Sweep) -> Iterator[tuple[Choice, Generalization]]:
    distinct = bench.distinct
    source = InMemory(distinct)
    search = Search(source, binning, draw(distinct, SCOUTS, config.fit.seed))
    for alpha in config.alphas:
        for leaves, tree in zip(config.leaves, search.trees(alpha, config.leaves), strict=True):
            found = from_tree(binning.layout, tree, absent_apart=config.fit.compat is not None)
            for release in config.releases:
                choice = Choice(alpha=alpha, leaves=leaves, release=release)
                yield choice, found if release == "cell" else told_apart(found, source, binning)
    for release in config.releases if config.exchanges else ():
        merged = _merged_buckets if release == "attribute" else _merged_leaves
        for alpha in config.merged_alphas:
            for exchange, found in merged(binning, bench, search, config, alpha):
                yield Choice(alpha=alpha, leaves=config.merged_leaves, release=release, exchange=exchange), found


def _merged_buckets(
    binning: Binning, bench: Bench, search: Search, config: Sweep, alpha: float
) -> Iterator[tuple[float, Generalization]]:
    """Yield what merging makes of a large tree's buckets, for each exchange rate.

    Each begins with the tree, so that it does not depend on the other rates. Going on from a lower rate would keep its
    mistakes: where nearly every record has a combination of its own, each column seems spare beside the others.
    """
    least = min(config.fit.min_samples_leaf, config.merged_min_samples_leaf)
    tree = search.with_least(least).tree(alpha, config.merged_leaves)
    found = from_tree(binning.layout, tree)
    floor = binning.at_least(config.fit.smallest_group)
    for exchange in sorted(config.exchanges):
        trade = Trade(criterion_of(binning, alpha), exchange)
        yield exchange, coarsened(found, bench.distinct, bench.shares, trade, floor)


def _merged_leaves(
    binning: Binning, _: Bench, search: Search, config: Sweep, alpha: float
) -> Iterator[tuple[float, Generalization]]:
    """Yield what merging makes of a large tree's leaves, for each exchange rate."""
    tree = search.tree(alpha, config.merged_leaves)
    for exchange in sorted(config.exchanges):
        trade = Trade(criterion_of(binning, alpha), exchange)
        yield exchange, from_tree(binning.layout, with_cells(tree, trade))
