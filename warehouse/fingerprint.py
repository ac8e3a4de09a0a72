"""Content hashes of tables, equal for equal rows whatever their order, file layout or engine; and of files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from glob import escape
from pathlib import Path

import duckdb

from schemas.contracts import Contract
from schemas.derive.duckdb import identifier, literal
from schemas.errors import InputError
from schemas.ids import digest

__all__ = ["combine", "content_hash", "file_sha256", "input_sha256", "parts", "read_parquet_sql", "row_hash_sql"]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_sha256(path: Path) -> str:
    """Return the SHA-256 of a file that a person named, as 64 hex digits.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}.", hint="check its permissions.") from error


def parts(folder: Path) -> list[Path]:
    """Return the Parquet parts of a table folder, in name order."""
    return sorted(folder.glob("*.parquet"))


def read_parquet_sql(paths: Sequence[Path]) -> str:
    """Return a DuckDB table function reading ``paths`` to the letter: quoted, and no pattern whatever they hold."""
    return f"read_parquet([{', '.join(literal(escape(str(path))) for path in paths)}])"


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
        return combine(contract, 0, 0, 0), 0
    query = f"""
        SELECT count(*), coalesce(sum(md5_number_lower(row)), 0), coalesce(sum(md5_number_upper(row)), 0)
        FROM (SELECT {row_hash_sql(contract)} AS row FROM {read_parquet_sql(paths)})
    """  # noqa: S608 - names come from contracts, paths are quoted
    with duckdb.connect() as connection:
        rows, low, high = connection.execute(query).fetchone()  # type: ignore[misc]
    return combine(contract, rows, low, high), rows


def row_hash_sql(contract: Contract) -> str:
    """Return the SQL expression whose MD5 names a row: its stable columns as JSON text."""
    stable = [identifier(column.name) for column in contract.columns if not column.volatile]
    columns = ", ".join(f"{name} := {name}" for name in stable)
    return f"to_json(struct_pack({columns}))::VARCHAR"


def combine(contract: Contract, rows: int, low: int, high: int) -> str:
    """Return the content hash of ``rows`` rows whose MD5 halves sum to ``low`` and ``high``.

    Sums of disjoint parts add up to those of the whole, so a table can be checked file by file.
    """
    return digest([contract.schema_digest, rows, str(low), str(high)])
