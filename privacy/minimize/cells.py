"""Cells of a policy: the tree over buckets whose leaf is all that a `cell` release stores of a record."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.recipe.base import Section

__all__ = ["Node"]


class Node(Section):
    """One question to a record's buckets."""

    column: str
    """Column asked about."""
    buckets: tuple[str, ...]
    """Buckets that go left; every other one goes right."""
    left: Node | str
    """Next question, or the cell."""
    right: Node | str
    """Next question, or the cell."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells, from left to right."""
        return tuple(dict.fromkeys(leaf for leaf, _ in self.paths()))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns asked about, in the order of the questions."""
        return tuple(dict.fromkeys(node.column for node in self.nodes()))

    def nodes(self) -> Iterator[Node]:
        """Yield this node and all below it, left before right."""
        yield self
        for below in (self.left, self.right):
            if isinstance(below, Node):
                yield from below.nodes()

    def paths(self) -> Iterator[tuple[str, tuple[tuple[Node, bool], ...]]]:
        """Yield each leaf with the questions on its way, and whether each was answered to the left."""
        for below, answer in ((self.left, True), (self.right, False)):
            if isinstance(below, Node):
                yield from ((leaf, ((self, answer), *way)) for leaf, way in below.paths())
            else:
                yield below, ((self, answer),)
