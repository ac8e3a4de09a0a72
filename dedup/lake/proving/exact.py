"""Exact containment within groups of one schema: samples refute, then every row decides."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dedup.lake.files.storage import Storage
from dedup.lake.files.tables import Table
from dedup.lake.fingerprints.lanes import contained, multiset_contained
from dedup.lake.fingerprints.projections import Projector, Rows
from dedup.lake.fingerprints.store import Store
from dedup.lake.proving.min_max import Pairs
from dedup.lake.proving.samples import SAMPLE_ROWS, Postings, postings
from dedup.lake.proving.schema_graph import Group

__all__ = ["Context", "Solved", "Task", "solve"]

_SLACK = 0.25
"""A pair is a candidate for near-containment from this much less than the asked share of sampled rows on."""
_LEAST = 1 / 16
_MEASURED = 256
"""Parents of a child that are measured at most, those that share most sampled rows first."""


@dataclass(frozen=True, slots=True)
class Context:
    """What solving needs wherever it runs.

    Parameters
    ----------
    memory
        Bytes that fingerprints may take.
    near
        Least share of near-containment; None looks for none.
    """

    storage: Storage
    store: Store
    tables: Sequence[Table]
    memory: int
    semantics: str
    near: float | None


@dataclass(frozen=True, slots=True)
class Task:
    """A group, and the pairs of it that are still open; None if they were too many to write down."""

    group: Group
    pairs: Pairs | None

    @property
    def edges(self) -> int:
        """Number of open pairs."""
        return self.group.edges if self.pairs is None else len(self.pairs)


@dataclass(frozen=True, slots=True)
class Solved:
    """What came of a task.

    Parameters
    ----------
    pairs
        Open pairs of the task.
    candidates
        Pairs that no sample refuted.
    edges
        Pairs that hold.
    multiset
        For each edge whether the parent holds every row at least as often.
    near
        Pairs worth measuring for near-containment.
    sampling, proving
        Wall seconds of both halves.
    """

    columns: tuple[str, ...]
    pairs: int
    candidates: int
    edges: Pairs
    multiset: np.ndarray
    near: Pairs
    sampling: float
    proving: float


def solve(context: Context, tasks: Iterable[Task]) -> Iterator[Solved]:
    """Decide every open pair of every task."""
    projector = Projector(context.storage, context.store, context.tables, context.memory)
    for task in tasks:
        yield _Solver(context, projector, task).solved()
        projector.forget()


class _Solver:
    """Decides the pairs of one group."""

    def __init__(self, context: Context, projector: Projector, task: Task) -> None:
        self.context = context
        self.projector = projector
        self.task = task
        self.columns = task.group.columns

    def rows(self, table: int) -> Rows:
        return self.projector.rows(table, self.columns)

    def solved(self) -> Solved:
        began = time.monotonic()
        candidates, near, share = self._sampled()
        between = time.monotonic()
        edges, multiset = self._proved(candidates)
        spent = between - began, time.monotonic() - between
        near = self._nearest(near, share, edges)
        return Solved(self.columns, self.task.edges, len(candidates), edges, multiset, near, *spent)

    def _sampled(self) -> tuple[Pairs, Pairs, np.ndarray]:
        group, pairs = self.task.group, self.task.pairs
        tables = self.context.tables
        filled = [number for number in self._at_hand(group.children) if tables[number].rows]
        parents = self._at_hand(group.parents)
        vacuous = self._vacuous()
        if not filled or (pairs is not None and not len(pairs) and self.context.near is None):
            return vacuous, _NONE, _NO_SHARE
        self.projector.warm(parents, self.columns)
        heads = [self.rows(number).low.head(SAMPLE_ROWS) for number in filled]
        found = postings(heads, [lambda number=number: self.rows(number).low for number in parents])
        children, holders = np.array(filled), np.array(parents)
        at_child, at_parent = found.candidates()
        passed = Pairs(children[at_child], holders[at_parent])
        passed = passed.take(passed.children != passed.parents)
        if pairs is not None:
            passed = passed.take(np.isin(_packed(passed), _packed(pairs)))
        near, share = self._near(found, children, holders)
        return _joined(vacuous, passed), near, share

    def _at_hand(self, numbers: Sequence[int]) -> list[int]:
        """Return the tables that some open pair needs, and those whose fingerprints cost no reading."""
        if self.task.pairs is None:
            return list(numbers)
        needed = set(np.union1d(self.task.pairs.children, self.task.pairs.parents).tolist())
        spare = self.context.near is not None
        return [number for number in numbers if number in needed or (spare and self.projector.has_cells(number))]

    def _vacuous(self) -> Pairs:
        """Return the pairs of children without rows: they are contained in whatever has their columns."""
        group = self.task.group
        empty = [number for number in group.children if not self.context.tables[number].rows]
        children = np.repeat(np.array(empty, np.int64), len(group.parents))
        pairs = Pairs(children, np.tile(np.array(group.parents, np.int64), len(empty)))
        return pairs.take(pairs.children != pairs.parents)

    def _near(self, found: Postings, children: np.ndarray, parents: np.ndarray) -> tuple[Pairs, np.ndarray]:
        """Return the pairs that share many sampled rows, and the share of them."""
        if self.context.near is None:
            return _NONE, _NO_SHARE
        at_child, at_parent, share = found.shared(max(self.context.near - _SLACK, _LEAST))
        pairs = Pairs(children[at_child], parents[at_parent])
        other = pairs.children != pairs.parents
        return pairs.take(other), share[other]

    def _nearest(self, pairs: Pairs, share: np.ndarray, edges: Pairs) -> Pairs:
        """Return which pairs are to be measured: no edge, and of each child those that share most."""
        left = ~np.isin(_packed(pairs), _packed(edges))
        pairs, share = pairs.take(left), share[left]
        order = np.lexsort((pairs.parents, -share, pairs.children))
        ordered = pairs.children[order]
        place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
        return pairs.take(order[place < _MEASURED])

    def _proved(self, candidates: Pairs) -> tuple[Pairs, np.ndarray]:
        order = np.lexsort((candidates.children, candidates.parents))
        kept, multiset = [], []
        for place in order.tolist():
            child, parent = self.rows(int(candidates.children[place])), self.rows(int(candidates.parents[place]))
            if not (contained(child.low, parent.low) and contained(child.high, parent.high)):
                continue
            often = not child.low.repeats or (
                multiset_contained(child.low, parent.low) and multiset_contained(child.high, parent.high)
            )
            if often or self.context.semantics == "set":
                kept.append(place)
                multiset.append(often)
        return candidates.take(np.array(kept, np.int64)), np.array(multiset, bool)


_NONE = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
_NO_SHARE = np.zeros(0)


def _packed(pairs: Pairs) -> np.ndarray:
    return pairs.children.astype(np.int64) << 32 | pairs.parents.astype(np.int64)


def _joined(*parts: Pairs) -> Pairs:
    return Pairs(np.concatenate([part.children for part in parts]), np.concatenate([part.parents for part in parts]))
