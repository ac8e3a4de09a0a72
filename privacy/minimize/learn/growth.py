"""Best-first growth: the leaf whose split gains most is split next, until the budget or the gains are spent."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from privacy.minimize.learn.candidates import Found
from privacy.minimize.learn.generalize import Generalization, Tally
from privacy.minimize.learn.layout import Layout, Split
from privacy.minimize.learn.sample import Pairs, Rows, Sample
from privacy.minimize.learn.tree import Node

__all__ = ["InMemory", "Part", "Source", "grow"]

_DIGITS = 12
"""Decimals of gains that decide which leaf comes first."""


@dataclass(frozen=True, eq=False)
class Part:
    """The records of a node as a source knows them, and their pair counts."""

    key: Any
    pairs: Pairs


class Source(Protocol):
    """Where pair counts come from."""

    layout: Layout
    ahead: bool
    """True where many questions cost one pass, so that the children of all leaves are asked for together."""

    def root(self) -> Part:
        """Return all records."""

    def split(self, questions: Sequence[tuple[Part, Split]]) -> list[tuple[Part, Part]]:
        """Return the two sides of each part."""

    def tally(self, found: Generalization) -> Tally:
        """Count the combinations of a generalization's buckets."""


class InMemory:
    """Counts a sample in memory: the smaller side is counted, the other is what remains.

    Parameters
    ----------
    sample
        The rows.
    """

    ahead = False

    def __init__(self, sample: Sample) -> None:
        self.layout = sample.layout
        self._sample = sample
        self._root: Part | None = None

    def root(self) -> Part:
        """Return all rows."""
        if self._root is None:
            self._root = Part(np.arange(self._sample.rows, dtype=np.int32), self._sample.pairs())
        return self._root

    def split(self, questions: Sequence[tuple[Part, Split]]) -> list[tuple[Part, Part]]:
        """Return the two sides of each part."""
        return [self._sides(part, split) for part, split in questions]

    def tally(self, found: Generalization) -> Tally:
        """Count the combinations of a generalization's buckets."""
        sample = self._sample
        weights = np.ones(sample.rows) if sample.weights is None else sample.weights.astype(np.float64)
        support = weights if sample.support is None else sample.support
        there = found.cells(sample)
        distinct = np.zeros((there.count, len(found.buckets)), dtype=np.intp)
        for column, (buckets, codes) in enumerate(zip(found.buckets, sample.columns, strict=True)):
            distinct[there.number, column] = buckets[codes]
        personal = [np.zeros((there.count, 0))]
        for number, attribute in enumerate(sample.layout.personal):
            keys = there.number * attribute.size + sample.personal(number)
            counts = np.bincount(keys, weights, there.count * attribute.size)
            personal.append(counts.reshape(there.count, attribute.size))
        return Tally(
            distinct,
            np.bincount(there.number, weights, there.count),
            np.bincount(there.number, support, there.count).astype(np.float64),
            np.hstack(personal),
        )

    def _sides(self, part: Part, split: Split) -> tuple[Part, Part]:
        goes = self._sample.goes_left(part.key, split)
        left, right = part.key[goes], part.key[~goes]
        smaller = self._sample.pairs(min(left, right, key=len))
        sides = (smaller, part.pairs - smaller) if len(left) <= len(right) else (part.pairs - smaller, smaller)
        return Part(left, sides[0]), Part(right, sides[1])


@dataclass(order=True)
class _Leaf:
    """A leaf that can be split, ordered by gain, then by age."""

    rank: float
    age: int
    node: Node = field(compare=False)
    part: Part = field(compare=False)
    split: Split = field(compare=False)
    rows: Rows | None = field(compare=False)


def grow(
    source: Source,
    find: Callable[[Part, Rows | None], Found | None],
    leaves: int,
    scouts: Sample | None = None,
) -> Node:
    """Grow a tree best-first.

    Parameters
    ----------
    find
        Returns the split that a part should have, or None to let it be; it is also told which of the scouts the
        part holds.
    leaves
        Most leaves.
    scouts
        Rows drawn from the sample, sent down the tree for ``find`` to look at.
    """
    growth = _Growth(source, find, scouts)
    return growth.run(leaves)


class _Growth:
    def __init__(
        self,
        source: Source,
        find: Callable[[Part, Rows | None], Found | None],
        scouts: Sample | None,
    ) -> None:
        self._source = source
        self._find = find
        self._scouts = scouts
        self._heap: list[_Leaf] = []
        self._age = 0
        self._sides: dict[Node, tuple[Part, Part]] = {}

    def run(self, leaves: int) -> Node:
        rows = None if self._scouts is None else np.arange(self._scouts.rows, dtype=np.int32)
        root = self._node(self._source.root(), rows)
        for left in range(leaves - 1, 0, -1):
            if not self._heap:
                break
            self._split(heapq.heappop(self._heap), left)
        return root

    def _node(self, part: Part, rows: Rows | None) -> Node:
        totals = self._source.layout.totals(part.pairs)
        node = Node(totals[:-1], float(totals[-1]))
        self._age += 1
        if found := self._find(part, rows):
            rank = -round(float(found.gain), _DIGITS)
            heapq.heappush(self._heap, _Leaf(rank, self._age, node, part, found.split, rows))
        return node

    def _split(self, leaf: _Leaf, budget: int) -> None:
        left, right = self._children(leaf, budget)
        rows_left, rows_right = self._send(leaf)
        leaf.node.split = leaf.split
        leaf.node.left = self._node(left, rows_left)
        leaf.node.right = self._node(right, rows_right)

    def _children(self, leaf: _Leaf, budget: int) -> tuple[Part, Part]:
        if leaf.node not in self._sides:
            asked = [leaf, *heapq.nsmallest(budget - 1, self._heap)] if self._source.ahead else [leaf]
            new = [other for other in asked if other.node not in self._sides]
            sides = self._source.split([(other.part, other.split) for other in new])
            self._sides |= {other.node: pair for other, pair in zip(new, sides, strict=True)}
        return self._sides.pop(leaf.node)

    def _send(self, leaf: _Leaf) -> tuple[npt.NDArray[np.int32] | None, npt.NDArray[np.int32] | None]:
        if self._scouts is None or leaf.rows is None:
            return None, None
        goes = self._scouts.goes_left(leaf.rows, leaf.split)
        return leaf.rows[goes], leaf.rows[~goes]
