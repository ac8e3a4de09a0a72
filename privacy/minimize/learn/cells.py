"""Leaves that share a cell: what a cell release need not tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.coarsen import Trade
from privacy.minimize.learn.tree import Node

__all__ = ["with_cells"]

_FREE = 1e-9
"""A loss this small is rounding: what can be merged for nothing is merged."""


def with_cells(tree: Node, trade: Trade) -> Node:
    """Return a copy of a tree whose leaves share cells, merged pair by pair, best first, while that saves.

    A question whose answers end in one cell is not asked.
    """
    leaves = tree.leaves()
    home = _merged(np.array([leaf.counts for leaf in leaves]), trade)
    return _without_spare_questions(tree, dict(zip(leaves, home, strict=True)))


def _merged(counts: npt.NDArray[np.float64], trade: Trade) -> list[int]:
    """Return the cell of each leaf, numbered in the order of the leaves."""
    home = np.arange(len(counts))
    counts, costs = counts.copy(), trade.mass(counts)
    worth = np.full((len(counts), len(counts)), -np.inf)
    for one in range(len(counts)):
        later = np.arange(one + 1, len(counts))
        worth[one, later] = costs[one] + costs[later] - trade.mass(counts[one] + counts[later])
    while worth.size and worth.max() > -_FREE:
        one, other = (int(place) for place in np.unravel_index(int(np.argmax(worth)), worth.shape))
        home[home == other] = one
        counts[one] += counts[other]
        costs[one] = trade.mass(counts[one])
        worth[other, :] = worth[:, other] = -np.inf
        alive = np.setdiff1d(np.unique(home), [one])
        saved = costs[one] + costs[alive] - trade.mass(counts[one] + counts[alive])
        worth[np.minimum(one, alive), np.maximum(one, alive)] = saved
    _, first, inverse = np.unique(home, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.reshape(-1)].tolist()


def _without_spare_questions(tree: Node, home: dict[Node, int]) -> Node:
    copies: dict[Node, Node] = {}
    for node in reversed(tree.nodes()):
        left, right = (copies[child] for child in node.children) if node.children else (None, None)
        if left is None or right is None:
            copies[node] = replace(node, cell=home[node])
        elif left.cell is not None and left.cell == right.cell:
            copies[node] = replace(node, split=None, left=None, right=None, cell=left.cell)
        else:
            copies[node] = replace(node, left=left, right=right, cell=None)
    return copies[tree]
