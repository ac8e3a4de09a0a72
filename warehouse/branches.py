"""Rows that wait for their audit: written to a branch of their own, which no reader sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import (
    AddSchemaUpdate,
    AssertLastAssignedFieldId,
    AssertRefSnapshotId,
    RemovePropertiesUpdate,
    RemoveSnapshotRefUpdate,
    SetCurrentSchemaUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
)

from schemas.contracts import Contract
from schemas.derive.iceberg import evolved_schema, pinned_arrow, same_columns
from schemas.errors import WarehouseError
from schemas.tables import TableRef
from warehouse.catalog import DATASETS, Catalog, apply, data_files, retrying
from warehouse.fingerprint import content_hash, parts
from warehouse.parquet import duck, quoted, view, write_query
from warehouse.stages import Workspace
from warehouse.versions import Version

__all__ = [
    "Audit",
    "AuditOutcome",
    "Publication",
    "branch_of",
    "branched",
    "drop_branch",
    "forgiven",
    "reject",
    "rejection_of",
]

_REJECTED = "sluice.rejected."


class AuditOutcome(Protocol):
    """What an audit found."""

    @property
    def success(self) -> bool:
        """True if the rows may be published."""

    @property
    def summary(self) -> str:
        """What was found, in a line or a few."""


Audit = Callable[[list[Path], Contract], AuditOutcome]


@dataclass(frozen=True)
class Publication:
    """Rows to be published, with everything that stays the same while main moves."""

    catalog: Catalog
    name: str
    contract: Contract
    rows: TableRef
    run_id: str
    audit: Audit
    notes: str
    carries_on: Version | None = None

    @property
    def branch(self) -> str:
        """Where the rows wait for their audit."""
        return branch_of(self.run_id)

    @property
    def folder(self) -> Path:
        """Where their files lie, before and after."""
        return self.catalog.root / "tables" / DATASETS / self.name / "data" / self.branch

    @property
    def identity(self) -> dict[str, str]:
        """What a staged snapshot must carry to be this job's."""
        return {
            "sluice.content-hash": self.rows.content_hash,
            "sluice.contract": self.contract.name,
            "sluice.contract-version": self.contract.version,
        }

    def table(self) -> Table:
        """Return the dataset's table as it stands now."""
        return self.catalog.make(DATASETS, self.name, self.contract)


def branch_of(run_id: str) -> str:
    """Return the name of the branch to which a run writes."""
    return f"run-{run_id}"


def rejection_of(table: Table, branch: str) -> str | None:
    """Return why the audit rejected what lies on ``branch``, or None if it did not."""
    return table.metadata.properties.get(_REJECTED + branch)


def reject(job: Publication, summary: str) -> None:
    """Note at the job's branch why the audit rejected what lies on it."""
    with job.table().transaction() as transaction:
        apply(transaction, (SetPropertiesUpdate(updates={_REJECTED + job.branch: summary}),))


def forgiven(job: Publication, table: Table) -> tuple[TableUpdate, ...]:
    """Return what takes back an earlier rejection of the job's branch."""
    if rejection_of(table, job.branch) is None:
        return ()
    return (RemovePropertiesUpdate(removals=[_REJECTED + job.branch]),)


def drop_branch(table: Table, branch: str) -> None:
    """Remove a branch, if it is there, and what was noted about it; its snapshot and files become garbage."""
    ref = table.metadata.refs.get(branch)
    if ref is None:
        return
    updates: tuple[TableUpdate, ...] = (RemoveSnapshotRefUpdate(ref_name=branch),)
    if rejection_of(table, branch) is not None:
        updates += (RemovePropertiesUpdate(removals=[_REJECTED + branch]),)
    with table.transaction() as transaction:
        apply(transaction, updates, (AssertRefSnapshotId(ref=branch, snapshot_id=ref.snapshot_id),))


