"""Parents as recipes need them: their cells in order and their rows by fingerprint, each read once for many tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from dedup.lake.files.storage import Storage
from dedup.lake.files.tables import Table
from dedup.lake.fingerprints.rows import fingerprints, read
from dedup.retention.files import inside
from dedup.retention.recipes.positions import Index
from schemas.errors import InputError
from schemas.ids import digest
from warehouse.fingerprint import file_sha256

__all__ = ["Sources", "located"]

_CACHED = 64 << 20
"""Tables up to this many bytes are laid down once as cells, for the next recipe that needs the same ones."""


def located(root: Path, table: Table) -> Table:
    """Return a table with its files where they are now.

    Raises
    ------
    InputError
        If one is gone.
    """
    storage, files = Storage(str(root)), []
    for file in table.files:
        place = inside(root, file.name)
        if not place.is_file():
            raise InputError(f"{file.name!r} is gone")
        files.append(replace(file, place=str(place), bytes=place.stat().st_size, stamp=storage.stamp(str(place))))
    return replace(table, files=tuple(files))


class Sources:
    """Tables that others are made from; what was read of the last one is kept for the next recipe.

    Parameters
    ----------
    root
        Folder of the lake.
    scratch
        Folder for cells laid down.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self._scratch = scratch
        self._cells: tuple[str, Path] | None = None
        self._index: tuple[str, Index] | None = None
        self._checked: dict[tuple[str, str], str] = {}

    def cells(self, table: Table, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield the cells of a table in order: text as it stands in CSV, values elsewhere.

        Raises
        ------
        InputError
            If a file cannot be read.
        """
        if table.bytes > _CACHED:
            yield from self._read(table, columns)
            return
        key = digest([table.name, table.version, list(columns)])
        if self._cells is None or self._cells[0] != key:
            if self._cells is not None:
                self._cells[1].unlink()
            path = self._scratch / f"{key}.cells"
            pl.concat(self._read(table, columns), how="vertical_relaxed").write_ipc(path)
            self._cells = key, path
        with pa.memory_map(str(self._cells[1])) as mapped:
            yield pl.DataFrame(pa.ipc.open_file(mapped).read_all())

    def index(self, table: Table, columns: Sequence[str], policy: str) -> Index:
        """Return the rows of a table by fingerprint."""
        key = digest([table.name, table.version, list(columns), policy])
        if self._index is None or self._index[0] != key:
            self._index = key, Index.of(self.prints(table, columns, policy))
        return self._index[1]

    def prints(self, table: Table, columns: Sequence[str], policy: str) -> np.ndarray:
        """Return a 64-bit fingerprint of each row of a table in order."""
        here = located(self.root, table)
        return fingerprints(Storage(str(self.root)), here, columns, policy)["low"]

    def _read(self, table: Table, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        return read(Storage(str(self.root)), located(self.root, table), columns)

    def check(self, name: str, expected: str) -> None:
        """Refuse a file of the lake that is not the one expected; one that was checked and not touched is not reread.

        Raises
        ------
        InputError
            If it is gone or has another digest.
        """
        path = inside(self.root, name)
        if not path.is_file():
            raise InputError(f"{name!r} is gone")
        found = path.stat()
        stamp = f"{found.st_size}.{found.st_mtime_ns}.{found.st_ctime_ns}.{found.st_ino}"
        if self._checked.get((name, expected)) == stamp:
            return
        if file_sha256(path) != expected:
            raise InputError(f"{name!r} was changed")
        self._checked[name, expected] = stamp
