"""Trees over coded columns, and their optimal prunings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.criterion import Counts
from privacy.minimize.learn.layout import Split

__all__ = ["Node", "Prunings"]

_TIE = 1e-12


@dataclass(eq=False)
class Node:
    """Records that gave the same answers.

    Parameters
    ----------
    counts
        Class counts.
    support
        Size as groups are counted, in the layout's units.
    split
        The next question; None in a leaf.
    cell
        Number of the leaf's cell where leaves share cells; None where each leaf is one.
    """

    counts: Counts
    support: float
    split: Split | None = None
    left: Node | None = None
    right: Node | None = None
    cell: int | None = None

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes below, left first; none below a leaf."""
        return () if self.left is None or self.right is None else (self.left, self.right)

    def nodes(self) -> list[Node]:
        """Return this node and all below, each before what is below it."""
        found, waiting = [], [self]
        while waiting:
            node = waiting.pop()
            found.append(node)
            waiting += reversed(node.children)
        return found

    def leaves(self) -> list[Node]:
        """Return the leaves, from left to right."""
        return [node for node in self.nodes() if not node.children]

    def splits(self) -> Iterator[Split]:
        """Yield every question."""
        return (node.split for node in self.nodes() if node.split is not None)

    def route(self, columns: list[npt.NDArray[np.unsignedinteger]]) -> npt.NDArray[np.intp]:  # type: ignore[type-arg]
        """Return the cell of each row: its leaf's number, counted from the left, where leaves do not share cells.

        Parameters
        ----------
        columns
            Codes of each column, one per row.
        """
        leaf = np.zeros(len(columns[0]), dtype=np.intp)
        number = 0
        waiting = [(self, np.arange(len(leaf)))]
        while waiting:
            node, rows = waiting.pop()
            if node.split is None:
                leaf[rows] = number if node.cell is None else node.cell
                number += 1
                continue
            goes = node.split.left[columns[node.split.column][rows]]
            waiting += [(node.right, rows[~goes]), (node.left, rows[goes])]  # type: ignore[list-item]
        return leaf


class Prunings:
    """The prunings of least cost of a tree, for every number of leaves.

    Solved from the leaves up: the best way to spend k leaves below a node is the best division of k between its
    sides (Bohanec & Bratko 1994, "Trading accuracy for simplicity in decision trees").

    Parameters
    ----------
    root
        The tree.
    cost
        Cost of a node as a leaf; costs add up over leaves.
    most
        Largest number of leaves of interest.
    """

    def __init__(self, root: Node, cost: Callable[[Counts], float], most: int) -> None:
        self._root = root
        self._most = most
        self._costs: dict[Node, npt.NDArray[np.float64]] = {}
        self._shares: dict[Node, npt.NDArray[np.intp]] = {}
        for node in reversed(root.nodes()):
            self._solve(node, float(cost(node.counts)))

    def best(self, leaves: int) -> tuple[float, Node]:
        """Return the least cost with at most ``leaves`` leaves, and the smallest tree that has it."""
        costs = self._costs[self._root][:leaves]
        number = int(np.argmax(costs <= costs.min() + _TIE * max(abs(costs[0]), 1)))
        return float(costs[number]), self._cut(number + 1)

    def _solve(self, node: Node, own: float) -> None:
        if not node.children:
            self._costs[node] = np.array([own])
            return
        left, right = (self._costs[child] for child in node.children)
        size = min(len(left) + len(right), self._most)
        costs, shares = np.full(size, np.inf), np.zeros(size, dtype=np.intp)
        costs[0] = own
        for number, cost in enumerate(left[: size - 1], start=1):
            reach = min(len(right), size - number)
            sums = cost + right[:reach]
            place = slice(number, number + reach)
            better = sums < costs[place]
            costs[place][better], shares[place][better] = sums[better], number
        self._costs[node], self._shares[node] = costs, shares

    def _cut(self, leaves: int) -> Node:
        root = replace(self._root)
        waiting = [(root, self._root, leaves)]
        while waiting:
            copy, node, number = waiting.pop()
            if number == 1:
                copy.split = copy.left = copy.right = None
                continue
            left = int(self._shares[node][number - 1])
            copy.left, copy.right = (replace(child) for child in node.children)
            waiting += [(copy.left, node.left, left), (copy.right, node.right, number - left)]  # type: ignore[list-item]
        return root
