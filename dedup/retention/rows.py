"""Parents as recipes need them: their cells in order and their rows by fingerprint, each read once for many tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from dedup.lake.readers import batches, leaf_expressions, pieces
from dedup.lake.storage import File, Storage
from dedup.lake.tables import Table
from dedup.lake.values import cell, salt
from dedup.retention.files import digest_of, inside
from dedup.retention.positions import Index
from dedup.text.hashing import mix
from schemas.errors import InputError
from schemas.ids import digest

__all__ = ["Sources", "fingerprints", "read"]

_CACHED = 256 << 20
"""Tables up to this many bytes are laid down once as cells, for the next recipe that needs the same ones."""


def read(root: Path, table: Table, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the cells of a table in order: text as it stands in CSV, values elsewhere.

    Parameters
    ----------
    root
        Folder of the lake.
    columns
        Dotted paths of leaf columns.

    Raises
    ------
    NotATable
        If a file cannot be read.
    """
    storage = Storage(str(root))
    for file, told, found in zip(table.files, table.partitions, table.prints, strict=True):
        path = inside(root, file.name)
        here = File(file.name, str(path), file.bytes, file.mtime_ns, file.stamp)
        for piece in pieces(storage, table.format, here, found):
            known = {name: expression for name, (expression, _) in leaf_expressions(piece.collect_schema()).items()}
            known |= {name: pl.lit(value, pl.String) for name, value in told}
            absent = pl.lit(None, pl.Null)
            yield from batches(piece.select(known.get(name, absent).alias(name) for name in columns))


def fingerprints(frames: Iterator[pl.DataFrame], policy: str) -> np.ndarray:
    """Return the 64-bit fingerprint of each row, equal for rows that a policy calls equal."""
    parts = [_rows(frame, policy) for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _rows(frame: pl.DataFrame, policy: str) -> np.ndarray:
    hashed = frame.select(cell(pl.col(name), of, policy, 0).alias(name) for name, of in frame.schema.items())
    columns = (mix(hashed[name].to_numpy() * np.uint64(salt(name, 0))) for name in hashed.columns)
    return reduce(np.add, columns)


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
        """Yield the cells of a table in order, as `read` does."""
        if table.bytes > _CACHED:
            yield from read(self.root, table, columns)
            return
        key = digest([table.name, table.version, list(columns)])
        if self._cells is None or self._cells[0] != key:
            if self._cells is not None:
                self._cells[1].unlink()
            path = self._scratch / f"{key}.cells"
            pl.concat(read(self.root, table, columns), how="vertical_relaxed").write_ipc(path)
            self._cells = key, path
        with pa.memory_map(str(self._cells[1])) as mapped:
            yield pl.DataFrame(pa.ipc.open_file(mapped).read_all())

    def index(self, table: Table, columns: Sequence[str], policy: str) -> Index:
        """Return the rows of a table by fingerprint."""
        key = digest([table.name, table.version, list(columns), policy])
        if self._index is None or self._index[0] != key:
            self._index = key, Index.of(fingerprints(self.cells(table, columns), policy))
        return self._index[1]

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
        if digest_of(path) != expected:
            raise InputError(f"{name!r} was changed")
        self._checked[name, expected] = stamp
