"""What it costs to keep a table, to rebuild it, and how long that takes: the formulas of OPT-RET in money and seconds.

With S the sizes in gigabytes, A the accesses and f the maintenance passes a month, and c the prices: keeping v costs
``S_v (c_storage + f_v c_scan)``; rebuilding v from u costs ``A_v (S_u c_read + S_v c_write)`` and the storage of the
recipe; and it takes ``fixed + S_u / read + S_v / write`` (Shah et al., SIGMOD 2024).
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from schemas.recipe.retention import Retention, Use

__all__ = ["keep_cost", "rebuild_cost", "rebuild_seconds", "use_of"]

_GIGABYTE = 1e9
_MEGABYTE = 1e6


def use_of(table: str, config: Retention) -> Use:
    """Return how a table is used: what the first pattern that matches its name says, or else the default."""
    return next((use for pattern, use in config.tables.items() if fnmatchcase(table, pattern)), config.use)


def keep_cost(size: int, use: Use, config: Retention) -> float:
    """Return what keeping a table of ``size`` bytes costs a month.

    Examples
    --------
    >>> keep_cost(10**9, Use(scans=2), Retention())
    0.033
    """
    return size / _GIGABYTE * (config.prices.storage + use.scans * config.prices.scan)


def rebuild_cost(parent: int, child: int, recipe: int, use: Use, config: Retention) -> float:
    """Return what rebuilding a table when it is needed costs a month, with the storage of its recipe.

    Parameters
    ----------
    parent, child, recipe
        Sizes in bytes.

    Examples
    --------
    >>> rebuild_cost(10**10, 10**9, 10**6, Use(accesses=0.5), Retention())
    0.001123
    """
    prices = config.prices
    access = (parent * prices.read + child * prices.write) / _GIGABYTE
    return use.accesses * access + recipe / _GIGABYTE * prices.storage


def rebuild_seconds(parent: int, child: int, config: Retention) -> float:
    """Return how long it takes to rebuild a table of ``child`` bytes from one of ``parent`` bytes.

    Examples
    --------
    >>> rebuild_seconds(2 * 10**9, 10**9, Retention())
    22.0
    """
    speed = config.speed
    return speed.fixed_s + (parent / speed.read_mb_s + child / speed.write_mb_s) / _MEGABYTE
