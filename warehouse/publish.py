"""Write-audit-publish: rows are written to a branch, audited there, and become visible in one commit or not at all.

Iceberg keeps branches and tags as named references to snapshots. A run writes to a branch of its own; main moves to
the audited snapshot only if it still is where the branch began (compare-and-set), and in the same commit the version
is tagged and the branch goes. Other writers' commits are therefore never discarded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    RemoveSnapshotRefUpdate,
    SetCurrentSchemaUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
)

from schemas.errors import GateBroken, GateFailed, PublishConflict, SluiceError, UsageError
from warehouse.branches import AuditOutcome, Publication, branched, drop_branch, forgiven, reject
from warehouse.catalog import DATASETS, Catalog, apply, data_files, retrying, table_name
from warehouse.diff import Diff, compare, release_notes, side
from warehouse.stages import Workspace
from warehouse.versions import Bump, Version, current, following, published

__all__ = [
    "Published",
    "lock_of",
    "publish",
    "rollback",
]

_REBASES = 5


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


def lock_of(name: str, run_id: str) -> str:
    """Return the name of the lock that a run holds while it publishes to a dataset."""
    return f"publish-{name}-{run_id}"


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
            staged = branched(job, table)
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
        retrying(lambda: reject(job, outcome.summary))
        raise GateFailed(
            f"the audit of dataset {job.name!r} found bad data: {outcome.summary}",
            hint=f"readers still see what they saw; the rejected rows are kept on branch {job.branch!r}.",
        )
    return outcome


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
                *forgiven(job, table),
            ),
            (
                AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=head),
                AssertRefSnapshotId(ref=version.tag, snapshot_id=None),
                AssertRefSnapshotId(ref=job.branch, snapshot_id=staged.snapshot_id),
            ),
        )
    return version


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
