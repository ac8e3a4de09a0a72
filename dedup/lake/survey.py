"""A lake as it is now: its tables with what was found in their files, and what is not a table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dedup.lake.files.faults import NotATable
from dedup.lake.files.storage import File, Storage, local_file
from dedup.lake.files.tables import Found, Rejection, Table, grouped, joined
from dedup.lake.fingerprints.store import Store
from dedup.lake.scan import scan
from schemas.errors import Unreadable
from schemas.recipe.lake import Lake
from warehouse.engines import Engine, engine
from warehouse.stages import Services

if TYPE_CHECKING:
    from warehouse.house import Warehouse

__all__ = ["Survey", "engine_of", "store_of", "survey"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Survey:
    """What a lake holds.

    Parameters
    ----------
    tables
        In order of their names.
    rejections
        In order of their paths; every file is in exactly one table or rejection.
    bytes_read
        Bytes of the lake that had to be read to know this.
    """

    storage: Storage
    tables: tuple[Table, ...]
    rejections: tuple[Rejection, ...]
    bytes_read: int
    seconds: float

    def table(self, name: str) -> Table:
        """Return the table called ``name``; raises KeyError if there is none."""
        return {table.name: table for table in self.tables}[name]

    def without(self, unreadable: Unreadable) -> Survey:
        """Return the lake with the table of a file that cannot be read among the rejections."""
        fault = Rejection(unreadable.file, unreadable.reason, unreadable.detail)
        rejected = [*self.rejections, *_with_its_table(self.table(unreadable.table), [fault])]
        rejected.sort(key=lambda one: one.path)
        left = tuple(table for table in self.tables if table.name != unreadable.table)
        return replace(self, tables=left, rejections=tuple(rejected))


def store_of(config: Lake, services: Services) -> Store:
    """Return the fingerprints that the warehouse keeps for the policy of ``config``."""
    return Store(services.workspace.root / "cache" / "lake", config.policy)


@contextmanager
def engine_of(config: Lake, services: Services) -> Iterator[Engine]:
    """Lend the engine that the services bring, or else start the one that ``config`` names, and end it."""
    if services.engine is not None:
        yield services.engine
        return
    with engine(config.engine) as started:
        yield started


def survey(config: Lake, services: Services) -> Survey:
    """Find the tables of a lake and read what is new in them.

    Raises
    ------
    InputError
        If nothing is there.
    UsageError
        If the warehouse has no table of a given name.
    """
    began = time.monotonic()
    storage, tables, rejected = _listed(config, services)
    files = [(file, table.format) for table in tables for file in table.files]
    with engine_of(config, services) as runs:
        found = scan(files, storage, store_of(config, services), config.keep_cells_mb * _MIB, runs, services.progress)
    whole = []
    for table in tables:
        made, faults = _read(table, found)
        rejected += faults
        if made:
            whole.append(made)
    read = sum(one.bytes_read for one in found.values())
    rejected.sort(key=lambda one: one.path)
    return Survey(storage, tuple(whole), tuple(rejected), read, time.monotonic() - began)


def _listed(config: Lake, services: Services) -> tuple[Storage, list[Table], list[Rejection]]:
    if config.path is not None:
        storage = Storage(config.path)
        return storage, *grouped(storage.files())
    from warehouse.house import Warehouse

    warehouse = Warehouse.open(services.workspace.root, read_only=True)
    tables = [_published(warehouse, name) for name in sorted(set(config.tables))]
    empty = [
        Rejection(table.name, "empty", "this version has no rows, and no file") for table in tables if not table.files
    ]
    return Storage(str(warehouse.root)), [table for table in tables if table.files], empty


def _published(warehouse: Warehouse, name: str) -> Table:
    dataset, _, ref = name.partition("@")
    version = warehouse.version(dataset, ref or "latest")
    root = warehouse.root.resolve()
    files = tuple(local_file(root, path.resolve()) for path in warehouse.files(dataset, version.version))
    return Table(name, "parquet", files, ((),) * len(files), snapshot=str(version.snapshot_id))


def _read(table: Table, found: dict[File, Found]) -> tuple[Table | None, list[Rejection]]:
    """Return the table as it was read; a file that cannot be read takes its table with it."""
    prints = [found[file].print for file in table.files]
    faults = [
        Rejection(file.name, print_.reason, print_.detail)
        for file, print_ in zip(table.files, prints, strict=True)
        if isinstance(print_, NotATable)
    ]
    if faults:
        return None, _with_its_table(table, faults)
    made = joined(table, prints)  # type: ignore[arg-type] - faults were taken out
    return (None, [made]) if isinstance(made, Rejection) else (made, [])


def _with_its_table(table: Table, faults: list[Rejection]) -> list[Rejection]:
    """Return what is wrong with files of a table, and that the others are of no use without them."""
    bad = {fault.path for fault in faults}
    detail = f"of {table.name}, which {faults[0].path} makes unreadable"
    others = [file.name for file in table.files if file.name not in bad]
    return [*faults, *(Rejection(name, "incomplete_table", detail) for name in others)]
