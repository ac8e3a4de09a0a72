"""Sorted Parquet shards of a release, and what the manifest says of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from schemas.contracts import Contract
from schemas.derive.duckdb import identifier
from schemas.errors import InputError
from schemas.recipe.publish import Publish
from warehouse.fingerprint import file_sha256, read_parquet_sql, row_hash_sql
from warehouse.release.order import BATCH, Part, batches, ordered

__all__ = ["Shard", "describe", "shard_sizes", "write_shards"]

_SAFE_CONFIG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SAFE_SPLIT = re.compile(r"[A-Za-z0-9]\w*(\.\w+)*")


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file of a release.

    Parameters
    ----------
    path
        Relative to the release folder.
    row_hash_sum
        Lower and upper halves of the rows' 128-bit hashes, each summed: independent of order and file format.
    """

    path: str
    bytes: int
    sha256: str
    rows: int
    min_id: str
    max_id: str
    row_hash_sum: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """Return the shard as a JSON object; the sums as text, which no reader rounds."""
        fields = {name: getattr(self, name) for name in ("path", "bytes", "sha256", "rows", "min_id", "max_id")}
        return fields | {"row_hash_sum": [str(half) for half in self.row_hash_sum]}


def shard_sizes(rows: int, settings: Publish) -> list[int]:
    """Return the rows of each shard: equal to within one row, as many shards as are worth it.

    Examples
    --------
    >>> shard_sizes(9000, Publish())[:2], len(shard_sizes(9000, Publish())), shard_sizes(72, Publish())
    ([141, 141], 64, [72])
    """
    count = settings.shards
    while count > 1 and rows // count < settings.min_shard_rows:
        count //= 2
    each, more = divmod(rows, count)
    return [each + (index < more) for index in range(count)]


def write_shards(
    rows: Sequence[Path], of: Contract, parts: Sequence[Part], settings: Publish, folder: Path
) -> list[Path]:
    """Write the rows as sorted shards under ``folder/data/CONFIG/SPLIT/`` and return their paths.

    Raises
    ------
    InputError
        If a curriculum or phase has a name that readers cannot use as a configuration or split.
    """
    sizes = {part: shard_sizes(part.rows, settings) for part in parts}
    groups = [
        (part, index, size) for part in parts for index, total in enumerate(sizes[part]) for size in batches(total)
    ]
    tables = ordered(rows, of, [size for _, _, size in groups])
    written: list[Path] = []
    for part, index in dict.fromkeys((part, index) for part, index, _ in groups):
        path = folder / _place(part) / f"{index:05d}-of-{len(sizes[part]):05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, of.arrow, compression="zstd") as writer:
            for _ in batches(sizes[part][index]):
                writer.write_table(next(tables), row_group_size=BATCH)
        written.append(path)
    return written


def describe(paths: Sequence[Path], of: Contract, folder: Path) -> list[Shard]:
    """Read shards back and say what each holds."""
    if not paths:
        return []
    query = f"""
        SELECT filename, count(*), min(id)::VARCHAR, max(id)::VARCHAR,
               sum(md5_number_lower(row)), sum(md5_number_upper(row))
        FROM (SELECT filename, {identifier(of.key[0])} AS id, {row_hash_sql(of)} AS row FROM {read_parquet_sql(paths)})
        GROUP BY filename
    """  # noqa: S608 - names come from contracts, paths are quoted
    with duckdb.connect() as connection:
        found = {name: figures for name, *figures in connection.execute(query).fetchall()}
    return [_shard(path, found[str(path)], folder) for path in paths]


def _shard(path: Path, figures: list[Any], folder: Path) -> Shard:
    rows, low, high, *sums = figures
    relative = path.relative_to(folder).as_posix()
    return Shard(relative, path.stat().st_size, file_sha256(path), rows, low, high, (int(sums[0]), int(sums[1])))


def _place(part: Part) -> Path:
    if not (_SAFE_CONFIG.fullmatch(part.config) and _SAFE_SPLIT.fullmatch(part.split)):
        raise InputError(
            f"curriculum {part.config!r} with phase {part.split!r} cannot name a folder and a split.",
            hint="use letters, digits and underscores; a phase may have dots inside, a curriculum dashes.",
        )
    return Path("data") / part.config / part.split
