"""The containment graph as boxes and arrows: equal tables are one box, and so are tables with the same neighbours.

Layers go from left to right by the longest path from a table that nothing contains; within a layer boxes stand near
their parents (the barycentre heuristic of Sugiyama, Tagawa and Toda, 1981).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import polars as pl

__all__ = ["Arrow", "Box", "Drawing", "drawings"]

WIDTH, HEIGHT, GAP, STEP = 280, 46, 72, 62
MOST_BOXES = 60
"""Boxes of one drawing; what is beyond is counted below it."""
_LONGEST = 34
Arrows = dict[tuple[str, str], bool]


@dataclass(frozen=True, slots=True)
class Box:
    """Tables that stand together.

    Parameters
    ----------
    tables
        Their names, in order.
    equal
        They hold the same rows; otherwise they merely have the same parents and children.
    gone
        How many of them the plan deletes.
    """

    tables: tuple[str, ...]
    equal: bool
    gone: int
    x: int = 0
    y: int = 0

    @property
    def label(self) -> str:
        """The first name without its folder, shortened in the middle."""
        name = self.tables[0].rsplit("/", 1)[-1]
        return name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}…{name[-_LONGEST // 2 + 1 :]}"

    @property
    def told(self) -> str:
        """How many they are and what becomes of them."""
        count = len(self.tables)
        what = "1 table" if count == 1 else f"{count:,} {'equal tables' if self.equal else 'tables like it'}"
        stays, goes = ("stays", "may go") if count == 1 else ("stay", f"{self.gone:,} may go")
        state = goes if self.gone else stays
        return f"{what}, {state}"


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a box to one that it contains.

    Parameters
    ----------
    weak
        Chance may explain it.
    """

    x1: int
    y1: int
    x2: int
    y2: int
    weak: bool


@dataclass(frozen=True)
class Drawing:
    """One connected part of the graph.

    Parameters
    ----------
    tables
        How many tables it has.
    left_out
        How many of them are not drawn.
    """

    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    width: int
    height: int
    tables: int
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Node:
    tables: tuple[str, ...]
    equal: bool


def drawings(edges: pl.DataFrame, gone: Iterable[str]) -> list[Drawing]:
    """Return the parts of a lake's containment graph, those of most tables first.

    Parameters
    ----------
    edges
        As the contract ``containment`` has them.
    gone
        Tables that the plan deletes.
    """
    deleted = set(gone)
    members: dict[str, set[str]] = defaultdict(set)
    for side in ("child", "parent"):
        for table, of in edges.select(side, f"{side}_class").unique().iter_rows():
            members[of].add(table)
    pair = ("parent_class", "child_class")
    links = (
        edges.filter(pl.col(pair[0]) != pl.col(pair[1]))
        .group_by(pair)
        .agg(pl.col("reduced").any(), pl.col("accidental").all())
    )
    arrows = {(parent, child): weak for parent, child, reduced, weak in links.iter_rows() if reduced}
    nodes = {name: _Node(tuple(sorted(tables)), equal=True) for name, tables in members.items()}
    nodes, arrows = _stacked(nodes, arrows)
    parts = [_drawn(part, nodes, arrows, deleted) for part in _parts(nodes, arrows)]
    return sorted(
        parts,
        key=lambda part: (
            all(arrow.weak for arrow in part.arrows) and part.arrows != [],
            -part.tables,
            part.boxes[0].tables[0],
        ),
    )


def _stacked(nodes: Mapping[str, _Node], arrows: Arrows) -> tuple[dict[str, _Node], Arrows]:
    """Put nodes with the same parents and children together, where there are any."""
    above, below = _neighbours(arrows)
    alike: dict[tuple[frozenset[Any], frozenset[Any]], list[str]] = defaultdict(list)
    for name in sorted(nodes):
        parents = frozenset((other, arrows[other, name]) for other in above[name])
        alike[parents, frozenset((other, arrows[name, other]) for other in below[name])].append(name)
    first: dict[str, str] = {}
    found: dict[str, _Node] = {}
    for (parents, children), names in alike.items():
        if not parents and not children:
            found |= {name: nodes[name] for name in names}
            continue
        tables = tuple(sorted(table for name in names for table in nodes[name].tables))
        found[names[0]] = _Node(tables, equal=nodes[names[0]].equal and len(names) == 1)
        first |= dict.fromkeys(names, names[0])
    return found, {(first[parent], first[child]): weak for (parent, child), weak in arrows.items()}


def _neighbours(arrows: Iterable[tuple[str, str]]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    above: dict[str, set[str]] = defaultdict(set)
    below: dict[str, set[str]] = defaultdict(set)
    for parent, child in arrows:
        above[child].add(parent)
        below[parent].add(child)
    return above, below


def _parts(nodes: Mapping[str, _Node], arrows: Arrows) -> Iterable[list[str]]:
    """Yield the names of each connected part."""
    above, below = _neighbours(arrows)
    left = set(nodes)
    for name in sorted(nodes):
        if name not in left:
            continue
        part, waiting = [], [name]
        left.discard(name)
        while waiting:
            part.append(waiting.pop())
            found = (above[part[-1]] | below[part[-1]]) & left
            left -= found
            waiting += sorted(found)
        yield part


def _drawn(part: list[str], nodes: Mapping[str, _Node], arrows: Arrows, gone: set[str]) -> Drawing:
    whole = set(part)
    total = sum(len(nodes[name].tables) for name in part)
    shown = sorted(part, key=lambda name: (-len(nodes[name].tables), name))[:MOST_BOXES]
    kept = set(shown)
    inner = sorted((p, c) for p, c in arrows if p in whole and p in kept and c in kept)
    places = _places(kept, inner)
    boxes = {
        name: Box(node.tables, node.equal, len(gone.intersection(node.tables)), *places[name])
        for name in sorted(kept, key=places.__getitem__)
        if (node := nodes[name])
    }
    lines = [
        Arrow(boxes[p].x + WIDTH, boxes[p].y + HEIGHT // 2, boxes[c].x, boxes[c].y + HEIGHT // 2, arrows[p, c])
        for p, c in inner
    ]
    width = max(box.x for box in boxes.values()) + WIDTH
    height = max(box.y for box in boxes.values()) + HEIGHT
    drawn = sum(len(nodes[name].tables) for name in kept)
    return Drawing(list(boxes.values()), lines, width, height, total, total - drawn)


def _places(names: set[str], arrows: list[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Return the corner of each box: its layer to the right, its turn in the layer downwards."""
    above, _ = _neighbours(arrows)
    layer: dict[str, int] = {}
    for name in TopologicalSorter({name: above[name] for name in sorted(names)}).static_order():
        layer[name] = max((layer[parent] + 1 for parent in above[name]), default=0)
    turn: dict[str, float] = {}
    places = {}
    for depth in range(max(layer.values()) + 1):
        here = [name for name in sorted(names) if layer[name] == depth]
        middle = {name: sum(turn[p] for p in above[name]) / len(above[name]) if above[name] else 0.0 for name in here}
        for number, name in enumerate(sorted(here, key=lambda name: (middle[name], name))):
            turn[name] = number
            places[name] = depth * (WIDTH + GAP), number * STEP
    return places
