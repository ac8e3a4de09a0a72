"""Write-audit-publish: rows are written to a branch, audited there, and become visible in one commit or not at all.

Iceberg keeps branches and tags as named references to snapshots. A run writes to a branch of its own; main moves to
the audited snapshot only if it still is where the branch began (compare-and-set), and in the same commit the version
is tagged and the branch goes. Other writers' commits are therefore never discarded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
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
from schemas.errors import GateBroken, GateFailed, PublishConflict, SluiceError, UsageError, WarehouseError
from schemas.tables import TableRef
from warehouse.catalog import DATASETS, Catalog, apply, data_files, retrying, table_name
from warehouse.diff import Diff, compare, release_notes, side
from warehouse.fingerprint import content_hash, parts
from warehouse.parquet import duck, quoted, view, write_query
from warehouse.stages import Workspace
from warehouse.versions import Bump, Version, current, following, published

__all__ = [
    "Audit",
    "AuditOutcome",
    "Publication",
    "Published",
    "branch_of",
    "drop_branch",
    "lock_of",
    "publish",
    "rejection_of",
    "rollback",
]

_REBASES = 5
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
class Published:
    """What came of publishing.

    Parameters
    ----------
    version
        The version that readers now see.
    unchanged
        True if readers see these very rows, or what carries them on; no version was made.
    diff
        Against the version before; None if unchanged or the first.
    audit
        What the audit found; None if unchanged.
    """

    version: Version
    unchanged: bool = False
    diff: Diff | None = None
    audit: AuditOutcome | None = None


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


def lock_of(name: str, run_id: str) -> str:
    """Return the name of the lock that a run holds while it publishes to a dataset."""
    return f"publish-{name}-{run_id}"


def rejection_of(table: Table, branch: str) -> str | None:
    """Return why the audit rejected what lies on ``branch``, or None if it did not."""
    return table.metadata.properties.get(_REJECTED + branch)


def publish(job: Publication) -> Published:
    """Carry out a publication; see `warehouse.house.Warehouse.publish`."""
    job.catalog.writable()
    if job.rows.contract != job.contract.name:
        raise UsageError(
            f"dataset {job.name!r} is published under contract {job.contract.name!r}, "
            f"and the rows follow {job.rows.contract!r}.",
            hint="publish the rows under their own contract.",
        )
    with Workspace(job.catalog.root).lock(lock_of(table_name(job.name), table_name(job.run_id))):
        for _ in range(_REBASES):
            table = job.table()
            base = current(table)
            if base is not None and _same(base, job):
                retrying(lambda: drop_branch(job.table(), job.branch))
                return Published(base, unchanged=True)
            staged = _staged(job, table)
            outcome = _audited(job, staged)
            try:
                return _promote(job, staged, outcome)
            except _Diverged:
                continue
    raise PublishConflict(
        f"dataset {job.name!r} was published by others {_REBASES} times while run {job.run_id!r} was being audited.",
        hint="run again when the other runs are done: what is staged is kept, and only the audit is repeated.",
    )


def _same(base: Version, job: Publication) -> bool:
    """Return True if readers see these very rows, or what carries them on."""
    contract = (job.contract.name, job.contract.version)
    return contract == (base.contract, base.contract_version) and job.rows.content_hash in (
        base.content_hash,
        base.origin,
    )


class _Diverged(Exception):
    """Main moved since the branch was made."""


def _staged(job: Publication, table: Table) -> Snapshot:
    """Return the job's snapshot on its branch, begun at main's head; files of an earlier attempt serve again."""
    earlier = table.metadata.snapshot_by_name(job.branch)
    if earlier is None or not _carries(earlier, job):
        paths = _written(job, retrying(lambda: _target_schema(job)))
    elif earlier.parent_snapshot_id == table.metadata.current_snapshot_id:
        return earlier
    else:
        paths = data_files(table, earlier.snapshot_id)
    return retrying(lambda: _branched(job, paths))


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
    source = parts(Workspace(job.catalog.root).folder(job.rows))
    pinned = pinned_arrow(job.contract, schema)
    with duck(job.catalog.spill) as connection:
        view(connection, "rows", source, job.contract.arrow)
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


def _branched(job: Publication, paths: list[Path]) -> Snapshot:
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
        apply(transaction, (SetCurrentSchemaUpdate(schema_id=metadata.current_schema_id), *_forgiven(job, table)))
    return job.table().metadata.snapshot_by_name(job.branch)  # type: ignore[return-value]


def _forgiven(job: Publication, table: Table) -> tuple[TableUpdate, ...]:
    if rejection_of(table, job.branch) is None:
        return ()
    return (RemovePropertiesUpdate(removals=[_REJECTED + job.branch]),)


def _audited(job: Publication, staged: Snapshot) -> AuditOutcome:
    paths = data_files(job.table(), staged.snapshot_id)
    try:
        outcome = job.audit(paths, job.contract)
    except SluiceError:
        raise
    except Exception as error:
        raise GateBroken(
            f"the audit of dataset {job.name!r} could not run: {type(error).__name__}: {error}.",
            hint=f"nothing was published; the rows wait on branch {job.branch!r}. Run again once the cause is mended.",
        ) from error
    if not outcome.success:
        retrying(lambda: _mark_rejected(job, outcome.summary))
        raise GateFailed(
            f"the audit of dataset {job.name!r} found bad data: {outcome.summary}",
            hint=f"readers still see what they saw; the rejected rows are kept on branch {job.branch!r}.",
        )
    return outcome


def _mark_rejected(job: Publication, summary: str) -> None:
    with job.table().transaction() as transaction:
        apply(transaction, (SetPropertiesUpdate(updates={_REJECTED + job.branch: summary}),))


def _promote(job: Publication, staged: Snapshot, outcome: AuditOutcome) -> Published:
    """Make the audited snapshot the next version, unless main has moved."""
    table = job.table()
    base = current(table)
    draft = Version(
        name=job.name,
        version="0.0.0",
        snapshot_id=staged.snapshot_id,
        published_at=datetime.now(UTC),
        run_id=job.run_id,
        content_hash=job.rows.content_hash,
        rows=job.rows.rows,
        bump=Bump.MAJOR,
        notes=job.notes.strip() or f"First version: {job.rows.rows} rows.",
        contract=job.contract.name,
        contract_version=job.contract.version,
        schema_digest=job.contract.schema_digest,
        origin=(job.carries_on.origin or job.carries_on.content_hash) if job.carries_on else "",
    )
    change = None
    if base is not None:
        change = compare(side(table, base), side(table, draft), volatile=job.contract.volatile, spill=job.catalog.spill)
        draft = replace(draft, bump=change.bump, notes=release_notes(change, job.notes))
    version = retrying(lambda: _commit_version(job, staged, draft))
    return Published(version, diff=change, audit=outcome)


def _commit_version(job: Publication, staged: Snapshot, draft: Version) -> Version:
    """Move main, tag the version and drop the branch in one commit, provided that main is where the branch began."""
    table = job.table()
    head = table.metadata.current_snapshot_id
    if staged.parent_snapshot_id != head:
        raise _Diverged
    version = replace(draft, version=following(published(table), draft.bump), published_at=datetime.now(UTC))
    with table.transaction() as transaction:
        apply(
            transaction,
            (
                SetCurrentSchemaUpdate(schema_id=staged.schema_id),
                SetSnapshotRefUpdate(ref_name=MAIN_BRANCH, type=SnapshotRefType.BRANCH, snapshot_id=staged.snapshot_id),
                SetSnapshotRefUpdate(ref_name=version.tag, type=SnapshotRefType.TAG, snapshot_id=staged.snapshot_id),
                RemoveSnapshotRefUpdate(ref_name=job.branch),
                SetPropertiesUpdate(updates=version.to_property()),
                *_forgiven(job, table),
            ),
            (
                AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=head),
                AssertRefSnapshotId(ref=version.tag, snapshot_id=None),
                AssertRefSnapshotId(ref=job.branch, snapshot_id=staged.snapshot_id),
            ),
        )
    return version


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


def rollback(catalog: Catalog, name: str, version: Version) -> None:
    """Let main point at an older version again, in one commit; no tag moves."""
    table = catalog.find(DATASETS, name)
    head = table.metadata.current_snapshot_id
    schema_id = table.metadata.snapshot_by_id(version.snapshot_id).schema_id
    moved = SetSnapshotRefUpdate(ref_name=MAIN_BRANCH, type=SnapshotRefType.BRANCH, snapshot_id=version.snapshot_id)
    with table.transaction() as transaction:
        apply(
            transaction,
            (SetCurrentSchemaUpdate(schema_id=schema_id), moved),
            (AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=head),),
        )
