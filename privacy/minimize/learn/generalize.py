"""Generalizations: which bucket stands for each bin of each column, and the tree over them if its leaf is released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from privacy.minimize.evaluate.encoding import Cells, cells
from privacy.minimize.learn.columns import Coding
from privacy.minimize.learn.layout import Layout, Split
from privacy.minimize.learn.sample import Sample
from privacy.minimize.learn.tree import Node

__all__ = ["Buckets", "Generalization", "Tally", "from_tree"]

Buckets = npt.NDArray[np.intp]
"""Bucket of each bin of a column, numbered from 0 without gaps."""

_LEFT, _RIGHT, _OPEN = 1, 2, 0


@dataclass(frozen=True)
class Generalization:
    """What is stored of a record.

    Parameters
    ----------
    buckets
        Buckets of each column.
    tree
        The tree whose leaf is stored instead of the buckets; its questions never divide a bucket.
    """

    layout: Layout
    buckets: tuple[Buckets, ...]
    tree: Node | None = None

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of buckets of each column."""
        return tuple(int(column.max(initial=0)) + 1 for column in self.buckets)

    @property
    def total(self) -> int:
        """Number of buckets of all columns, dropped ones counting one each."""
        return sum(self.sizes)

    def release(self, sample: Sample) -> dict[str, npt.NDArray[np.intp]]:
        """Return what is stored of each row: the bucket per kept column, or the ``cell``."""
        if self.tree is not None:
            return {"cell": self.tree.route(list(sample.columns))}
        return {
            coding.name: buckets[codes]
            for coding, buckets, codes, size in zip(
                self.layout.codings, self.buckets, sample.columns, self.sizes, strict=True
            )
            if size > 1
        }

    @property
    def ends(self) -> list[list[int]]:
        """Bins of each ordered column after which another bucket begins; none of other columns."""
        return [
            np.flatnonzero(np.diff(buckets[: coding.bins - coding.missing])).tolist()
            if coding.kind == "interval"
            else []
            for coding, buckets in zip(self.layout.codings, self.buckets, strict=True)
        ]

    def cells(self, sample: Sample) -> Cells:
        """Return which rows have the same bucket in every column."""
        columns = zip(self.buckets, sample.columns, strict=True)
        return cells([buckets[codes] for buckets, codes in columns], sample.rows)

    def attributes(self) -> Generalization:
        """Return the generalization that stores the buckets themselves."""
        return replace(self, tree=None)


@dataclass(frozen=True)
class Tally:
    """Combinations of buckets that occur, in their order.

    Parameters
    ----------
    buckets
        Bucket of each column, one row per combination.
    weight, support
        What each combination weighs, and counts towards the size of a group.
    personal
        Weight of each value of each personal attribute, side by side, in each combination.
    """

    buckets: npt.NDArray[np.intp]
    weight: npt.NDArray[np.float64]
    support: npt.NDArray[np.float64]
    personal: npt.NDArray[np.float64]


def from_tree(layout: Layout, tree: Node, *, absent_apart: bool = False) -> Generalization:
    """Return the fewest buckets per column that answer every question of a tree.

    Ordered columns are cut where questions cut them. Names share a bucket if no question that was put to both
    answers differently; a question put to records without a name says nothing of it.

    Parameters
    ----------
    absent_apart
        Hold "not there" for a third answer, as the authors' code does, which makes buckets that no question needs.

    Returns
    -------
    Generalization
        With the tree, its questions put to buckets.
    """
    questions: list[list[Split]] = [[] for _ in layout.codings]
    for split in tree.splits():
        questions[split.column].append(split)
    buckets = tuple(
        _named(asked, coding.bins, coding.weights, absent_apart=absent_apart)
        if coding.kind == "map"
        else _ordered(asked, coding.bins, missing=coding.missing, midpoint=absent_apart)
        for coding, asked in zip(layout.codings, questions, strict=True)
    )
    return Generalization(layout, buckets, _rewritten(layout, tree, buckets))


