"""Sets of hashes on disk: appended in order, read back by number, gone with the process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import numpy as np

from dedup.text.ragged import budgeted, spans, starts_of

__all__ = ["SetStore"]

_VALUES_AT_ONCE = 4_000_000


class SetStore:
    """Lists of unsigned 64-bit integers in an unnamed temporary file.

    Parameters
    ----------
    folder
        Folder on the disk to use; a killed process leaves nothing in it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the store
        self._sizes: list[np.ndarray] = []
        self._values = np.zeros(0, np.uint64)
        self.sizes = np.zeros(0, np.int64)
        self._starts = np.zeros(1, np.int64)

    def append(self, sizes: np.ndarray, values: np.ndarray) -> None:
        """Add ``len(sizes)`` lists, whose elements follow one another in ``values``."""
        self._sizes.append(sizes.astype(np.int64))
        self._file.write(values.astype(np.uint64, copy=False).data)

    def seal(self) -> None:
        """Make what was appended readable; nothing is appended afterwards."""
        self._file.flush()
        self.sizes = np.concatenate([self.sizes, *self._sizes])
        self._sizes = []
        self._starts = starts_of(self.sizes)
        if self._starts[-1]:
            self._values = np.memmap(self._file, np.uint64, "r", shape=(int(self._starts[-1]),))

    def reordered(self, numbers: np.ndarray) -> SetStore:
        """Return a view in which list ``k`` is this store's list ``numbers[k]``."""
        view = copy(self)
        view.sizes = self.sizes[numbers]
        view._starts = self._starts[numbers]  # noqa: SLF001 - its own class
        return view

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """Return the elements of the lists called ``numbers``, one after another."""
        return self._values[spans(self._starts[numbers], self.sizes[numbers])]

    def batches(self, numbers: np.ndarray, most: int = 1 << 16) -> Iterator[np.ndarray]:
        """Cut ``numbers`` into runs of at most ``most`` lists that fit into memory together."""
        for cut in budgeted(self.sizes[numbers] + _VALUES_AT_ONCE // most, _VALUES_AT_ONCE):
            yield numbers[cut]
