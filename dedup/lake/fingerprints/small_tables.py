"""Fingerprints and statistics of many small tables at once: one call per type of column, not one per column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dedup.lake.fingerprints import bounds
from dedup.lake.fingerprints.equality import LANES, cell, salt

__all__ = ["Part", "fingerprints", "statistics"]


@dataclass(frozen=True, slots=True)
class Part:
    """Tables of one shape that follow one another in a frame.

    Parameters
    ----------
    rows
        Number of rows of each table.
    """

    frame: pl.DataFrame
    rows: Sequence[int]


def _by_type(parts: Sequence[Part]) -> Iterator[tuple[pl.Series, list[tuple[int, int]]]]:
    """Yield all values of each type, one column after another, with the part and the place of each column."""
    places: dict[pl.DataType, list[tuple[int, int]]] = defaultdict(list)
    columns = [part.frame.get_columns() for part in parts]
    for number, of_part in enumerate(columns):
        for place, column in enumerate(of_part):
            places[column.dtype].append((number, place))
    for found in places.values():
        yield pl.concat([columns[number][place].alias("v") for number, place in found], rechunk=True), found


def fingerprints(parts: Sequence[Part], policy: str) -> list[np.ndarray]:
    """Return the hashes of each part's cells times the salt of their column, shape (columns, lanes, rows)."""
    cells = [np.empty((part.frame.width, len(LANES), part.frame.height), np.uint64) for part in parts]
    names = [part.frame.columns for part in parts]
    for values, places in _by_type(parts):
        asked = [cell(pl.col("v"), values.dtype, policy, lane).alias(str(lane)) for lane in range(len(LANES))]
        hashed = values.to_frame().select(asked).get_columns()
        for lane, column in enumerate(hashed):
            flat, start = column.to_numpy(), 0
            for number, place in places:
                stop = start + parts[number].frame.height
                factor = np.uint64(salt(names[number][place], lane))
                np.multiply(flat[start:stop], factor, out=cells[number][place, lane])
                start = stop
    return cells


def statistics(parts: Sequence[Part]) -> list[list[list[bounds.Written]]]:
    """Return the bounds of each column of each table of each part, written as JSON."""
    found = [[[[None, None, False, 0]] * part.frame.width for _ in part.rows] for part in parts]
    for values, places in _by_type(parts):
        lengths = np.concatenate([np.asarray(parts[number].rows, np.int64) for number, _ in places])
        told, segment = bounds.of_segments(values, lengths), 0
        for number, place in places:
            for table in found[number]:
                table[place] = told[segment]
                segment += 1
    return found
