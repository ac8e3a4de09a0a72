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

from dedup.lake.projections import Projector
from dedup.lake.rows import sampled_cells

__all__ = ["Evidence", "entropy", "evidence", "weigh"]

_HALF = 64.0
"""Bits at which a containment is as likely derived as not worth a look."""
_SAMPLE = 4096


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
    """Return what containment of a table in another is worth, from the 4,096 rows of the smallest fingerprints."""
    found = projector.tables[table]
    columns = tuple(sorted(column.name for column in found.columns))
    low = projector.rows(table, columns).low
    if not low.size:
        return weigh(len(columns), 0, 0.0)
    last = low.head(_SAMPLE)[-1]
    if projector.has_cells(table):
        cells = projector.cells(table)
        return weigh(len(columns), low.size, entropy(cells[:, cells.sum(axis=0) <= last]))
    sample = pl.concat(sampled_cells(projector.storage, found, columns, projector.store.policy, int(last)))
    return weigh(len(columns), low.size, entropy(np.stack([column.to_numpy() for column in sample.get_columns()])))


def entropy(cells: np.ndarray) -> float:
    """Return the sum of the columns' entropies in bits.

    Parameters
    ----------
    cells
        Hashes of the cells of some rows, shape (columns, rows).

    Examples
    --------
    >>> entropy(np.array([[1, 1, 2, 2], [5, 5, 5, 5]], np.uint64))
    1.0
    """
    rows = cells.shape[1]
    if not rows:
        return 0.0
    ordered = np.sort(cells, axis=1)
    new = np.ones(cells.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(new.ravel())
    share = np.diff(np.append(starts, cells.size)) / rows
    return float(-(share * np.log2(share)).sum()) + 0.0


def weigh(columns: int, distinct: int, bits: float) -> Evidence:
    """Return the evidence of a child of ``distinct`` rows whose columns have ``bits`` of entropy."""
    surprise = distinct * max(0.0, bits - math.log2(distinct)) if distinct else 0.0
    return Evidence(round(surprise / (surprise + _HALF), 6), columns, distinct, round(bits, 6))
