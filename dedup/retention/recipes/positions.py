"""Which row of the parent each row of a table is, and that list in few bytes."""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import zstandard

from dedup.retention.recipes.patch import unpacked
from schemas.errors import InputError

__all__ = ["Index", "decoded", "encoded", "positions"]

_HEAD = struct.Struct("<QB")
_WIDTHS = (np.int8, np.int16, np.int32, np.int64)
_LEVEL = 12


@dataclass(frozen=True)
class Index:
    """Rows of a table by fingerprint.

    Parameters
    ----------
    order
        Row numbers in order of their fingerprints, equal ones rising.
    ranked
        The fingerprints in that order.
    """

    order: np.ndarray
    ranked: np.ndarray

    @classmethod
    def of(cls, prints: np.ndarray) -> Index:
        """Return the index of rows with these 64-bit fingerprints."""
        order = np.argsort(prints, kind="stable")
        return cls(order, prints[order])


def positions(child: np.ndarray, parent: Index) -> np.ndarray:
    """Return for each row of the child the number of a row of the parent that is equal to it.

    Of several equal rows the next after the row before is taken, so that what was cut out of the parent in order
    gives rising numbers. A row that the child holds more often than the parent is named again.

    Parameters
    ----------
    child
        64-bit fingerprints of its rows in order. A collision can only make the rebuilt table differ, which the check
        of every recipe finds.

    Returns
    -------
    np.ndarray
        0-based numbers, as many as the child has rows.

    Raises
    ------
    InputError
        If a row of the child is not in the parent.

    Examples
    --------
    >>> parent = Index.of(np.array([9, 7, 8, 9, 7], dtype=np.uint64))
    >>> positions(np.array([7, 9, 7], dtype=np.uint64), parent).tolist()
    [1, 3, 4]
    """
    first = np.searchsorted(parent.ranked, child, "left")
    last = np.searchsorted(parent.ranked, child, "right")
    if missing := int((first == last).sum()):
        raise InputError(
            f"{missing:,} of {len(child):,} rows are not in the parent.",
            hint="a table changed while it was read: scan the lake again.",
        )
    if (last - first > 1).any():
        return _in_order(parent.order, first.tolist(), last.tolist())
    return parent.order[first] if len(child) else np.zeros(0, np.int64)


def _in_order(order: np.ndarray, first: list[int], last: list[int]) -> np.ndarray:
    """Choose among equal rows the next one after the row before, or else the first."""
    numbers, found, before = order.tolist(), [], -1
    for low, high in zip(first, last, strict=True):
        place = bisect_left(numbers, before + 1, low, high)
        before = numbers[place if place < high else low]
        found.append(before)
    return np.array(found, dtype=np.int64)


def encoded(rows: np.ndarray) -> bytes:
    """Return row numbers as compressed differences, in the narrowest whole numbers that hold them."""
    steps = np.diff(rows.astype(np.int64), prepend=0)
    most = int(np.abs(steps).max(initial=0))
    width = next(place for place, of in enumerate(_WIDTHS) if most <= np.iinfo(of).max)
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(steps.astype(_WIDTHS[width]).tobytes())
    return _HEAD.pack(len(rows), width) + packed


def decoded(content: bytes) -> np.ndarray:
    """Return the row numbers that `encoded` was given.

    Raises
    ------
    InputError
        If the bytes are damaged.
    """
    try:
        count, width = _HEAD.unpack_from(content)
        of = np.dtype(_WIDTHS[width])
        steps = np.frombuffer(unpacked(content[_HEAD.size :], count * of.itemsize), dtype=of)
    except (zstandard.ZstdError, struct.error, IndexError) as error:
        raise InputError(
            f"the list of rows of a recipe is damaged: {error}.", hint="restore it from a backup of the lake's .sluice."
        ) from error
    return np.cumsum(steps, dtype=np.int64)
