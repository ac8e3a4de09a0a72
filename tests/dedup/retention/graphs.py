"""Random retention problems, and their answer by trying everything."""

from __future__ import annotations

from itertools import product

from hypothesis import strategies as st

from dedup.retention.planning.graph import Graph

costs = st.integers(0, 60)


@st.composite
def graphs(draw: st.DrawFn, most: int = 7) -> Graph:
    """Any graph, cycles included."""
    names = [f"t{number}" for number in range(draw(st.integers(1, most)))]
    pairs = [(a, b) for a, b in product(names, names) if a != b]
    rebuild = draw(st.dictionaries(st.sampled_from(pairs), costs, max_size=16)) if pairs else {}
    return Graph({name: draw(costs) for name in names}, rebuild)


@st.composite
def trees(draw: st.DrawFn, *, most: int = 12, lines: bool = False) -> Graph:
    """A rooted tree, or a line, whose names say nothing of the order."""
    count = draw(st.integers(2, most))
    names = draw(st.permutations([f"t{number}" for number in range(count)]))
    above = [number - 1 if lines else draw(st.integers(0, number - 1)) for number in range(1, count)]
    rebuild = {(names[parent], names[child]): draw(costs) for child, parent in enumerate(above, start=1)}
    return Graph({name: draw(costs) for name in names}, rebuild)


def cheapest(graph: Graph) -> float:
    """Return the least cost over all subsets of kept tables."""
    best = float("inf")
    for kept in product((True, False), repeat=len(graph.keep)):
        there = {name for name, stays in zip(graph.keep, kept, strict=True) if stays}
        total = 0.0
        for name in graph.keep:
            options = [cost for (p, c), cost in graph.rebuild.items() if c == name and p in there]
            total += graph.keep[name] if name in there else min(options, default=float("inf"))
        best = min(best, total)
    return best
