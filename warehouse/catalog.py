"""The catalog of Iceberg tables: opening it, finding tables, committing to them, and saying what is wrong with it."""

from __future__ import annotations

import errno
import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import duckdb
import polars as pl
import pyarrow as pa
import pydantic
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchNamespaceError,
    NoSuchTableError,
    RESTError,
    TableAlreadyExistsError,
    ValidationError,
)
from pyiceberg.table import Table
from pyiceberg.table.update import TableRequirement, TableUpdate, UpdatesAndRequirements, UpdateTableMetadata
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from schemas.contracts import Contract
from schemas.derive.iceberg import iceberg_schema
from schemas.errors import MissingExtra, UsageError, WarehouseError
from warehouse.spill import SPILL
from warehouse.stages import Workspace

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog as IcebergCatalog

__all__ = ["BOOKS", "DATASETS", "Catalog", "apply", "data_files", "retrying", "table_name"]

DATASETS = "datasets"
BOOKS = "books"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_ATTEMPTS = 30
_PROPERTIES = {
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}
_FAULTS = (
    OSError,
    sqlite3.Error,
    SQLAlchemyError,
    RESTError,
    duckdb.Error,
    pa.ArrowException,
    pl.exceptions.PolarsError,
    pydantic.ValidationError,
    ValidationError,
    NoSuchTableError,
    CommitFailedException,
)
T = TypeVar("T")


