"""What an audit of minimized data found, as datasets of a warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from flows.frames import publish_frames
from privacy.minimize.audit import AuditResult
from schemas.audit_tables import AUDIT_ATTRIBUTE
from schemas.ids import canonical_json, digest
from warehouse.catalog import table_name
from warehouse.fingerprint import input_sha256
from warehouse.house import Warehouse

__all__ = ["house_of", "publish_audit"]

_PREFIX = "minimization_"


def house_of(root: Path, name: str) -> Warehouse:
    """Open the warehouse that an audit will be published to, before the work on it begins.

    Raises
    ------
    UsageError
        If no dataset may be called so.
    WarehouseError
        If the warehouse cannot be opened.
    """
    table_name(f"{name}_{AUDIT_ATTRIBUTE.name.removeprefix(_PREFIX)}")
    return Warehouse.open(root)


def publish_audit(found: AuditResult, name: str, source: Path, warehouse: Warehouse) -> dict[str, str]:
    """Publish the tables of an audit, each as the next version of the dataset ``NAME_TABLE``; return the versions.

    The same figures again make no version; no raw value is in them but those that the policy itself names.

    Parameters
    ----------
    name
        What the datasets' names begin with: ``NAME_audit``, ``NAME_attack``, ``NAME_link``, ``NAME_attribute``,
        ``NAME_column`` and ``NAME_bucket``.
    source
        File of raw records that were audited.

    Raises
    ------
    GateFailed, GateBroken, PublishConflict, WarehouseError
        As `Warehouse.publish`.
    """
    began = datetime.now(UTC)
    return publish_frames(name, "minimize", _frames(found), partial(_entry, found, name, source, began), warehouse)


def _frames(found: AuditResult) -> Iterator[tuple[str, str, pl.DataFrame]]:
    for of, frame in found.tables().items():
        yield of.removeprefix(_PREFIX), of, frame


def _entry(
    found: AuditResult, name: str, source: Path, began: datetime, hashes: Mapping[str, str]
) -> Mapping[str, Any]:
    asked = {
        "policy": found.policy.spec,
        "sha256": found.policy.digest,
        "settings": found.settings.model_dump(mode="json"),
        "earlier": list(found.earlier),
    }
    records = int(found.groups["records"])
    return {
        "dataset": f"{name}_audit",
        "recipe": canonical_json(asked),
        "recipe_hash": digest(asked),
        "code_version": version("sluice"),
        "inputs": canonical_json([{"source": name, "file": source.name, "digest": input_sha256(source)[:32]}]),
        "counts": canonical_json([{"stage": "audit", "in": records, "kept": records, "dropped": {}, "failed": 0}]),
        "cost": canonical_json({}),
        "content_hash": hashes["audit"],
        "started_at": began,
    }
