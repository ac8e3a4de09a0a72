"""The warehouse: datasets with their versions, and the books kept about them, in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from pyiceberg.table import Table

from schemas.errors import UsageError, did_you_mean
from schemas.registry import contract, contracts
from schemas.tables import TableRef
from warehouse import books
from warehouse.branches import Audit, Publication
from warehouse.catalog import DATASETS, Catalog, data_files, retrying
from warehouse.diff import Diff, compare, side
from warehouse.janitor import Removal, sweep
from warehouse.parquet import scan_parts
from warehouse.publish import Published, publish, rollback
from warehouse.stages import Workspace
from warehouse.versions import Version, published, resolve

__all__ = ["Move", "Published", "Warehouse"]


@dataclass(frozen=True, slots=True)
class Move:
    """One step of what readers saw: when main came to point at ``version``."""

    at: datetime
    version: str


@dataclass(frozen=True)
class Warehouse:
    """Datasets, their versions, and the books; made by `Warehouse.open`.

    Parameters
    ----------
    workspace
        Where stages keep their finished work.
    catalog
        Where tables are found.
    """

    workspace: Workspace
    catalog: Catalog

    @classmethod
    def open(cls, root: Path, *, uri: str | None = None, read_only: bool = False) -> Warehouse:
        """Open the warehouse in ``root``, or begin one there.

        Parameters
        ----------
        root
            Folder of the warehouse.
        uri
            SQLAlchemy URL of a catalog database (``postgresql+psycopg2://...``) or address of a REST catalog;
            None for the SQLite file ``catalog.db`` in ``root``.
        read_only
            Refuse to write, and ask for no permission to.

        Raises
        ------
        WarehouseError
            If there is none to read, or its catalog is corrupt or out of reach.
        """
        home = Path(root).expanduser().absolute()
        return cls(Workspace(home), Catalog(home, uri, read_only))

    @property
    def root(self) -> Path:
        """Folder of the warehouse."""
        return self.workspace.root

    def datasets(self) -> list[str]:
        """Return the names of the datasets that have a version, sorted."""
        with self.catalog.guarded("list the datasets of"):
            tables = {name: self._find(name) for name in self.catalog.names(DATASETS)}
            return [name for name, table in tables.items() if table and published(table)]

    def versions(self, name: str) -> list[Version]:
        """Return all versions of a dataset, oldest first.

        Raises
        ------
        UsageError
            If there is no such dataset.
        """
        with self.catalog.guarded("read the versions in"):
            return published(self._table(name))

    def version(self, name: str, ref: str = "latest") -> Version:
        """Return one version: ``latest`` (what main points at), ``1.2.0`` or ``v1.2.0``.

        Raises
        ------
        UsageError
            If there is no such dataset or version; the nearest is suggested.
        """
        with self.catalog.guarded("read the versions in"):
            return resolve(self._table(name), name, ref)

    def history(self, name: str) -> list[Move]:
        """Return what readers of a dataset saw and since when, oldest first; a rollback is a move to an older one."""
        with self.catalog.guarded("read the history in"):
            table = self._table(name)
            tags = {version.snapshot_id: version.version for version in published(table)}
            return [
                Move(datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC), tags[entry.snapshot_id])
                for entry in table.metadata.snapshot_log
                if entry.snapshot_id in tags
            ]

    def files(self, name: str, ref: str = "latest") -> list[Path]:
        """Return the Parquet files that together are a version, in the order of its key.

        Raises
        ------
        UsageError
            If there is no such dataset or version.
        WarehouseError
            If plain Parquet readers would not see the version's rows as Iceberg does.
        """
        with self.catalog.guarded("read the files of"):
            table = self._table(name)
            return data_files(table, resolve(table, name, ref).snapshot_id)

    def scan(self, name: str, ref: str = "latest") -> pl.LazyFrame:
        """Return a version's rows lazily, sorted by key.

        Raises
        ------
        UsageError
            If there is no such dataset or version.
        WarehouseError
            If its files cannot be read.
        """
        with self.catalog.guarded("read"):
            table = self._table(name)
            rows = side(table, resolve(table, name, ref)).scan()
            rows.collect_schema()
            return rows

    def publish(  # noqa: PLR0913 - all that makes a version
        self,
        name: str,
        contract_name: str,
        rows: TableRef,
        *,
        run_id: str,
        audit: Audit,
        notes: str = "",
        carries_on: Version | None = None,
    ) -> Published:
        """Write rows to a branch, audit them there, and let readers see them as the next version.

        The version replaces the dataset's content. Rows that are published already make no version. If others
        publish in the meantime, the rows are put on top of theirs and audited again.

        Parameters
        ----------
        contract_name
            Contract that the rows follow.
        rows
            Table in the workspace.
        run_id
            Names the branch ``run-<run_id>``; a run that was killed goes on where it was.
        audit
            ``(staged files, contract) -> outcome`` with ``success`` and ``summary``.
        notes
            Words of the author, put before the release notes derived from the diff.
        carries_on
            Version whose rows these hold, with more: publishing the rows that it began with is a no-op from now on.

        Raises
        ------
        GateFailed
            If the audit found bad data; main is untouched and the branch is kept.
        GateBroken
            If the audit could not run.
        PublishConflict
            If others published again and again in the meantime.
        WarehouseError
            If the warehouse cannot be written, or the rows are not those referred to.
        """
        with self.catalog.guarded("publish to"):
            of = contract(contract_name)
            return publish(Publication(self.catalog, name, of, rows, run_id, audit, notes, carries_on))

    def rollback(self, name: str, ref: str) -> Version:
        """Let readers of ``latest`` see an older version again; tags stay, and the next version number is higher.

        Raises
        ------
        UsageError
            If there is no such dataset or version.
        """
        self.catalog.writable()
        with self.catalog.guarded("roll back in"):
            version = resolve(self._table(name), name, ref)
            retrying(lambda: rollback(self.catalog, name, version))
            return version

    def diff(self, name: str, before: str, after: str = "latest") -> Diff:
        """Compare two versions record by record, out of core.

        Raises
        ------
        UsageError
            If there is no such dataset or version.
        """
        with self.catalog.guarded("compare versions in"):
            table = self._table(name)
            old, new = resolve(table, name, before), resolve(table, name, after)
            of = contracts().get(new.contract)
            volatile = of.volatile if of else ()
            return compare(side(table, old), side(table, new), volatile=volatile, spill=self.catalog.spill)

    def append(self, book: str, rows: pl.LazyFrame | pl.DataFrame | TableRef, run_id: str) -> books.Entry:
        """Enter rows into a book; what is there already by the contract's key is not entered twice.

        Parameters
        ----------
        book
            ``runs``, ``decisions``, ``lineage``, ``rollouts``, ``pass_rates``, ``test_quality`` or ``rejections``.
        rows
            A frame with the book's columns, or a table of the workspace; ``run_id`` is filled in where it belongs.

        Raises
        ------
        UsageError
            If there is no such book.
        WarehouseError
            If the warehouse cannot be written.
        """
        with self.catalog.guarded("write the books of"):
            return books.append(self.catalog, book, rows, run_id)

    def upsert_run(self, run: Mapping[str, Any]) -> books.Entry:
        """Enter a run (columns of contract ``run``) into the book of runs, or bring its entry up to date."""
        with self.catalog.guarded("write the books of"):
            return books.append(self.catalog, "runs", books.run_frame(run), str(run["run_id"]))

    def book(self, name: str) -> pl.LazyFrame:
        """Return a book lazily; an unwritten one is empty.

        Raises
        ------
        UsageError
            If there is no such book.
        """
        return scan_parts(self.book_files(name), books.book_called(name).contract.arrow)

    def book_files(self, name: str) -> list[Path]:
        """Return the Parquet files of a book."""
        with self.catalog.guarded("read the books of"):
            return books.files(self.catalog, name)

    def sweep(
        self,
        *,
        age: timedelta = timedelta(days=7),
        grace: timedelta = timedelta(hours=1),
        dry_run: bool = False,
    ) -> list[Removal]:
        """Take away what no version, book or living run needs: branches, snapshots, files, stagings, locks.

        Parameters
        ----------
        age
            How long branches that the audit rejected are kept for inspection.
        grace
            How long everything else is left alone, for writers and readers on other machines.
        dry_run
            Only tell what would go.

        Raises
        ------
        WarehouseError
            If the warehouse cannot be written.
        """
        with self.catalog.guarded("sweep"):
            return sweep(self.catalog, age=age, grace=grace, dry_run=dry_run)

    def _find(self, name: str) -> Table | None:
        return self.catalog.find(DATASETS, name)

    def _table(self, name: str) -> Table:
        if table := self._find(name):
            return table
        known = self.catalog.names(DATASETS)
        raise UsageError(
            f"no dataset is called {name!r}; there are {', '.join(known) or 'none yet'}.",
            hint=did_you_mean(name, known) or "publish one with: sluice run RECIPE",
        )
