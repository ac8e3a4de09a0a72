"""What nobody needs any more: branches of runs that ended, files that no snapshot names, half-written stages.

A tagged version is never touched: what its snapshot names is excluded before anything is chosen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

import psutil
from pyiceberg.table import Table
from pyiceberg.table.refs import SnapshotRef, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotsUpdate

from warehouse.books import book_lock
from warehouse.branches import branch_of, drop_branch, rejection_of
from warehouse.catalog import BOOKS, DATASETS, Catalog, apply, retrying
from warehouse.publish import lock_of
from warehouse.spill import spill_lock
from warehouse.stages import Workspace

__all__ = ["INDEXES", "Kind", "Removal", "sweep"]

INDEXES = "text-index"
"""Folder in ``work/`` of what may be made again at a price: ``SETTINGS/CONTENT/``, touched whenever it is used."""


class Kind(StrEnum):
    """What a removal takes away."""

    BRANCH = "branch"
    SNAPSHOT = "snapshot"
    FILE = "file"
    STAGING = "staging"
    LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing taken away, or that would be.

    Parameters
    ----------
    where
        Path relative to the warehouse, or table and branch or snapshot.
    size
        Bytes that it frees by itself.
    """

    kind: Kind
    where: str
    reason: str
    size: int = 0


@dataclass(frozen=True)
class _Broom:
    """One sweep: what is old enough, and whether to act or only to tell."""

    catalog: Catalog
    rejected_before: datetime
    before: datetime
    dry_run: bool

    def take(self, removal: Removal, action: Callable[[], object]) -> Removal:
        if not self.dry_run:
            action()
        return removal

    @contextmanager
    def unused(self, lock: str) -> Iterator[bool]:
        """Tell whether nobody holds ``lock``, and keep it so until the end of the block."""
        if self.dry_run and not (self.catalog.root / "locks" / f"{lock}.lock").exists():
            yield True
        else:
            with Workspace(self.catalog.root).lock(lock, wait=False) as held:
                yield held

    def old(self, path: Path) -> bool:
        try:
            return datetime.fromtimestamp(path.lstat().st_mtime, UTC) < self.before
        except FileNotFoundError:
            return False

    def relative(self, path: Path) -> str:
        return str(path.relative_to(self.catalog.root))


def sweep(
    catalog: Catalog,
    *,
    age: timedelta = timedelta(days=7),
    grace: timedelta = timedelta(hours=1),
    dry_run: bool = False,
) -> list[Removal]:
    """Take away what no version, book or living run needs; see `warehouse.house.Warehouse.sweep`."""
    if not dry_run:
        catalog.writable()
    now = datetime.now(UTC)
    broom = _Broom(catalog, now - age, now - grace, dry_run)
    removals = [
        removal
        for namespace in (DATASETS, BOOKS)
        for name in catalog.names(namespace)
        for removal in _table(broom, namespace, name)
    ]
    return [*removals, *_stagings(broom), *_spilled(broom), *_indexes(broom), *_locks(broom)]


def _table(broom: _Broom, namespace: str, name: str) -> Iterator[Removal]:
    removals = list(_branches(broom, namespace, name))
    yield from removals
    table = _present(broom, namespace, name)
    stale = _stale_snapshots(broom, table, {removal.where for removal in removals})
    for snapshot in stale:
        yield Removal(Kind.SNAPSHOT, f"{name}@{snapshot.snapshot_id}", "no version, branch or latest book names it")
    if stale and not broom.dry_run:
        retrying(lambda: _expire(_present(broom, namespace, name), {snapshot.snapshot_id for snapshot in stale}))
    kept = [snapshot for snapshot in table.metadata.snapshots if snapshot not in stale]
    yield from _orphans(broom, _present(broom, namespace, name), kept)


def _present(broom: _Broom, namespace: str, name: str) -> Table:
    table = broom.catalog.find(namespace, name)
    if table is None:
        raise FileNotFoundError(f"table {namespace}.{name} vanished during the sweep")
    return table


def _branches(broom: _Broom, namespace: str, name: str) -> Iterator[Removal]:
    """Drop the branches of runs that are not publishing now; rejected ones are kept for inspection until old."""
    table = _present(broom, namespace, name)
    for branch, ref in table.metadata.refs.items():
        reason = _why_dead(broom, table, branch, ref)
        with broom.unused(lock_of(name, branch.removeprefix(branch_of("")))) as unused:
            if reason and unused:
                drop = partial(retrying, lambda of=branch: drop_branch(_present(broom, namespace, name), of))
                yield broom.take(Removal(Kind.BRANCH, f"{name}@{branch}", reason), drop)


def _why_dead(broom: _Broom, table: Table, branch: str, ref: SnapshotRef) -> str | None:
    if ref.snapshot_ref_type != SnapshotRefType.BRANCH or not branch.startswith(branch_of("")):
        return None
    made = datetime.fromtimestamp(table.metadata.snapshot_by_id(ref.snapshot_id).timestamp_ms / 1000, UTC)
    if made < broom.rejected_before:
        return "old"
    return "its run ended without publishing" if made < broom.before and not rejection_of(table, branch) else None


