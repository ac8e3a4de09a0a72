"""Arrays on disk of which only what is asked for is read, and counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dedup.text.ragged import spans

__all__ = ["Column", "Lookup", "Reads", "write", "write_directory"]

_KEYS_PER_BUCKET = 4
_MOST_BITS = 30
_BITS = 64
_AT_ONCE = 4_000_000


@dataclass
class Reads:
    """How much was read so far.

    Parameters
    ----------
    size
        Bytes of the array elements that were asked for.
    """

    size: int = 0


class Column:
    """A file of numbers of one type.

    Parameters
    ----------
    of
        Their type, as numpy names it; also the file's suffix.
    reads
        Where what is read is counted.
    """

    def __init__(self, folder: Path, name: str, of: str, reads: Reads) -> None:
        path = folder / f"{name}.{of}"
        empty = not path.stat().st_size
        self._array = np.zeros(0, of) if empty else np.memmap(path, of, "r")
        self._reads = reads

    def __len__(self) -> int:
        return len(self._array)

    def take(self, positions: np.ndarray | slice) -> np.ndarray:
        """Return the elements at ``positions``."""
        found = np.array(self._array[positions])
        self._reads.size += found.nbytes
        return found


def write(folder: Path, name: str, of: str, batches: Iterable[np.ndarray]) -> None:
    """Write the file of a `Column`."""
    with (folder / f"{name}.{of}").open("wb") as file:
        for batch in batches:
            file.write(np.ascontiguousarray(batch, of).data)


class Lookup:
    """Ascending unsigned 64-bit keys, each perhaps several times, found without a search through all.

    Parameters
    ----------
    folder
        Holds the columns ``NAME`` (keys) and ``NAME-directory`` (where the keys with each leading bits begin).
    """

    def __init__(self, folder: Path, name: str, reads: Reads) -> None:
        self._keys = Column(folder, name, "u8", reads)
        self._directory = Column(folder, f"{name}-directory", "i8", reads)
        self._shift = _shift(len(self._keys))

    def find(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each occurrence of one of ``values``, the place among the values and the position of the key."""
        buckets = (values >> self._shift).astype(np.int64)
        starts = self._directory.take(buckets)
        lengths = self._directory.take(buckets + 1) - starts
        positions = spans(starts, lengths)
        which = np.repeat(np.arange(len(values)), lengths)
        hit = self._keys.take(positions) == values[which]
        return which[hit], positions[hit]


def write_directory(folder: Path, name: str) -> None:
    """Write the directory of the `Lookup` whose keys are written already."""
    keys = Column(folder, name, "u8", Reads())
    shift = _shift(len(keys))
    counts = np.zeros((1 << (_BITS - int(shift))) + 1, np.int64)
    for start in range(0, len(keys), _AT_ONCE):
        buckets, times = np.unique(keys.take(slice(start, start + _AT_ONCE)) >> shift, return_counts=True)
        counts[buckets + np.uint64(1)] += times
    write(folder, f"{name}-directory", "i8", [np.cumsum(counts)])


def _shift(keys: int) -> np.uint64:
    """Return how many bits to drop so that what leads parts so many keys into buckets of a few."""
    return np.uint64(_BITS - min(max(keys // _KEYS_PER_BUCKET, 1).bit_length(), _MOST_BITS))
