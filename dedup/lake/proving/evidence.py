"""How much a containment tells: whether chance alone would explain it.

If the columns of a child were independent, a random row made of their values would be one of its d distinct rows with
a probability of about d / 2^H, where H is the sum of the columns' entropies in bits. Every row of the child that the
parent holds is then worth H - log2(d) bits. A single column is worth nothing by this measure, nor is a table that
holds every combination of its values, for any table that covers the same values contains it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from dedup.lake.fingerprints.entropies import SAMPLE_ROWS, entropy
from dedup.lake.fingerprints.projections import Projector
from dedup.lake.fingerprints.rows import sampled_cells

__all__ = ["Evidence", "evidence", "weigh"]

_HALF = 64.0
"""Bits at which a containment is as likely derived as not worth a look."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the edges of a child are worth.

    Parameters
    ----------
    score
        From 0 to 1.
    columns, rows
        Columns compared and distinct rows of the child.
    entropy
        Bits per row: the entropies of the child's columns, summed.
    """

    score: float
    columns: int
    rows: int
    entropy: float


def evidence(projector: Projector, table: int) -> Evidence:
    """Return what containment of a table in another is worth, by the rows of the smallest fingerprints."""
    found = projector.tables[table]
    columns = tuple(sorted(column.name for column in found.columns))
    low = projector.rows(table, columns).low
    if not low.size:
        return weigh(len(columns), 0, 0.0)
    return weigh(len(columns), low.size, _entropy(projector, table, columns, low.head(SAMPLE_ROWS)[-1]))


def _entropy(projector: Projector, table: int, columns: tuple[str, ...], last: np.uint64) -> float:
    found, store = projector.tables[table], projector.store
    if projector.has_cells(table):
        cells = projector.cells(table)
        return entropy(cells if found.rows <= SAMPLE_ROWS else cells[:, cells.sum(axis=0) <= last])
    kept = store.entropy(found.content_key)
    if kept is None:
        sample = pl.concat(sampled_cells(projector.storage, found, columns, store.policy, int(last)))
        kept = entropy(sample.to_numpy().T)
        store.keep_entropy(found.content_key, kept)
    return kept


def weigh(columns: int, distinct: int, bits: float) -> Evidence:
    """Return the evidence of a child of ``distinct`` rows whose columns have ``bits`` of entropy."""
    surprise = distinct * max(0.0, bits - math.log2(distinct)) if distinct else 0.0
    return Evidence(round(surprise / (surprise + _HALF), 6), columns, distinct, round(bits, 6))
