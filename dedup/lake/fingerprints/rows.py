"""Rows of a table in the order of its files: their values, and their fingerprints under any projection.

The fingerprint of a row is the sum of its cells' hashes, each multiplied by an odd factor of its column, in two lanes
of 64 bits that share nothing: so any projection follows from cells that were hashed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from dedup.lake.files.faults import NotATable
from dedup.lake.files.frames import batches, leaf_expressions, naming_faults, pieces
from dedup.lake.files.storage import File, Storage
from dedup.lake.files.tables import Table
from dedup.lake.files.types import column
from dedup.lake.fingerprints.equality import LANES, cell, salt
from dedup.text.hashing import mix
from schemas.errors import Unreadable
from schemas.ids import digest

__all__ = [
    "FINGERPRINT",
    "Sample",
    "fingerprints",
    "frame_lane",
    "read",
    "row_lanes",
    "rows_digest",
    "salted",
    "sampled_cells",
]

FINGERPRINT = np.dtype([("low", np.uint64), ("high", np.uint64)])
"""The 128 bits of a row."""

_MASK = (1 << 64) - 1
_ROW = "\x00row"
Keys = Sequence[tuple[str, str | None]]
Leaves = dict[str, tuple[pl.Expr, pl.DataType]]


def read(storage: Storage, table: Table, columns: Iterable[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield a table's rows in the order of its files, about a hundred thousand at a time.

    Parameters
    ----------
    columns
        Dotted paths of leaf columns; all of the table's by default. A column that a file lacks is null there.

    Raises
    ------
    Unreadable
        If a file cannot be read any more.
    """
    wanted = [column.name for column in table.columns] if columns is None else list(columns)
    for piece, leaves, keys, file in _pieces(storage, table):
        known = dict(keys)
        asked = [
            leaves[name][0].alias(name) if name in leaves else pl.lit(known.get(name), pl.String).alias(name)
            for name in wanted
        ]
        names = leaves.keys() & set(wanted)
        rows = piece.select(asked) if names else _index(piece).with_columns(asked).select(wanted)
        with _reading(table, file):
            yield from batches(rows)


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
        result["low"][start:stop], result["high"][start:stop] = low.to_numpy(), high.to_numpy()
        start = stop
    return result


def frame_lane(frame: pl.DataFrame, policy: str) -> np.ndarray:
    """Return the first lane of the fingerprints of a frame's rows."""
    terms = [cell(column(name), of, policy, 0) * pl.lit(salt(name, 0), pl.UInt64) for name, of in frame.schema.items()]
    return frame.select(pl.sum_horizontal(terms)).to_series().to_numpy()


def rows_digest(storage: Storage, table: Table, columns: Iterable[str] | None = None, policy: str = "lossless") -> str:
    """Return a digest of a projection's rows as a multiset: equal for equal rows in any order and any format."""
    wanted = [column.name for column in table.columns] if columns is None else list(columns)
    rows, sums = 0, [0] * len(LANES)
    for found in row_lanes(storage, table, [wanted], policy):
        rows += len(found[0])
        sums = [
            (total + int(mix(lane.to_numpy()).sum(dtype=np.uint64))) & _MASK
            for total, lane in zip(sums, found, strict=True)
        ]
    return digest([sorted(wanted), rows, [str(total) for total in sums]])


def row_lanes(
    storage: Storage, table: Table, projections: Sequence[Sequence[str]], policy: str, sample: Sample | None = None
) -> Iterator[tuple[pl.Series, ...]]:
    """Yield both lanes of each projection's row fingerprints, batch by batch, reading the files once.

    Parameters
    ----------
    sample
        Is given the cells of the rows whose fingerprint under the first projection is small.

    Yields
    ------
    tuple
        ``low, high`` of the first projection, ``low, high`` of the second, ...
    """
    for piece, leaves, keys, file in _pieces(storage, table):
        constants = dict(keys)
        used = sorted({name for projection in projections for name in projection if name in leaves})
        plain = piece.select([leaves[name][0].alias(name) for name in used]) if used else _index(piece)
        lanes = [
            pl.sum_horizontal([_term(name, leaves, constants, policy, lane) for name in projection]).alias(
                f"\x00{place}.{lane}"
            )
            for place, projection in enumerate(projections)
            for lane in range(len(LANES))
        ]
        kept = [column(name) for name in used] if sample else []
        names = [lane.meta.output_name() for lane in lanes]
        sampled = []
        asked = plain.select(kept + lanes) if used else plain.with_columns(lanes).drop(_ROW)
        with _reading(table, file):
            for batch in batches(asked):
                if sample:
                    sampled.append(batch.filter(pl.col(names[0]) <= sample.last))
                yield tuple(batch[name] for name in names)
        if sample:
            rows = pl.concat(sampled)
            terms = [_term(name, leaves, constants, policy, 0).alias(name) for name in projections[0]]
            sample.cells.append(rows.select(terms) if used else rows.select(names[0]))


@dataclass(frozen=True, slots=True)
class Sample:
    """The salted cells, first lane, of rows with small fingerprints.

    Parameters
    ----------
    last
        Greatest first lane of the rows to take.
    """

    last: int
    cells: list[pl.DataFrame] = field(default_factory=list)


def sampled_cells(
    storage: Storage, table: Table, columns: Sequence[str], policy: str, last: int
) -> Iterator[pl.DataFrame]:
    """Yield the first lane of the cells of the rows whose fingerprint's first lane is at most ``last``."""
    for piece, leaves, keys, file in _pieces(storage, table):
        plain = piece.select([leaves[name][0].alias(name) for name in columns if name in leaves])
        terms = [_term(name, leaves, dict(keys), policy, 0).alias(name) for name in columns]
        with _reading(table, file):
            yield from batches(plain.select(terms).filter(pl.sum_horizontal(pl.all()) <= last))


def salted(column: str, value: str | None, policy: str, lane: int) -> np.uint64:
    """Return the salted hash of a cell whose text the path of its file gives; null where it gives none."""
    hashed = pl.select(cell(pl.lit(value, pl.String), pl.String(), policy, lane)).item()
    return np.uint64(hashed * salt(column, lane) & _MASK)


def _term(name: str, leaves: Leaves, constants: dict[str, str | None], policy: str, lane: int) -> pl.Expr:
    if name in leaves:
        return cell(column(name), leaves[name][1], policy, lane) * pl.lit(salt(name, lane), pl.UInt64)
    return pl.lit(int(salted(name, constants.get(name), policy, lane)), pl.UInt64)


def _pieces(storage: Storage, table: Table) -> Iterator[tuple[pl.LazyFrame, Leaves, Keys, File]]:
    for file, found, keys in zip(table.files, table.prints, table.partitions, strict=True):
        with _reading(table, file):
            for piece in pieces(storage, table.format, file, found):
                yield piece, leaf_expressions(piece.collect_schema()), keys, file
            storage.unchanged(file, file.bytes)


@contextmanager
def _reading(table: Table, file: File) -> Iterator[None]:
    try:
        with naming_faults():
            yield
    except NotATable as fault:
        raise Unreadable(table.name, file.name, fault.reason, fault.detail) from fault


def _index(piece: pl.LazyFrame) -> pl.LazyFrame:
    """Return as many rows, of a column that nothing is asked of."""
    return piece.select(pl.int_range(pl.len()).alias(_ROW))
