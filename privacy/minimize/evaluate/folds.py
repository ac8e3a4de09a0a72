"""Which records an attacker knows in full, and which are attacked: the same for every order of the rows."""

from __future__ import annotations

import numpy as np
import polars as pl

from schemas.errors import UsageError

__all__ = ["canonical_order", "held_back"]


def canonical_order(frame: pl.DataFrame) -> np.ndarray:
    """Return the row numbers in the order of the rows' values; equal rows are interchangeable.

    Examples
    --------
    >>> canonical_order(pl.DataFrame({"a": [2, 1, 2], "b": ["x", "z", "a"]})).tolist()
    [1, 2, 0]
    """
    return frame.select(pl.arg_sort_by(frame.columns, nulls_last=True)).to_series().to_numpy()


def held_back(frame: pl.DataFrame, share: float, seed: int, client: str | None = None) -> np.ndarray:
    """Draw the rows that are held back for a test.

    Parameters
    ----------
    share
        Share of the rows (of the clients, where ``client`` is given), in (0, 1).
    client
        Column that says whose row it is: all rows of a client fall on the same side.

    Returns
    -------
    numpy.ndarray
        True for the rows held back; equal for equal tables, whatever the order of their rows.

    Raises
    ------
    UsageError
        If one of the sides would be empty.

    Examples
    --------
    >>> int(held_back(pl.DataFrame({"a": range(100)}), 0.33, seed=1).sum())
    33
    """
    units = frame if client is None else frame.select(pl.col(client).unique())
    held = round(len(units) * share)
    if not 0 < held < len(units):
        what = "rows" if client is None else "clients"
        raise UsageError(
            f"a share of {share} of {len(units)} {what} leaves one side of the test empty.",
            hint="give more records, or another share.",
        )
    drawn = np.zeros(len(units), dtype=bool)
    drawn[canonical_order(units)[np.random.default_rng(seed).permutation(len(units))[:held]]] = True
    if client is None:
        return drawn
    return frame[client].is_in(units.filter(drawn)[client].implode(), nulls_equal=True).to_numpy()
