"""Edges as people read them: with what they need, what they are worth, and where they stand among the others."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import polars as pl

from dedup.lake.fingerprints.lanes import contained
from dedup.lake.fingerprints.projections import Projector
from dedup.lake.fingerprints.store import Store
from dedup.lake.proving.classes import classes
from dedup.lake.proving.evidence import evidence
from dedup.lake.proving.min_max import Pairs
from dedup.lake.proving.policies import needed
from schemas.lake import CONTAINMENT
from schemas.recipe.lake import Lake

__all__ = ["edge_frame"]

Columns = tuple[str, ...]


def edge_frame(projector: Projector, pairs: Pairs, multiset: np.ndarray | None, config: Lake) -> pl.DataFrame:
    """Return edges as the contract `containment` has them.

    Parameters
    ----------
    multiset
        For each pair whether the parent holds every row at least as often; None if the pairs were only sampled.
    """
    tables = projector.tables
    told = classes(pairs, len(tables))
    columns = {child: _columns(projector, child) for child in np.unique(pairs.children).tolist()}
    spelled = {child: json.dumps(names) for child, names in columns.items()}
    worth = {child: evidence(projector, child) for child in columns}
    rows = []
    for place, (child, parent) in enumerate(zip(pairs.children.tolist(), pairs.parents.tolist(), strict=True)):
        ours, theirs, found = tables[child], tables[parent], worth[child]
        often = None if multiset is None else bool(multiset[place])
        needs = needed(ours, theirs, columns[child], partial(_lossless, projector, child, parent, columns[child]))
        same = bool(often) and ours.rows == theirs.rows and len(ours.columns) == len(theirs.columns)
        rows.append(
            (
                ours.name,
                theirs.name,
                ours.rows,
                theirs.rows,
                found.rows,
                spelled[child],
                config.policy,
                config.semantics,
                needs,
                often,
                "equal" if told.equal[place] else "contained",
                same and needs == "strict",
                multiset is not None,
                found.score,
                found.columns,
                found.rows,
                found.entropy,
                found.score < config.evidence or not ours.rows,
                bool(told.reduced[place]),
                tables[told.first[child]].name,
                tables[told.first[parent]].name,
            )
        )
    return pl.DataFrame(rows, schema=pl.Schema(CONTAINMENT.arrow), orient="row").sort("child", "parent")


def _columns(projector: Projector, child: int) -> Columns:
    return tuple(sorted(column.name for column in projector.tables[child].columns))


def _lossless(projector: Projector, child: int, parent: int, columns: Columns) -> bool:
    """Tell whether an edge that was found under the policy text holds by value, reading both tables again."""
    store = Store(projector.store.folder, "lossless")
    by_value = Projector(projector.storage, store, projector.tables, projector.memory, cells_kept=False)
    a, b = by_value.rows(child, columns), by_value.rows(parent, columns)
    return contained(a.low, b.low) and contained(a.high, b.high)
