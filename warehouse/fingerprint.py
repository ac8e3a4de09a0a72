"""Content hashes of tables: equal for equal rows, whatever their order, file layout or engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from schemas.contracts import Contract
from schemas.ids import digest

__all__ = ["content_hash", "parts", "read_parquet_sql"]


def parts(folder: Path) -> list[Path]:
    """Return the Parquet parts of a table folder, in name order."""
    return sorted(folder.glob("*.parquet"))


def read_parquet_sql(paths: Sequence[Path]) -> str:
    """Return a DuckDB table function reading ``paths``, with the names quoted."""
    quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{quoted}])"


def content_hash(paths: Sequence[Path], contract: Contract) -> tuple[str, int]:
    """Hash the rows of Parquet files as a multiset, and count them.

    Each row's stable columns are written as JSON; the 128-bit MD5 values of the rows are summed, so that order
    and partitioning do not matter and duplicates do.

    Parameters
    ----------
    paths
        Parquet files with the columns of ``contract``.
    contract
        Volatile columns are left out; the schema digest is part of the hash.

    Returns
    -------
    tuple
        ``(hash, rows)``, the hash as 32 hex digits.
    """
    if not paths:
        return digest([contract.schema_digest, 0, 0, 0]), 0
    columns = ", ".join(f'"{c.name}" := "{c.name}"' for c in contract.columns if not c.volatile)
    query = f"""
        SELECT count(*), sum(md5_number_lower(row)), sum(md5_number_upper(row))
        FROM (SELECT to_json(struct_pack({columns}))::VARCHAR AS row FROM {read_parquet_sql(paths)})
    """  # noqa: S608 - names come from contracts, paths are quoted
    with duckdb.connect() as connection:
        rows, low, high = connection.execute(query).fetchone()  # type: ignore[misc]
    return digest([contract.schema_digest, rows, str(low), str(high)]), rows
