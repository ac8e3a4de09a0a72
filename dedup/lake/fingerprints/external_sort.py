"""Sorting the rows of a large table in bounded memory: sorted runs on disk, merged one range of hashes at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from dedup.lake.fingerprints.lanes import Values, distinct, sort_distinct

__all__ = ["Sorter"]

_COPIES = 3
"""Sorting holds what came in, what goes out, and something in between."""


class Sorter:
    """Takes one lane of hashes batch by batch and gives it back sorted.

    Parameters
    ----------
    folder
        Where runs are put aside.
    name
        Names the runs.
    memory
        Bytes that it may take.
    """

    def __init__(self, folder: Path, name: str, memory: int) -> None:
        self._folder = folder
        self._name = name
        self._most = max(memory // (8 * _COPIES), 1 << 12)
        self._held: list[pl.Series] = []
        self._rows = 0
        self._runs: list[tuple[Path, int]] = []

    def add(self, values: pl.Series) -> None:
        """Take a batch."""
        self._held.append(values)
        self._rows += len(values)
        if self._rows > self._most:
            self._spill()

    def ordered(self) -> Iterator[Values]:
        """Yield distinct hashes in ascending order with their counts."""
        if not self._runs:
            yield sort_distinct(_joined(self._held))
            return
        if self._rows:
            self._spill()
        ranges = -(-sum(size for _, size in self._runs) // self._most)
        edges = [int(2**64 * place / ranges) for place in range(1, ranges)]
        for cuts in zip(*(_cuts(run, edges) for run in self._runs), strict=True):
            yield _merged(cuts)
        for path, _ in self._runs:
            path.unlink()

    def _spill(self) -> None:
        values, counts = sort_distinct(_joined(self._held))
        path = self._folder / f"{self._name}.{len(self._runs)}.run"
        with path.open("wb") as target:
            target.write(np.ascontiguousarray(values).data)
            target.write((np.ones(len(values), np.uint64) if counts is None else counts).data)
        self._runs.append((path, len(values)))
        self._held, self._rows = [], 0


def _joined(parts: Sequence[pl.Series]) -> pl.Series:
    return pl.concat([pl.Series(dtype=pl.UInt64), *parts], rechunk=False)


def _cuts(run: tuple[Path, int], edges: list[int]) -> Iterator[Values]:
    """Yield a run's hashes and counts range by range."""
    path, size = run
    values = np.memmap(path, np.uint64, "r", shape=(size,))
    places = [0, *np.searchsorted(values, np.array(edges, np.uint64)).tolist(), size]
    for start, stop in pairwise(places):
        count = stop - start
        counts = np.fromfile(path, np.uint64, count, offset=(size + start) * 8)
        yield np.fromfile(path, np.uint64, count, offset=start * 8), counts


def _merged(cuts: tuple[Values, ...]) -> Values:
    values = np.concatenate([part for part, _ in cuts])
    counts = np.concatenate([part for _, part in cuts if part is not None])
    if (counts == 1).all():
        return sort_distinct(values)
    order = np.argsort(values, kind="stable")
    return distinct(values[order], counts[order])
