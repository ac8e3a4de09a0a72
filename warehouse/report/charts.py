"""What the drawings of ``charts.html`` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Bar", "Part", "band"]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a band: where it starts and how wide it is, in percent of the band."""

    kind: str
    rows: int
    start: float
    width: float


def band(parts: Sequence[tuple[str, int]], whole: int) -> list[Part]:
    """Return the pieces of a band, one after another, without the empty ones.

    Parameters
    ----------
    parts
        Kind and rows of each.
    whole
        Rows that the full width stands for.

    Examples
    --------
    >>> band([("kept", 3), ("failed", 0), ("dropped", 1)], 8)
    [Part(kind='kept', rows=3, start=0.0, width=37.5), Part(kind='dropped', rows=1, start=37.5, width=12.5)]
    """
    drawn, start = [], 0.0
    for kind, rows in parts:
        width = 100 * rows / (whole or 1)
        if rows:
            drawn.append(Part(kind, rows, round(start, 3), round(width, 3)))
        start += width
    return drawn
