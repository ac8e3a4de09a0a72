"""The books: what runs did and found, entered once however often it is recorded.

Each book is an Iceberg table under the contract of its entries. An entry whose key is in the book is not entered
again, so that a run repeated after a kill, or a later run over the same rollouts, doubles nothing; where a book keeps
the present state of something, a newer entry takes the older one's place.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotsUpdate

from schemas import books, records
from schemas.contracts import Contract
from schemas.derive.iceberg import pinned_arrow
from schemas.errors import UsageError, did_you_mean
from schemas.tables import TableRef
from warehouse.catalog import BOOKS, Catalog, apply, data_files, retrying, table_name
from warehouse.fingerprint import read_parquet_sql
from warehouse.parquet import duck, quoted, view, write_query
from warehouse.stages import Workspace

__all__ = ["SHELF", "Book", "Entry", "append", "book_called", "book_lock", "files", "run_frame"]

_SMALL_BYTES = 8 << 20
_SMALL_FILES = 16
_SNAPSHOTS = 20


@dataclass(frozen=True, slots=True)
class Book:
    """A book's contract, and when an entry takes the place of an older one with its key.

    Parameters
    ----------
    renewed_if
        SQL condition over ``new`` and ``old``; None if the first entry stands for good.
    """

    contract: Contract
    renewed_if: str | None = None


_DIFFERS = "new IS DISTINCT FROM old"
SHELF = {
    "runs": Book(books.RUN, _DIFFERS),
    "decisions": Book(books.DECISION),
    "lineage": Book(books.LINEAGE),
    "rollouts": Book(records.ROLLOUT),
    "pass_rates": Book(records.PASS_RATE, "new.n + new.faults > old.n + old.faults"),
    "test_quality": Book(records.TEST_QUALITY, _DIFFERS),
    "rejections": Book(records.REJECTION, _DIFFERS),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of rows offered to a book.

    Parameters
    ----------
    added, renewed, known
        Rows entered, rows that took an older entry's place, and rows that were there already.
    repeated
        Rows with the key of another row offered with them; the first in the order of all columns counts.
    """

    added: int
    renewed: int
    known: int
    repeated: int


def book_called(name: str) -> Book:
    """Return the book called ``name``.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name in SHELF:
        return SHELF[name]
    raise UsageError(
        f"no book is called {name!r}; there are {', '.join(sorted(SHELF))}.",
        hint=did_you_mean(name, SHELF),
    )


def run_frame(run: Mapping[str, Any]) -> pl.DataFrame:
    """Return one run as a frame with the columns of contract ``run``; absent ones are null.

    Raises
    ------
    UsageError
        If the run has a column that the contract does not know.
    """
    if unknown := set(run) - set(books.RUN.names):
        raise UsageError(
            f"a run has no column {', '.join(sorted(unknown))}.",
            hint=f"known are {', '.join(books.RUN.names)}.",
        )
    return pl.DataFrame([dict(run)], schema=pl.Schema(books.RUN.arrow))


def book_lock(name: str) -> str:
    """Return the name of the lock that a writer of a book holds."""
    return f"book-{name}"


def files(catalog: Catalog, name: str) -> list[Path]:
    """Return the Parquet files of a book; none if nothing was entered yet."""
    book_called(name)
    table = catalog.find(BOOKS, name)
    return data_files(table, table.metadata.current_snapshot_id) if table else []


def append(catalog: Catalog, name: str, rows: pl.LazyFrame | pl.DataFrame | TableRef, run_id: str) -> Entry:
    """Enter rows into a book; see `warehouse.house.Warehouse.append`."""
    catalog.writable()
    book = book_called(name)
    lock = Workspace(catalog.root).lock(book_lock(name))
    with _offered(catalog, book, rows, table_name(run_id)) as source, lock:
        return retrying(lambda: _enter(catalog, name, book, source))


@contextmanager
def _offered(catalog: Catalog, book: Book, rows: pl.LazyFrame | pl.DataFrame | TableRef, run_id: str) -> Iterator[Path]:
    """Write what is offered to one file, in the contract's types and stamped with its run."""
    frame = Workspace(catalog.root).scan(rows) if isinstance(rows, TableRef) else rows.lazy()
    schema = pl.Schema(book.contract.arrow)
    if "run_id" in schema:
        frame = frame.with_columns(run_id=pl.lit(run_id))
    path = catalog.spill / f"{uuid.uuid4().hex}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        frame.select(pl.col(column).cast(of) for column, of in schema.items()).sink_parquet(path)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _enter(catalog: Catalog, name: str, book: Book, source: Path) -> Entry:
    table = catalog.make(BOOKS, name, book.contract)
    present = [task.file for task in table.scan().plan_files()]
    with duck(catalog.spill) as connection:
        entry = _sorted_out(connection, book, source, [Path(file.file_path) for file in present])
        if entry.added == entry.renewed == 0:
            return entry
        folded = _folded(connection, book.contract, present)
        query = _content(book.contract, [Path(file.file_path) for file in folded])
        pinned = pinned_arrow(book.contract, table.schema())
        written = write_query(connection, query, pinned, Path(table.metadata.location) / "data")
    _commit(table, folded, written)
    return entry