def _stale_snapshots(broom: _Broom, table: Table, dropped: set[str]) -> list[Snapshot]:
    name = table.name()[-1]
    named = {ref.snapshot_id for branch, ref in table.metadata.refs.items() if f"{name}@{branch}" not in dropped}
    begun_at = {table.metadata.snapshot_by_id(snapshot_id).parent_snapshot_id for snapshot_id in named}
    return [
        snapshot
        for snapshot in table.metadata.snapshots
        if snapshot.snapshot_id not in named | begun_at
        and datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC) < broom.before
    ]


def _expire(table: Table, snapshot_ids: set[int]) -> None:
    """Remove snapshots, unless a reference has come to name one of them in the meantime."""
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    going = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id in snapshot_ids - named]
    held = tuple(
        AssertRefSnapshotId(ref=name, snapshot_id=ref.snapshot_id) for name, ref in table.metadata.refs.items()
    )
    with table.transaction() as transaction:
        apply(transaction, (RemoveSnapshotsUpdate(snapshot_ids=going),), held)


def _orphans(broom: _Broom, table: Table, kept: list[Snapshot]) -> Iterator[Removal]:
    """Delete the files that no kept snapshot names, except those that a run is writing now."""
    named = _named_files(table, kept)
    for folder in sorted({path.parent for path in Path(table.metadata.location).rglob("*") if path.is_file()}):
        with broom.unused(_writer_lock(table, folder)) as unused:
            for path in sorted(folder.iterdir()):
                if unused and path.is_file() and path not in named and broom.old(path):
                    removal = Removal(Kind.FILE, broom.relative(path), "no snapshot names it", path.stat().st_size)
                    yield broom.take(removal, partial(path.unlink, missing_ok=True))


def _writer_lock(table: Table, folder: Path) -> str:
    """Return the lock that whoever writes to ``folder`` holds."""
    namespace, name = table.name()[-2:]
    if namespace == BOOKS:
        return book_lock(name)
    return lock_of(name, folder.name.removeprefix(branch_of("")))


def _named_files(table: Table, kept: list[Snapshot]) -> set[Path]:
    """Return every file that the table's metadata and the snapshots kept refer to."""
    named = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    for snapshot in kept:
        named.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            named.add(manifest.manifest_path)
            entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            named |= {entry.data_file.file_path for entry in entries}
    return {Path(path) for path in named}


def _stagings(broom: _Broom) -> Iterator[Removal]:
    """Yield the folders ``work/STAGE/.KEY.PID`` of processes that are gone, and the like of indexes."""
    work = broom.catalog.root / "work"
    for folder in sorted([*work.glob("*/.*.*"), *work.glob(f"{INDEXES}/*/.*.*")]):
        owner = folder.name.rpartition(".")[2]
        if folder.is_dir() and owner.isdigit() and not psutil.pid_exists(int(owner)):
            removal = Removal(Kind.STAGING, broom.relative(folder), f"process {owner} is gone", _size(folder))
            yield broom.take(removal, partial(shutil.rmtree, folder, ignore_errors=True))


def _spilled(broom: _Broom) -> Iterator[Removal]:
    """Delete what was put aside by work that was killed: a folder once nobody holds its lock, a file once it is old."""
    for path in sorted(broom.catalog.spill.glob("*")):
        with broom.unused(spill_lock(path)) if path.is_dir() else nullcontext(broom.old(path)) as gone:
            if gone:
                removal = Removal(Kind.STAGING, broom.relative(path), "left by a process that was killed", _size(path))
                action = partial(shutil.rmtree, path, ignore_errors=True) if path.is_dir() else path.unlink
                yield broom.take(removal, action)


def _indexes(broom: _Broom) -> Iterator[Removal]:
    """Delete the indexes that nobody used for as long as a rejected branch is kept."""
    for folder in sorted((broom.catalog.root / "work" / INDEXES).glob("*/[!.]*")):
        used = datetime.fromtimestamp(folder.lstat().st_mtime, UTC)
        if used < broom.rejected_before:
            removal = Removal(Kind.STAGING, broom.relative(folder), "unused for long", _size(folder))
            yield broom.take(removal, partial(shutil.rmtree, folder, ignore_errors=True))


def _locks(broom: _Broom) -> Iterator[Removal]:
    """Delete the lock files that nobody holds."""
    for path in sorted((broom.catalog.root / "locks").glob("*.lock")):
        if broom.old(path):
            with broom.unused(path.stem) as unused:
                if unused:
                    yield broom.take(Removal(Kind.LOCK, broom.relative(path), "nobody holds it"), path.unlink)


def _size(path: Path) -> int:
    inside = (Path(parent) / name for parent, _, names in os.walk(path) for name in names)
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in inside)
