"""Exploring a warehouse in SQL: documented views over its Parquet files, for DuckDB and anything that opens its files.

There is a view per dataset (its latest version), per version (``"name@1.0.0"``) and per book, and the views of
``views.sql``. `query` answers from the present state of the warehouse; `write` puts the same views into a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from glob import escape
from importlib.resources import files
from pathlib import Path

import duckdb
import polars as pl

from schemas.contracts import Contract
from schemas.derive.duckdb import comments, empty_query, identifier, literal
from schemas.errors import UsageError, WarehouseError, nearest
from schemas.registry import contracts
from warehouse.books import SHELF
from warehouse.fingerprint import read_parquet_sql
from warehouse.house import Warehouse

__all__ = ["FILE", "connected", "query", "write"]

FILE = "sluice.duckdb"
"""Name of the file with the views, in the folder of the warehouse."""

_OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_TEXT_ONLY = ("INTERVAL", "UNION", "BIT", "BIGNUM")
_READING = {"SELECT", "EXPLAIN", "MULTI"}
_DERIVED = ("pass_rate", "funnel", "suspects")
_DAMAGED = "Failed to read file"
_NO_TABLE = re.compile(r"Table with name (.+) does not exist")
_NO_COLUMN = re.compile(r'Referenced column "(.+?)" (?:was )?not found')


def write(warehouse: Warehouse) -> Path:
    """Write ``sluice.duckdb`` with all views, replacing an older one in one step.

    The views name the Parquet files by absolute path; after moving a warehouse, write the file again.

    Returns
    -------
    Path
        The file. Whoever has the older one open goes on reading that.

    Raises
    ------
    WarehouseError
        If the file cannot be written.
    """
    path = warehouse.root / FILE
    staging = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        staging.unlink(missing_ok=True)
        with duckdb.connect(staging, config=_OFFLINE) as connection:
            _make_views(connection, warehouse)
        staging.replace(path)
    except (OSError, duckdb.Error) as error:
        raise WarehouseError(
            f"{path} cannot be written: {error}.",
            hint="check free space and permissions; the data is not affected.",
        ) from error
    finally:
        staging.unlink(missing_ok=True)
    return path


def query(warehouse: Warehouse, sql: str) -> pl.DataFrame:
    """Answer one SQL query over the views; nothing can be written, and no other file can be read.

    Raises
    ------
    UsageError
        If the query is not one reading statement, or DuckDB refuses it; unknown names get the nearest known one.
    WarehouseError
        If a file that it asks for cannot be read.
    """
    with connected(warehouse) as connection:
        try:
            _refuse_writing(connection.extract_statements(sql))
            return _frame(connection.sql(sql))
        except duckdb.Error as error:
            if _DAMAGED in str(error):
                raise
            raise _usage_error(connection, error) from error


def _frame(found: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """Return a result as a frame: as text what polars has no type for, as whole numbers what sums give."""
    columns = list(zip(found.columns, map(str, found.types), strict=True))
    taken = [
        f"#{place}::VARCHAR AS {identifier(name)}" if any(word in of for word in _TEXT_ONLY) else f"#{place}"
        for place, (name, of) in enumerate(columns, start=1)
    ]
    shown = found.select(", ".join(taken)) if any("VARCHAR" in one for one in taken) else found
    return shown.pl().with_columns(pl.col(name).cast(pl.Int128) for name, of in columns if of == "HUGEINT")


@contextmanager
def connected(
    warehouse: Warehouse, more: Mapping[str, Sequence[Path]] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB that knows the views and can reach no file but theirs.

    Parameters
    ----------
    more
        Further views: Parquet files by name; a column ``filename`` tells which file a row stands in.

    Raises
    ------
    WarehouseError
        If a file that the warehouse names cannot be read.
    """
    with duckdb.connect(config=_OFFLINE) as connection, warehouse.catalog.guarded("read"):
        allowed = _make_views(connection, warehouse)
        for name, paths in (more or {}).items():
            source = f"SELECT *, filename FROM {read_parquet_sql(paths)}"  # noqa: S608 - quoted paths
            connection.execute(f"CREATE VIEW {identifier(name)} AS {source}")
            allowed += paths
        _confine(connection, allowed)
        yield connection


