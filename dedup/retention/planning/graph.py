"""The graph that retention is decided on: what keeping each table costs, and rebuilding it from each possible parent.

The problem is OPT-RET of R2D2 (Shah et al., SIGMOD 2024, doi:10.1145/3626762): every table is kept, or rebuilt from
one that is kept, at the least total cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["Graph", "Retained", "components", "useful"]


@dataclass(frozen=True)
class Graph:
    """Costs of a retention problem.

    Parameters
    ----------
    keep
        Cost of keeping each table.
    rebuild
        Cost of deleting the second table of a pair and rebuilding it from the first: ``{(parent, child): cost}``.
        Pairs whose rebuild takes longer than anybody can wait are left out by whoever makes the graph.
    """

    keep: Mapping[str, float]
    rebuild: Mapping[tuple[str, str], float]

    def cost(self, parents: Mapping[str, str]) -> float:
        """Return what it costs to rebuild the tables of ``parents`` from their parents and keep all others."""
        kept = [cost for name, cost in self.keep.items() if name not in parents]
        return math.fsum([*kept, *(self.rebuild[parent, child] for child, parent in parents.items())])


@dataclass(frozen=True)
class Retained:
    """An answer to a retention problem.

    Parameters
    ----------
    parents
        Deleted tables, and the kept table that each is rebuilt from.
    cost
        What that costs.
    bound
        No answer costs less than this; equal to `cost`, up to rounding, where the answer is the best there is.
    """

    parents: Mapping[str, str]
    cost: float
    bound: float


def useful(graph: Graph) -> Graph:
    """Return the graph without rebuilds that cost as much as keeping, which no best answer needs."""
    cheaper = {pair: cost for pair, cost in graph.rebuild.items() if cost < graph.keep[pair[1]]}
    return Graph(graph.keep, cheaper)


def components(graph: Graph) -> Iterator[Graph]:
    """Yield the weakly connected parts of a graph that have an edge, each with its names in order.

    Tables without an edge are kept by every answer.
    """
    names = sorted({name for pair in graph.rebuild for name in pair})
    if not names:
        return
    place = {name: number for number, name in enumerate(names)}
    pairs = sorted(graph.rebuild)
    rows, columns = np.array([(place[parent], place[child]) for parent, child in pairs]).T
    matrix = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(names), len(names)))
    count, label = connected_components(matrix, directed=False)
    keep: list[dict[str, float]] = [{} for _ in range(count)]
    rebuild: list[dict[tuple[str, str], float]] = [{} for _ in range(count)]
    for name, part in zip(names, label, strict=True):
        keep[part][name] = graph.keep[name]
    for pair, part in zip(pairs, label[rows], strict=True):
        rebuild[part][pair] = graph.rebuild[pair]
    yield from map(Graph, keep, rebuild)