def _named(asked: Sequence[Split], bins: int, weights: Sequence[int], *, absent_apart: bool) -> Buckets:
    answers = _answers(asked, bins)
    if absent_apart:
        return _numbered(np.unique(answers, axis=0, return_inverse=True)[1].reshape(-1))
    home = np.zeros(bins, dtype=np.intp)
    shared: list[npt.NDArray[np.intp]] = []
    for name in sorted(range(bins), key=lambda name: _rank(answers[name], weights[name])):
        place = next((n for n, known in enumerate(shared) if _agree(known, answers[name])), len(shared))
        if place == len(shared):
            shared.append(answers[name])
        shared[place] = np.maximum(shared[place], answers[name])
        home[name] = place
    return _numbered(home)


def _ordered(asked: Sequence[Split], bins: int, *, missing: bool, midpoint: bool) -> Buckets:
    plain = bins - missing
    gaps = [gap for gap in (_gap(split, plain) for split in asked) if gap is not None]
    cuts = sorted({(low + high - 1) // 2 for low, high in gaps}) if midpoint else _stabs(gaps)
    home = np.searchsorted(cuts, np.arange(plain), side="left")
    if missing:
        home = np.append(home, _home_of_missing(asked, home))
    return _numbered(home)


def _gap(split: Split, plain: int) -> tuple[int, int] | None:
    """Return the last bin below and the first bin above a cut; None where only missing values are set apart."""
    low = np.flatnonzero(split.left[:plain] & split.present[:plain])
    high = np.flatnonzero(~split.left[:plain] & split.present[:plain])
    return (int(low[-1]), int(high[0])) if len(low) and len(high) else None


def _stabs(gaps: Sequence[tuple[int, int]]) -> list[int]:
    """Return the fewest cuts, each after a bin, so that every gap holds one; each in the middle of what it may be."""
    cuts: list[int] = []
    low, high = -1, -1
    for start, end in sorted(gaps, key=lambda gap: gap[1]):
        if cuts and start < high:
            low = max(low, start)
            cuts.pop()
        else:
            low, high = start, end
        cuts.append((low + high - 1) // 2)
    return cuts


def _home_of_missing(asked: Sequence[Split], home: npt.NDArray[np.intp]) -> int:
    """Return the bucket whose answers are those of missing values, or a new one."""
    put = [split for split in asked if split.present[-1]]
    apart = int(home.max(initial=-1)) + 1
    wanted = [bool(split.left[-1]) for split in put]
    for bucket in range(apart):
        first = int(np.argmax(home == bucket))
        if [bool(_plain_left(split, len(home))[first]) for split in put] == wanted:
            return bucket
    return apart


def _plain_left(split: Split, plain: int) -> npt.NDArray[np.bool_]:
    """Return whether each ordinary bin of an ordered column goes left, those that were not there included."""
    gap = _gap(split, plain)
    if gap is not None:
        return np.arange(plain) <= gap[0]
    return np.full(plain, bool((split.left & split.present)[:plain].any()))


def _answers(asked: Sequence[Split], bins: int) -> npt.NDArray[np.intp]:
    answers = np.full((bins, len(asked)), _OPEN, dtype=np.intp)
    for number, split in enumerate(asked):
        answers[:, number] = np.where(split.present, np.where(split.left, _LEFT, _RIGHT), _OPEN)
    return answers


def _rank(answers: npt.NDArray[np.intp], weight: int) -> tuple[int, int, tuple[int, ...]]:
    return int((answers == _OPEN).sum()), -weight, tuple(answers.tolist())


def _agree(one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]) -> bool:
    return bool(((one == other) | (one == _OPEN) | (other == _OPEN)).all())


def _numbered(home: npt.NDArray[np.intp]) -> Buckets:
    """Return buckets numbered in the order of their first bin."""
    _, first, inverse = np.unique(home, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.reshape(-1)]


def _rewritten(layout: Layout, tree: Node, buckets: Sequence[Buckets]) -> Node:
    """Return a copy of the tree whose questions are put to buckets: a bucket goes where its records went."""
    root = replace(tree)
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.split is None or node.left is None or node.right is None:
            continue
        column = node.split.column
        node.split = _on_buckets(node.split, layout.codings[column], buckets[column])
        node.left, node.right = replace(node.left), replace(node.right)
        waiting += [node.left, node.right]
    return root


def _on_buckets(split: Split, coding: Coding, buckets: Buckets) -> Split:
    goes = split.left & split.present
    if coding.kind == "interval":
        plain = coding.bins - coding.missing
        goes[:plain] = _plain_left(split, plain)
    return Split(split.column, np.isin(buckets, buckets[goes]), split.present)
