"""Publishing frames that a run holds in memory: each is a dataset of its own, audited and versioned like any other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import SluiceError
from schemas.ids import digest
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.fingerprint import content_hash
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.invariants import Build as AuditedBuild

__all__ = ["Entry", "publish_frames", "scratch"]

Entry = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""Gives a run's entry for the book of runs, without id and status, from its datasets' hashes by suffix."""


def publish_frames(
    name: str,
    kind: str,
    frames: Iterable[tuple[str, str, pl.DataFrame]],
    entry: Entry,
    warehouse: Warehouse,
) -> dict[str, str]:
    """Audit and publish frames as the datasets ``NAME_SUFFIX``, and return their versions by name.

    Parameters
    ----------
    kind
        Begins the names of their folders in the warehouse's work.
    frames
        Suffix of the name, contract, rows.

    Raises
    ------
    GateFailed, GateBroken, PublishConflict, WarehouseError
        As `Warehouse.publish`.
    """
    refs = {suffix: _written(f"{kind}_{suffix}", of, frame, warehouse) for suffix, of, frame in frames}
    hashes = {suffix: ref.content_hash for suffix, ref in refs.items()}
    run_id = f"run_{digest([name, hashes, version('sluice')])[:16]}"
    told = {**entry(hashes), "run_id": run_id}
    warehouse.upsert_run({**told, "status": "running"})
    try:
        versions = {
            f"{name}_{suffix}": _published(f"{name}_{suffix}", ref, run_id, warehouse) for suffix, ref in refs.items()
        }
    except SluiceError:
        warehouse.upsert_run({**told, "status": "failed", "finished_at": datetime.now(UTC)})
        raise
    warehouse.upsert_run({**told, "status": "published", "finished_at": datetime.now(UTC)})
    return versions


@contextmanager
def scratch(warehouse: Warehouse) -> Iterator[Path]:
    """Give an empty folder in the warehouse, gone afterwards."""
    work = warehouse.root / "work"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".scratch-", dir=work) as folder:
        yield Path(folder)


def _published(name: str, ref: TableRef, run_id: str, warehouse: Warehouse) -> str:
    context = AuditedBuild(warehouse.workspace, content_hash=ref.content_hash)
    published = warehouse.publish(
        name, ref.contract, ref, run_id=run_id, audit=lambda paths, of: audit(paths, of, context=context)
    )
    return published.version.version


def _written(folder: str, of: str, frame: pl.DataFrame, warehouse: Warehouse) -> TableRef:
    """Write a frame as a table of the workspace, named by its content."""
    known = contract(of)
    with scratch(warehouse) as place:
        staging = place / "rows"
        staging.mkdir()
        part = staging / "part-00000.parquet"
        frame.sort(known.key).select(known.names).write_parquet(part)
        hashed, rows = content_hash([part], known)
        home = Path("work") / folder / hashed
        if not (warehouse.root / home).exists():
            (warehouse.root / home).parent.mkdir(parents=True, exist_ok=True)
            staging.rename(warehouse.root / home)
    return TableRef(str(home), of, hashed, rows)
