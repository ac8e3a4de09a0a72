"""Columns of different names that hold the same values: guesses from samples, marked as such.

Looked at are tables that lack just one column's name to be comparable: all columns of the child but one are columns of
the parent. The sample of a column is its smallest distinct cell hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import and_

import numpy as np
import polars as pl

from dedup.lake.fingerprints.equality import salt
from dedup.lake.fingerprints.projections import Projector
from schemas.lake import COLUMN_SUGGESTION

__all__ = ["one_name_apart", "suggestions"]

_SAMPLE = 32
_LEAST = 8
"""A column of fewer distinct values tells nothing."""
_OVERLAP = 0.8
_PAIRS = 2_000
"""Pairs of tables looked at, in order of their numbers."""
Key = tuple[str, str]
Schema = frozenset[Key]


def one_name_apart(schemas: Sequence[Schema]) -> Iterator[tuple[int, int, Key]]:
    """Yield pairs of distinct schemas such that the second holds all keys of the first but the one told."""
    holders: dict[Key, int] = {}
    for number, schema in enumerate(schemas):
        for key in schema:
            holders[key] = holders.get(key, 0) | 1 << number
    everything = (1 << len(schemas)) - 1
    for number, schema in enumerate(schemas):
        keys = sorted(schema)
        before = list(accumulate((holders[key] for key in keys), and_, initial=everything))
        after = list(accumulate((holders[key] for key in reversed(keys)), and_, initial=everything))[::-1]
        for place, key in enumerate(keys if len(keys) > 1 else ()):
            common = before[place] & after[place + 1] & ~holders[key]
            while common:
                lowest = common & -common
                yield number, lowest.bit_length() - 1, key
                common ^= lowest


def suggestions(projector: Projector, schemas: Sequence[Schema]) -> pl.DataFrame:
    """Return columns that may be the same under another name, as the contract `column_suggestion` has them.

    Parameters
    ----------
    schemas
        Per table the keys of its columns; tables whose cells were not kept are left out.
    """
    members: dict[Schema, list[int]] = {}
    for table, schema in enumerate(schemas):
        if projector.has_cells(table):
            members.setdefault(schema, []).append(table)
    distinct = list(members)
    sampler = _Sampler(projector)
    rows, looked = [], 0
    for small, large, key in one_name_apart(distinct):
        ours = key[0]
        free = sorted(other[0] for other in distinct[large] - distinct[small])
        for child, parent in ((c, p) for c in members[distinct[small]] for p in members[distinct[large]]):
            looked += 1
            if looked > _PAIRS:
                break
            rows += [
                (projector.tables[child].name, projector.tables[parent].name, ours, theirs, share)
                for theirs in free
                if (share := sampler.overlap(child, ours, parent, theirs)) >= _OVERLAP
            ]
    schema = pl.Schema(COLUMN_SUGGESTION.arrow)
    return pl.DataFrame(rows, schema=schema, orient="row").sort("child", "parent", "child_column", "parent_column")


class _Sampler:
    """Keeps the distinct cell hashes of columns, the salt of their names taken off."""

    def __init__(self, projector: Projector) -> None:
        self._projector = projector
        self._values: dict[tuple[int, str], np.ndarray] = {}

    def overlap(self, child: int, ours: str, parent: int, theirs: str) -> float:
        """Return the share of the child's sampled values that the parent's column holds."""
        sample = self._distinct(child, ours)[:_SAMPLE]
        if len(sample) < _LEAST:
            return 0.0
        return float(np.isin(sample, self._distinct(parent, theirs)).mean())

    def _distinct(self, table: int, column: str) -> np.ndarray:
        key = (table, column)
        if key not in self._values:
            names = [one.name for one in self._projector.tables[table].columns]
            salted = self._projector.cells(table)[names.index(column)]
            self._values[key] = np.unique(salted * np.uint64(pow(salt(column, 0), -1, 1 << 64)))
        return self._values[key]
