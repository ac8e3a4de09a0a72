"""Columns of names, and those among them whose names each belong to one person: a policy would publish them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from schemas.minimize import Fit

__all__ = ["identifying", "is_named"]

_FEWEST = 50
"""Names from which a column can tell people apart."""


def is_named(name: str, of: pl.DataType, config: Fit) -> bool:
    """Return whether the values of a column are names rather than numbers, dates or nothing."""
    return name in config.categorical or not (of.is_numeric() or of.is_temporal() or of == pl.Null)


def identifying(
    frame: pl.LazyFrame, counts: Mapping[str, pl.DataFrame], people: float, unit: int, config: Fit
) -> tuple[str, ...]:
    """Return the columns of 50 names or more in which most people have one to themselves.

    What a person calls personal is taken at that word, and the authors' released code knows no such rule.

    Parameters
    ----------
    counts
        Of each column the distinct values, in ``value``, and the weight of each.
    people
        Number of clients, or the weight of all rows where every row is its own.
    unit
        Weight of one row.
    """
    if config.compat:
        return ()
    meant = {*(config.personal or ()), *config.leakage_weights}
    named = {name: table.drop_nulls("value") for name, table in counts.items() if name not in meant}
    return tuple(
        name
        for name, table in named.items()
        if is_named(name, table.schema["value"], config)
        and table.height >= _FEWEST
        and 2 * table.height > people
        and 2 * _alone(frame, name, table, unit, config.client) > people
    )


def _alone(frame: pl.LazyFrame, name: str, counts: pl.DataFrame, unit: int, client: str | None) -> int:
    """Return how many people have a name that nobody else has."""
    if client is None:
        return counts.filter(pl.col("weight") <= unit).height
    pairs = frame.select(value=pl.col(name), client=pl.col(client)).drop_nulls("value").unique()
    bearers = pairs.group_by("value").agg(pl.len().alias("clients"), pl.first("client"))
    alone = bearers.filter(pl.col("clients") == 1).select(pl.col("client").n_unique())
    return alone.collect(engine="streaming").item()
