"""Pruning by least and greatest values: MMP, made sound.

An edge goes only if a value that the child has, lies beyond anything that the parent can have. Statistics that are
missing, cut short or of another kind of value keep it.

Source: Shah et al. 2024, *R2D2: Reducing Redundancy and Duplication in Data Lakes* (MMP).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dedup.lake.files.tables import Column, Table
from dedup.lake.fingerprints.bounds import Bounds, merged
from dedup.lake.proving.schema_graph import Group

__all__ = ["Pairs", "Statistics", "prune"]

_NONE = -1
Refute = Callable[[str, np.ndarray], None]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Ordered pairs of tables, by their numbers."""

    children: np.ndarray
    parents: np.ndarray

    def __len__(self) -> int:
        return len(self.children)

    def take(self, which: np.ndarray) -> Pairs:
        """Return some of the pairs, by mask or place."""
        return Pairs(self.children[which], self.parents[which])


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a column.

    Parameters
    ----------
    only_nulls
        Every value is null.
    """

    family: str
    bounds: Bounds
    only_nulls: bool


def prune(group: Group, tables: Sequence[Table], known: Statistics, semantics: str) -> tuple[Pairs, Counter[str]]:
    """Return the pairs of a group that its statistics do not refute, and how many each reason refuted.

    Parameters
    ----------
    group
        Tables by number; all its pairs are looked at.
    semantics
        Under ``multiset`` a child with more rows than its parent is refuted too.
    """
    children, parents = np.array(group.children), np.array(group.parents)
    alive = children[:, None] != parents[None, :]
    counts: Counter[str] = Counter()

    def refute(reason: str, found: np.ndarray) -> None:
        hit = int(np.count_nonzero(found & alive))
        if hit:
            counts[reason] += hit
            alive[found] = False

    sizes = np.array([tables[number].rows for number in group.children])[:, None]
    others = np.array([tables[number].rows for number in group.parents])[None, :]
    if semantics == "multiset":
        refute("more_rows", sizes > others)
    refute("empty_parent", (sizes > 0) & (others == 0))
    is_child = np.isin(parents, children)
    for name in group.columns:
        _by_column([known.of(number, name) for number in group.parents], is_child, refute)
    places = np.nonzero(alive)
    return Pairs(children[places[0]], parents[places[1]]), counts


def _by_column(known: list[Told], is_child: np.ndarray, refute: Refute) -> None:
    """Refute pairs by one column; values are compared by their rank among all that are comparable with them."""
    nulls = np.array([-1 if told.bounds.nulls is None else told.bounds.nulls for told in known])
    refute("no_nulls_in_parent", (nulls[is_child] > 0)[:, None] & (nulls == 0)[None, :])
    only_nulls = np.array([told.only_nulls for told in known])
    for family in {told.family for told in known}:
        ours = [told.bounds if told.family == family else Bounds() for told in known]
        values = {value for one in ours for value in (one.low, one.high) if value is not None}
        rank = {value: place for place, value in enumerate(sorted(values))}
        lows = np.array([rank.get(one.low, _NONE) for one in ours])
        highs = np.array([rank.get(one.high, _NONE) for one in ours])
        inner = np.array([one.attained and one.low is not None for one in ours])
        outer = lows != _NONE
        low, high, sure = (side[is_child][:, None] for side in (lows, highs, inner))
        refute("below_minimum", sure & outer & (low < lows))
        refute("above_maximum", sure & outer & (high > highs))
        alike = np.array([told.family == family for told in known])
        refute("only_nulls_in_parent", sure & alike & only_nulls)


class Statistics:
    """What is known of the columns of tables, put together once for each column."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self._told: dict[int, dict[str, Told]] = {}

    def of(self, table: int, column: str) -> Told:
        """Return what is known of one column of a table."""
        if table not in self._told:
            self._told[table] = _known(self._tables[table])
        return self._told[table][column]


def _known(table: Table) -> dict[str, Told]:
    """Return what is known of each column; nothing of those that some part lacks or tells nothing about."""
    parts: dict[str, list[Bounds]] = {column.name: [] for column in table.columns}
    for found in table.prints:
        for column, written in zip(found.columns, found.bounds, strict=False):
            parts[column.name].append(Bounds.read(written))
    told = {}
    for column in table.columns:
        known = parts[column.name]
        complete = len(known) == len(table.prints)
        bounds = Bounds() if not complete else known[0] if len(known) == 1 else merged(known)
        told[column.name] = Told(_order(column), bounds, only_nulls=bounds.nulls == table.rows > 0)
    return told


def _order(column: Column) -> str:
    """Return which values a column's can be put in order with: a decimal may be spelled like a float beside it."""
    return "decimal" if "Decimal" in column.type else column.family
