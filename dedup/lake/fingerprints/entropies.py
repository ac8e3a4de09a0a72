"""Entropy of columns, from the rows of a table whose fingerprints are the smallest: a sample that no order changes."""

from __future__ import annotations

import numpy as np

__all__ = ["SAMPLE_ROWS", "entropy"]

SAMPLE_ROWS = 4096
"""Distinct rows whose cells are looked at."""


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