def table_name(name: str) -> str:
    """Return ``name`` if a table may be called so.

    Raises
    ------
    UsageError
        If it may not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a dataset or run.",
            hint="allowed are up to 100 letters, digits, '-' and '_', beginning with a letter or digit.",
        )
    return name


@dataclass
class Catalog:
    """Iceberg tables of one warehouse.

    Parameters
    ----------
    root
        Folder of the warehouse, absolute; tables lie in its ``tables/``.
    uri
        SQLAlchemy URL of another catalog database, or the ``http(s)`` address of a REST catalog; None for
        ``catalog.db`` in the folder.
    """

    root: Path
    uri: str | None = None
    read_only: bool = False

    def __post_init__(self) -> None:
        with self.guarded("open"):
            self.backend = self._open()

    def _open(self) -> IcebergCatalog:
        if self.uri is not None and self.uri.startswith(("http://", "https://")):
            from pyiceberg.catalog.rest import RestCatalog

            return RestCatalog("sluice", uri=self.uri)
        if self.read_only:
            return SqlCatalog("sluice", uri=self._address(), init_catalog_tables="false")
        (self.root / "tables").mkdir(parents=True, exist_ok=True)
        with Workspace(self.root).lock("catalog"):
            backend = SqlCatalog("sluice", uri=self._address())
            for namespace in (DATASETS, BOOKS):
                backend.create_namespace_if_not_exists(namespace)
        return backend

    def _address(self) -> str:
        if self.uri is not None:
            return self.uri
        path = self.root / "catalog.db"
        orphans = [] if path.exists() else sorted(self.root.glob("tables/*/*/metadata"))
        if orphans or (self.read_only and not path.exists()):
            raise WarehouseError(
                f"{path} is missing" + (f", though {len(orphans)} tables lie beside it." if orphans else "."),
                hint="put catalog.db back from a backup; the tables are untouched."
                if orphans
                else "check the folder's name; a run makes a new warehouse.",
            )
        query = {"mode": "ro" if self.read_only else "rwc", "uri": "true", "timeout": "60"}
        return str(URL.create("sqlite", database=f"file:{quote(str(path))}", query=query))

    @property
    def spill(self) -> Path:
        """Folder for what does not fit into memory."""
        return self.root / SPILL

    @property
    def label(self) -> str:
        """The catalog's address without secrets."""
        if self.uri is None:
            return str(self.root / "catalog.db")
        try:
            return make_url(self.uri).set(query={}).render_as_string(hide_password=True)
        except ArgumentError:
            return "the catalog given"

    def names(self, namespace: str) -> list[str]:
        """Return the names of all tables of a namespace, sorted; none where its making was cut short."""
        try:
            return sorted(identifier[-1] for identifier in self.backend.list_tables(namespace))
        except NoSuchNamespaceError:
            return []

    def find(self, namespace: str, name: str) -> Table | None:
        """Return a table as it stands now, or None if there is none.

        Raises
        ------
        WarehouseError
            If its files are elsewhere than this warehouse.
        """
        try:
            table = self.backend.load_table((namespace, name))
        except NoSuchTableError:
            return None
        except FileNotFoundError as error:
            if str(self.root / "tables") in str(error):
                raise
            raise self._moved(f"{namespace}.{name}", "another folder, which is gone") from error
        home = Path(table.metadata.location)
        if not home.resolve().is_relative_to(self.root.resolve()):
            raise self._moved(f"{namespace}.{name}", str(home))
        return table

    def _moved(self, table: str, home: str) -> WarehouseError:
        return WarehouseError(
            f"table {table} was written to {home}, and this warehouse is {self.root}.",
            hint="Iceberg keeps absolute paths: open the warehouse at the folder where it was made, or let a "
            "symbolic link there lead here; to hand data on, use a release folder, which may lie anywhere.",
        )

    def make(self, namespace: str, name: str, contract: Contract) -> Table:
        """Return a table, made with the contract's schema if there is none yet.

        A new table is born with an empty snapshot on main, so that branches have something to branch off.
        """
        self.writable()
        if found := self.find(namespace, name):
            return found
        location = str(self.root / "tables" / namespace / table_name(name))
        try:
            with self.backend.create_table_transaction(
                (namespace, name),
                iceberg_schema(contract),
                location=location,
                properties={**_PROPERTIES, "comment": contract.doc},
            ) as birth:
                birth.update_snapshot().fast_append().commit()
        except (TableAlreadyExistsError, CommitFailedException, IntegrityError):
            pass
        table = self.find(namespace, name)
        if table is None:
            raise WarehouseError(f"table {namespace}.{name} could not be made in {self.label}.")
        return table

    def writable(self) -> None:
        """Refuse to go on in a warehouse opened read-only.

        Raises
        ------
        WarehouseError
            If it is.
        """
        if self.read_only:
            raise WarehouseError(f"{self.root} was opened read-only.", hint="open it with read_only=False to write.")

    @contextmanager
    def guarded(self, action: str) -> Iterator[None]:
        """Turn whatever the file system, the catalog or a file throws during ``action`` into a `WarehouseError`."""
        try:
            yield
        except _FAULTS as error:
            raise self._fault(action, error) from error
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or "a database driver", "postgres") from error

    def _fault(self, action: str, error: Exception) -> WarehouseError:
        text = str(getattr(error, "orig", None) or error).split("\n")[0]
        low = text.lower()
        number = getattr(error, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "disk is full" in low or "no space" in low:
            hint = "free some space and run again: nothing was published, and readers see what they saw."
        elif number in (errno.EROFS, errno.EACCES, errno.EPERM) or "readonly" in low or "read-only" in low:
            hint = "the folder cannot be written: check its permissions, or open the warehouse read-only."
        elif "not a database" in low or "malformed" in low:
            hint = f"{self.label} is corrupt: put it back from a backup; the tables beside it are untouched."
        elif isinstance(error, pa.ArrowException):
            hint = "the rows do not keep what their contract promises: correct them and run again."
        elif isinstance(error, FileNotFoundError | duckdb.Error | pl.exceptions.PolarsError):
            hint = "a file that the catalog names is damaged or gone: `sluice audit NAME` tells of a version; put the "
            hint += "file back from a backup, or roll back to another version."
        else:
            hint = "check that the catalog and the folder can be reached, then run again: finished work is kept."
        return WarehouseError(f"cannot {action} {self.root}: {text}.", hint=hint)


class _Updates(UpdateTableMetadata["_Updates"]):
    """Updates and requirements that belong together, as one part of a transaction."""

    def __init__(self, transaction: object, both: UpdatesAndRequirements) -> None:
        super().__init__(transaction)  # type: ignore[arg-type]
        self._both = both

    def _commit(self) -> UpdatesAndRequirements:
        return self._both


def apply(
    transaction: object, updates: tuple[TableUpdate, ...], requirements: tuple[TableRequirement, ...] = ()
) -> None:
    """Add updates to a transaction, to be committed only if all ``requirements`` still hold then."""
    _Updates(transaction, (updates, requirements)).commit()


def data_files(table: Table, snapshot_id: int) -> list[Path]:
    """Return the Parquet files of a snapshot, in name order.

    Raises
    ------
    WarehouseError
        If rows were deleted by delete files, which only Iceberg engines would honour.
    """
    tasks = list(table.scan(snapshot_id=snapshot_id).plan_files())
    if any(task.delete_files for task in tasks):
        raise WarehouseError(
            f"table {'.'.join(table.name())} has delete files, which plain Parquet readers would not see.",
            hint="rewrite it with copy-on-write, or roll back to a version that Sluice published.",
        )
    return sorted(Path(task.file.file_path) for task in tasks)


def retrying(action: Callable[[], T]) -> T:
    """Repeat ``action`` while other writers commit first, waiting a little longer each time."""
    for attempt in range(_ATTEMPTS):
        try:
            return action()
        except CommitFailedException:
            if attempt == _ATTEMPTS - 1:
                raise
        except ValueError as error:
            # pyiceberg reports a commit that came in between on another branch in these words only
            if "older than last sequence number" not in str(error) or attempt == _ATTEMPTS - 1:
                raise
        time.sleep(min(0.01 * 2**attempt, 1.0) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
    raise AssertionError