def _make_views(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse) -> list[Path]:
    """Make and document all views, and return the files that they read."""
    read: list[Path] = []
    for name, book in SHELF.items():
        paths = warehouse.book_files(name)
        read += _view(connection, name, paths, book.contract, "Book of the warehouse.")
    for name, ref, contract, note in _datasets(warehouse):
        read += _view(connection, name, warehouse.files(*ref), contract, note)
    connection.execute(files("warehouse").joinpath("views.sql").read_text(encoding="utf-8"))
    return sorted(set(read))


def _datasets(warehouse: Warehouse) -> Iterator[tuple[str, tuple[str, str], Contract | None, str]]:
    """Yield view name, dataset and version, contract and remark, for each version and for the latest one.

    A dataset with the name of a book or of a derived view is found as ``name@latest``.
    """
    known = contracts()
    for name in warehouse.datasets():
        latest = warehouse.version(name)
        plain = f"{name}@latest" if name in {*SHELF, *_DERIVED} else name
        yield plain, (name, latest.version), known.get(latest.contract), f"Latest version, {latest.version}."
        for version in warehouse.versions(name):
            note = f"Version {version.version} of {name}, published {version.published_at:%Y-%m-%d %H:%M} UTC."
            yield f"{name}@{version.version}", (name, version.version), known.get(version.contract), note


def _view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    paths: Sequence[Path],
    contract: Contract | None,
    note: str,
) -> Sequence[Path]:
    if paths:
        source = f"SELECT * FROM {read_parquet_sql(paths)}"  # noqa: S608 - quoted paths
    else:
        source = empty_query(contract) if contract else "SELECT 0 AS nothing WHERE false"
    connection.execute(f"CREATE VIEW {identifier(name)} AS {source}")
    if contract is None:
        connection.execute(f"COMMENT ON VIEW {identifier(name)} IS {literal(note)}")
        return paths
    there = {row[0] for row in connection.execute(f"DESCRIBE {identifier(name)}").fetchall()}
    for statement in comments(name, contract, note=note, columns=there):
        connection.execute(statement)
    return paths


def _confine(connection: duckdb.DuckDBPyConnection, allowed: Sequence[Path]) -> None:
    """Leave the connection nothing but the views' own files, for good."""
    # what is no pattern by its spelling is opened under that spelling
    listed = ", ".join(literal(name) for path in allowed for name in (str(path), escape(str(path))))
    connection.execute(f"SET allowed_paths = [{listed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")


def _refuse_writing(statements: Sequence[duckdb.Statement]) -> None:
    kinds = [statement.type.name for statement in statements]
    if len(kinds) != 1 or kinds[0] not in _READING:
        raise UsageError(
            f"the query holds {', '.join(kinds) or 'no statement'}; one reading statement is allowed.",
            hint="start with SELECT, FROM, WITH, DESCRIBE, SUMMARIZE or SHOW ALL TABLES.",
        )


def _usage_error(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> UsageError:
    text = str(error).split("\n\n")[0]
    message = text.splitlines()[0]
    return UsageError(f"DuckDB refuses the query: {message}", hint=_hint(connection, text))


def _hint(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    views = [row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
    if found := _NO_TABLE.search(text):
        close = nearest(found[1], views)
        return f"did you mean {identifier(close)}?" if close else f"there are {', '.join(sorted(views))}."
    if found := _NO_COLUMN.search(text):
        columns = connection.execute("SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
        near_by = re.findall(r'"([^"]+)"', text.partition("Candidate bindings:")[2])
        close = nearest(found[1], near_by) or nearest(found[1], sorted(row[0] for row in columns))
        return f"did you mean {identifier(close)}?" if close else "DESCRIBE <view> lists its columns."
    return "SHOW ALL TABLES lists the views, DESCRIBE <view> the columns of one."