def _sorted_out(connection: duckdb.DuckDBPyConnection, book: Book, source: Path, present: list[Path]) -> Entry:
    """Make views ``entering`` (rows to write) and ``renewed`` (keys whose older entry goes), and count."""
    of = book.contract
    key, columns = quoted(of.key), quoted(of.names)
    view(connection, "offered", [source], of.arrow)
    view(connection, "present", present, of.arrow)
    total, distinct = _one(connection, f'SELECT count(*), count(DISTINCT row({key})) FROM "offered"')  # noqa: S608
    once = "" if total == distinct else f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {columns}) = 1"
    connection.execute(f'CREATE VIEW "incoming" AS SELECT {columns} FROM "offered" {once}')  # noqa: S608
    connection.execute(
        f"""
        CREATE TEMP TABLE "renewed" AS SELECT {quoted(of.key, "new.")}
        FROM "incoming" new JOIN (SELECT {columns} FROM "present") old USING ({key})
        WHERE {book.renewed_if or "false"}
        """,  # noqa: S608 - names come from contracts and are quoted
    )
    connection.execute(
        f"""
        CREATE VIEW "entering" AS SELECT * FROM "incoming" AS offer
        ANTI JOIN (SELECT {key} FROM "present" AS old ANTI JOIN "renewed" USING ({key})) USING ({key})
        """,  # noqa: S608
    )
    entering = _one(connection, 'SELECT count(*) FROM "entering"')[0]
    renewed = _one(connection, 'SELECT count(*) FROM "renewed"')[0]
    return Entry(entering - renewed, renewed, known=distinct - entering, repeated=total - distinct)


def _folded(connection: duckdb.DuckDBPyConnection, of: Contract, present: list[DataFile]) -> list[DataFile]:
    """Return the files to be rewritten: those with renewed entries, and small ones once they are many."""
    small = [file for file in present if file.file_size_in_bytes < _SMALL_BYTES]
    folded = {file.file_path for file in small} if len(small) >= _SMALL_FILES else set()
    if _one(connection, 'SELECT count(*) FROM "renewed"')[0]:
        paths = [Path(file.file_path) for file in present]
        query = f'SELECT DISTINCT filename FROM {read_parquet_sql(paths)} SEMI JOIN "renewed" USING ({quoted(of.key)})'  # noqa: S608
        folded |= {row[0] for row in connection.execute(query).fetchall()}
    return [file for file in present if file.file_path in folded]


def _content(of: Contract, folded: list[Path]) -> str:
    columns, key = quoted(of.names), quoted(of.key)
    query = f'SELECT {columns} FROM "entering"'  # noqa: S608 - names come from contracts and are quoted
    if folded:
        kept = f'SELECT {columns} FROM {read_parquet_sql(folded)} ANTI JOIN "renewed" USING ({key})'  # noqa: S608
        query = f"{query} UNION ALL {kept}"
    return f"{query} ORDER BY {key}"


def _commit(table: Table, folded: list[DataFile], written: list[Path]) -> None:
    """Put the written files in the place of the folded ones, provided that nobody wrote in the meantime."""
    held = AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=table.metadata.current_snapshot_id)
    with table.transaction() as transaction:
        apply(transaction, (), (held,))
        change = transaction.update_snapshot().overwrite()
        for file in folded:
            change.delete_data_file(file)
        for path in written:
            change.append_data_file(parquet_file_to_data_file(table.io, table.metadata, str(path)))
        change.commit()
        if past := [snapshot.snapshot_id for snapshot in table.metadata.snapshots[:-_SNAPSHOTS]]:
            apply(transaction, (RemoveSnapshotsUpdate(snapshot_ids=past),))


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    return connection.execute(query).fetchall()[0]
