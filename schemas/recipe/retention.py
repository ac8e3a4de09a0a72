"""What keeping a table costs, what rebuilding one costs, and when a redundant table may go."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.recipe.base import Section

__all__ = ["Prices", "Retention", "Speed", "Use"]

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Prices(Section):
    """Money per gigabyte (10^9 bytes); defaults are list prices of public clouds in 2026, for you to replace."""

    currency: str = "USD"
    """What the amounts below are in."""
    storage: Amount = 0.023
    """Storing a gigabyte for a month."""
    scan: Amount = 0.005
    """Having a gigabyte looked through by one maintenance pass, such as a privacy scan."""
    read: Amount = 0.0002
    """Reading and decoding a gigabyte of the parent when a table is rebuilt."""
    write: Amount = 0.0002
    """Encoding and writing a gigabyte of the rebuilt table."""


class Speed(Section):
    """How fast a table is rebuilt."""

    read_mb_s: Annotated[float, Field(gt=0)] = 200.0
    """Megabytes of a parent read in a second."""
    write_mb_s: Annotated[float, Field(gt=0)] = 100.0
    """Megabytes of a rebuilt table written in a second."""
    fixed_s: Amount = 2.0
    """Seconds that every rebuild takes besides."""


class Use(Section):
    """How a table is used."""

    accesses: Amount = 1 / 12
    """Times a month that somebody needs the table."""
    scans: Amount = 1.0
    """Maintenance passes over it in a month."""
    latency_s: Amount = 60.0
    """Longest time that somebody who needs it can wait for it to be rebuilt."""


class Retention(Section):
    """Which redundant tables are worth deleting, and how they may be brought back."""

    prices: Prices = Prices()
    """Money per gigabyte."""
    speed: Speed = Speed()
    """How fast a table is rebuilt."""
    use: Use = Use()
    """How tables are used, unless `tables` knows better."""
    tables: dict[str, Use] = Field(default_factory=dict)
    """How tables are used whose name matches a pattern (``sales/*``); the first pattern that matches counts."""
    keep: tuple[str, ...] = ()
    """Patterns of names of tables that are never deleted."""
    undo_days: Amount = 7.0
    """Days for which a deleted table waits in the trash before it may be purged."""
