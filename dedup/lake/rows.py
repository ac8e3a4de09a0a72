"""Rows of a table in the order of its files: their values, and their fingerprints under any projection.

The fingerprint of a row is the sum of its cells' hashes, each multiplied by an odd factor of its column, in two lanes
of 64 bits that share nothing: so any projection follows from cells that were hashed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from dedup.lake.readers import batches, leaf_expressions, naming_faults, pieces
from dedup.lake.storage import Storage
from dedup.lake.store import Store
from dedup.lake.tables import Print, Table
from dedup.lake.values import LANES, cell, salt
from schemas.errors import InputError
from schemas.ids import digest

__all__ = ["FINGERPRINT", "fingerprints", "lanes_of_cells", "read", "row_lanes", "rows_digest"]

FINGERPRINT = np.dtype([("low", np.uint64), ("high", np.uint64)])
"""The 128 bits of a row."""

_MASK = (1 << 64) - 1
Keys = Sequence[tuple[str, str | None]]


def read(storage: Storage, table: Table, columns: Iterable[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield a table's rows in the order of its files, a few hundred thousand at a time.

    Parameters
    ----------
    columns
        Dotted paths of leaf columns; all of the table's by default. A column that a file lacks is null there.

    Raises
    ------
    InputError
        If a file cannot be read any more.
    """
    wanted = [column.name for column in table.columns] if columns is None else list(columns)
    for piece, leaves, keys in _pieces(storage, table):
        known = dict(keys)
        asked = [
            leaves[name][0].alias(name) if name in leaves else pl.lit(known.get(name), pl.String).alias(name)
            for name in wanted
        ]
        yield from batches(piece.select(asked) if leaves.keys() & set(wanted) else _repeated(piece, asked))


def fingerprints(
    storage: Storage, table: Table, columns: Iterable[str] | None = None, policy: str = "lossless"
) -> np.ndarray:
    """Return the fingerprint of each row of a projection, in the order of the files, shape (rows,) of `FINGERPRINT`.

    Reads the files; 16 bytes of memory per row.
    """
    wanted = [column.name for column in table.columns] if columns is None else list(columns)
    result = np.empty(table.rows, FINGERPRINT)
    start = 0
    for low, high in row_lanes(storage, table, [wanted], policy):
        stop = start + len(low)
        result["low"][start:stop], result["high"][start:stop] = low, high
        start = stop
    return result


def rows_digest(storage: Storage, table: Table, columns: Iterable[str] | None = None, policy: str = "lossless") -> str:
    """Return a digest of a projection's rows as a multiset: equal for equal rows in any order and any format."""
    wanted = [column.name for column in table.columns] if columns is None else list(columns)
    rows, sums = 0, [0] * len(LANES)
    for found in row_lanes(storage, table, [wanted], policy):
        rows += len(found[0])
        sums = [
            (total + int(_mixed(lane).sum(dtype=np.uint64))) & _MASK for total, lane in zip(sums, found, strict=True)
        ]
    return digest([sorted(wanted), rows, [str(total) for total in sums]])


def row_lanes(
    storage: Storage, table: Table, projections: Sequence[Sequence[str]], policy: str
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield both lanes of each projection's row fingerprints, batch by batch, reading the files once.

    Yields
    ------
    tuple
        ``low, high`` of the first projection, ``low, high`` of the second, ...
    """
    for piece, leaves, keys in _pieces(storage, table):
        types = {name: of for name, (_, of) in leaves.items()}
        constants = dict(keys)
        used = sorted({name for projection in projections for name in projection if name in leaves})
        plain = piece.select([leaves[name][0].alias(name) for name in used]) if used else piece
        asked = [
            _row(projection, types, constants, policy, lane).alias(f"{place}.{lane}")
            for place, projection in enumerate(projections)
            for lane in range(len(LANES))
        ]
        for batch in batches(plain.select(asked) if used else _repeated(piece, asked)):
            yield tuple(column.to_numpy() for column in batch.get_columns())


def lanes_of_cells(store: Store, table: Table, columns: Sequence[str], policy: str) -> tuple[np.ndarray, np.ndarray]:
    """Return both lanes of a projection's row fingerprints from cells that were kept, in the order of the files."""
    parts = [
        [_summed(store, found, dict(keys), columns, policy, lane) for lane in range(len(LANES))]
        for found, keys in zip(table.prints, table.partitions, strict=True)
    ]
    if len(parts) == 1:
        return tuple(parts[0])  # type: ignore[return-value]
    return tuple(np.concatenate([part[lane] for part in parts]) for lane in range(len(LANES)))  # type: ignore[return-value]


def _summed(
    store: Store, found: Print, constants: dict[str, str | None], columns: Sequence[str], policy: str, lane: int
) -> np.ndarray:
    pack, offset, height, start = found.block  # type: ignore[misc] - callers ask only where cells were kept
    places = {column.name: place for place, column in enumerate(found.columns)}
    cells = store.array(pack, offset, (len(found.columns), len(LANES), height))
    total = np.zeros(found.rows, np.uint64)
    for name in columns:
        factor = np.uint64(salt(name, lane))
        if name in places:
            total += cells[places[name], lane, start : start + found.rows] * factor
        else:
            total += np.uint64(constant(constants.get(name), policy, lane)) * factor
    return total


def constant(value: str | None, policy: str, lane: int) -> int:
    """Return the hash of a cell whose text the path of its file gives; null where it gives none."""
    return pl.select(cell(pl.lit(value, pl.String), pl.String(), policy, lane)).item()


def _row(
    projection: Sequence[str], types: dict[str, pl.DataType], constants: dict[str, str | None], policy: str, lane: int
) -> pl.Expr:
    terms = [
        (
            cell(pl.col(name), types[name], policy, lane)
            if name in types
            else pl.lit(constant(constants.get(name), policy, lane), pl.UInt64)
        )
        * pl.lit(salt(name, lane), pl.UInt64)
        for name in projection
    ]
    return pl.sum_horizontal(terms)


def _pieces(
    storage: Storage, table: Table
) -> Iterator[tuple[pl.LazyFrame, dict[str, tuple[pl.Expr, pl.DataType]], Keys]]:
    for file, found, keys in zip(table.files, table.prints, table.partitions, strict=True):
        try:
            with naming_faults():
                for piece in pieces(storage, table.format, file, found):
                    yield piece, leaf_expressions(piece.collect_schema()), keys
                storage.unchanged(file, file.bytes)
        except Exception as error:
            if not hasattr(error, "reason"):
                raise
            raise InputError(
                f"{table.name}: {file.name} cannot be read any more: {error}.",
                hint="it was readable when the lake was scanned; scan again.",
            ) from error


def _repeated(piece: pl.LazyFrame, asked: list[pl.Expr]) -> pl.LazyFrame:
    """Repeat values that no column of the file decides, once per row."""
    index = piece.select(pl.int_range(pl.len()).alias("\x00row"))
    return index.with_columns(asked).drop("\x00row")


def _mixed(lane: np.ndarray) -> np.ndarray:
    from dedup.text.hashing import mix

    return mix(lane)
