"""OPT-RET: the cheapest set of tables to keep, exactly; with the shapes that need no solver, and greedy to compare.

With ``x_v = 1`` for a kept table and ``y_uv = 1`` for a table v rebuilt from u, the problem of R2D2 (Shah et al.,
SIGMOD 2024) is: minimise ``sum keep_v x_v + sum rebuild_uv y_uv`` where ``x_v + sum_u y_uv = 1`` for each table and
``y_uv <= x_u`` for each edge. It is facility location with forbidden pairs, NP-hard in general.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from dedup.retention.planning.graph import Graph, Retained, components, useful
from schemas.errors import SluiceError

__all__ = ["by_program", "greedy", "line", "optimal", "tree"]

_NODES = 100_000
"""Branch-and-bound nodes after which the best answer found so far stands, with its bound; never the clock."""


def optimal(graph: Graph) -> Retained:
    """Return the cheapest answer, part by part: lines and trees by dynamic programs, the rest by `by_program`.

    Examples
    --------
    >>> optimal(Graph({"a": 10, "b": 10}, {("a", "b"): 1, ("b", "a"): 2})).parents
    {'b': 'a'}
    """
    parents: dict[str, str] = {}
    slack = []
    for part in components(useful(graph)):
        found = _solver(part)(part)
        parents |= found.parents
        slack.append(found.cost - found.bound)
    cost = graph.cost(parents)
    return Retained(parents, cost, cost - math.fsum(slack))


def _solver(part: Graph):  # noqa: ANN202 - one of the three functions below
    """Return what solves a connected part: n tables with n - 1 edges, at most one parent each, are a tree."""
    children = [child for _, child in part.rebuild]
    if len(children) != len(part.keep) - 1 or len(set(children)) != len(children):
        return by_program
    givers = [parent for parent, _ in part.rebuild]
    return line if len(set(givers)) == len(givers) else tree


def line(part: Graph) -> Retained:
    """Solve a line, in which only neighbours can be rebuilt from one another, in linear time (Dyn-Lin)."""
    after = dict(part.rebuild.keys())
    name = next(iter(part.keep.keys() - after.values()))
    kept, gone = (part.keep[name], ()), (math.inf, ())
    while name in after:
        parent, name = name, after[name]
        best = min(kept, gone, key=lambda state: state[0])
        rebuilt = kept[0] + part.rebuild[parent, name], (kept[1], name, parent)
        kept, gone = (best[0] + part.keep[name], best[1]), rebuilt
    chain = min(kept, gone, key=lambda state: state[0])[1]
    parents = {}
    while chain:
        chain, child, parent = chain
        parents[child] = parent
    return _exact(part, parents)


def tree(part: Graph) -> Retained:
    """Solve a tree, in which each table has at most one possible parent, in linear time."""
    children = defaultdict(list)
    for parent, child in part.rebuild:
        children[parent].append(child)
    root = next(iter(part.keep.keys() - {child for _, child in part.rebuild}))
    order = [root]
    for name in order:
        order += children[name]
    parent_of = {child: parent for parent, child in part.rebuild}
    kept: dict[str, float] = {}
    gone: dict[str, float] = {}
    for name in reversed(order):
        kept[name] = part.keep[name] + math.fsum(min(kept[c], gone[c]) for c in children[name])
        rebuild = part.rebuild[parent_of[name], name] if name in parent_of else math.inf
        gone[name] = rebuild + math.fsum(kept[c] for c in children[name])
    parents: dict[str, str] = {}
    for name in order:
        above = parent_of.get(name)
        if above is not None and above not in parents and gone[name] < kept[name]:
            parents[name] = above
    return _exact(part, parents)


def by_program(part: Graph) -> Retained:
    """Solve any graph as a mixed integer program with HiGHS.

    Raises
    ------
    SluiceError
        If the solver gives no answer, which says nothing about the data.
    """
    names, pairs = sorted(part.keep), sorted(part.rebuild)
    place = {name: number for number, name in enumerate(names)}
    tables, edges = len(names), len(pairs)
    costs = np.array([part.keep[name] for name in names] + [part.rebuild[pair] for pair in pairs], dtype=float)
    scale = costs.max() or 1.0
    parent, child = np.array([(place[p], place[c]) for p, c in pairs], dtype=int).reshape(-1, 2).T
    chosen = np.arange(edges) + tables
    ones = np.ones
    once = coo_array(
        (ones(tables + edges), (np.r_[np.arange(tables), child], np.r_[np.arange(tables), chosen])),
        shape=(tables, tables + edges),
    )
    held = coo_array(
        (np.r_[ones(edges), -ones(edges)], (np.tile(np.arange(edges), 2), np.r_[chosen, parent])),
        shape=(edges, tables + edges),
    )
    found = milp(
        costs / scale,
        integrality=ones(tables + edges),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(once, 1, 1), LinearConstraint(held, -np.inf, 0)],
        options={"mip_rel_gap": 0, "node_limit": _NODES},
    )
    if found.x is None:
        raise SluiceError(
            f"the retention of {tables} tables could not be solved: {found.message}",
            hint="please report it with the tables' sizes; nothing was deleted.",
        )
    parents = {pairs[edge][1]: pairs[edge][0] for edge in np.flatnonzero(found.x[tables:] > 0.5)}  # noqa: PLR2004
    cost = part.cost(parents)
    bound = cost if found.status == 0 else min(cost, found.mip_dual_bound * scale)
    return Retained(parents, cost, bound)


def greedy(graph: Graph) -> Retained:
    """Return what deleting for the largest saving first gives; for comparison, it need not be the best."""
    parents: dict[str, str] = {}
    needed: set[str] = set()
    savings = sorted((cost - graph.keep[child], parent, child) for (parent, child), cost in graph.rebuild.items())
    for saving, parent, child in savings:
        if saving < 0 and child not in parents and child not in needed and parent not in parents:
            parents[child] = parent
            needed.add(parent)
    return Retained(parents, graph.cost(parents), -math.inf)


def _exact(part: Graph, parents: dict[str, str]) -> Retained:
    cost = part.cost(parents)
    return Retained(parents, cost, cost)