def branched(job: Publication, table: Table) -> Snapshot:
    """Return the job's snapshot on its branch, begun at main's head; files of an earlier attempt serve again."""
    earlier = table.metadata.snapshot_by_name(job.branch)
    if earlier is None or not _carries(earlier, job):
        paths = _written(job, retrying(lambda: _target_schema(job)))
    elif earlier.parent_snapshot_id == table.metadata.current_snapshot_id:
        return earlier
    else:
        paths = data_files(table, earlier.snapshot_id)
    return retrying(lambda: _committed(job, paths))


def _carries(snapshot: Snapshot, job: Publication) -> bool:
    summary = snapshot.summary.additional_properties if snapshot.summary else {}
    return job.identity.items() <= summary.items()


def _target_schema(job: Publication) -> Schema:
    """Return the table's schema for the contract; a new one becomes known, but not yet the one that readers see."""
    table = job.table()
    known = [table.schema(), *reversed(table.metadata.schemas)]
    wanted = evolved_schema(job.contract, table.schema(), last_id=table.metadata.last_column_id)
    if fitting := next((schema for schema in known if same_columns(schema, wanted)), None):
        return fitting
    number = max(schema.schema_id for schema in known) + 1
    added = AddSchemaUpdate(schema=wanted.model_copy(update={"schema_id": number}))
    ids_unused = AssertLastAssignedFieldId(last_assigned_field_id=table.metadata.last_column_id)
    with table.transaction() as transaction:
        apply(transaction, (added,), (ids_unused,))
    return added.schema_


def _written(job: Publication, schema: Schema) -> list[Path]:
    """Write the rows in the pinned schema, sorted by key, and check that they are the rows referred to."""
    workspace = Workspace(job.catalog.root)
    pinned = pinned_arrow(job.contract, schema)
    with duck(job.catalog.spill) as connection, _from_whole(workspace, job.rows):
        view(connection, "rows", parts(workspace.folder(job.rows)), job.contract.arrow)
        query = f'SELECT {quoted(pinned.names)} FROM "rows" ORDER BY {quoted(job.contract.key)}'  # noqa: S608 - quoted
        paths = write_query(connection, query, pinned, job.folder)
    found, count = content_hash(paths, job.contract)
    if (found, count) != (job.rows.content_hash, job.rows.rows):
        for path in paths:
            path.unlink()
        raise WarehouseError(
            f"table {job.rows.path} holds {count} rows with hash {found}; {job.rows.rows} with "
            f"{job.rows.content_hash} were to be published.",
            hint="the finished stage was changed by hand: delete its folder and run again.",
        )
    return paths


@contextmanager
def _from_whole(workspace: Workspace, rows: TableRef) -> Iterator[None]:
    """Tell, where rows cannot be read, whether they are to blame."""
    try:
        yield
    except duckdb.Error:
        workspace.check(rows)
        raise


def _committed(job: Publication, paths: list[Path]) -> Snapshot:
    """Commit a snapshot that replaces main's content by ``paths`` to the job's branch; main stays as it is."""
    target = _target_schema(job)
    table = job.table()
    metadata = table.metadata
    head = metadata.current_snapshot_id
    with table.transaction() as transaction:
        begun = SetSnapshotRefUpdate(ref_name=job.branch, type=SnapshotRefType.BRANCH, snapshot_id=head)
        was = metadata.refs.get(job.branch)
        held = AssertRefSnapshotId(ref=job.branch, snapshot_id=was.snapshot_id if was else None)
        apply(transaction, (SetCurrentSchemaUpdate(schema_id=target.schema_id), begun), (held,))
        change = transaction.update_snapshot(job.identity | {"sluice.run-id": job.run_id}, job.branch).overwrite()
        for old in table.scan(snapshot_id=head).plan_files():
            change.delete_data_file(old.file)
        staged = transaction.table_metadata
        for path in paths:
            change.append_data_file(parquet_file_to_data_file(table.io, staged, str(path)))
        change.commit()
        apply(transaction, (SetCurrentSchemaUpdate(schema_id=metadata.current_schema_id), *forgiven(job, table)))
    return job.table().metadata.snapshot_by_name(job.branch)  # type: ignore[return-value]
