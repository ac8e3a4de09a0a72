"""Versions of a dataset: an Iceberg tag each, with what was known at the moment of publishing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.refs import SnapshotRefType

from schemas.errors import UsageError, WarehouseError, did_you_mean

__all__ = ["Bump", "Version", "current", "following", "published", "resolve"]

_PREFIX = "sluice.version."
_TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


class Bump(StrEnum):
    """Which part of a version number a change raises (https://semver.org)."""

    MAJOR = "major"
    """Schema or meaning changed: another shape, or a contract of another major version."""
    MINOR = "minor"
    """Records were added, removed or changed."""
    PATCH = "patch"
    """Documentation or rules changed; every record is as it was."""


@dataclass(frozen=True, slots=True)
class Version:
    """One published version of a dataset.

    Parameters
    ----------
    version
        Semantic version, such as ``1.2.0``; its Iceberg tag is ``v1.2.0``.
    published_at
        When it became visible, UTC.
    content_hash
        Hash of its rows, as `warehouse.fingerprint.content_hash` gives it.
    bump
        What it raised compared with the version before.
    contract, contract_version, schema_digest
        What its rows promise.
    origin
        Hash of the rows that it carries on, from where they began; empty if it carries on none.
    """

    name: str
    version: str
    snapshot_id: int
    published_at: datetime
    run_id: str
    content_hash: str
    rows: int
    bump: Bump
    notes: str
    contract: str
    contract_version: str
    schema_digest: str
    origin: str = ""

    @property
    def tag(self) -> str:
        """Name of the Iceberg tag."""
        return f"v{self.version}"

    @property
    def number(self) -> tuple[int, int, int]:
        """The version as numbers, for ordering."""
        major, minor, patch = (int(part) for part in self.version.split("."))
        return major, minor, patch

    @property
    def promise(self) -> tuple[str, str, str]:
        """What must stay for the rows to mean the same: contract, schema digest, major contract version."""
        return self.contract, self.schema_digest, self.contract_version.split(".")[0]

    def to_property(self) -> dict[str, str]:
        """Return the table property that records this version."""
        saved = asdict(self) | {"published_at": self.published_at.isoformat()}
        return {f"{_PREFIX}{self.version}": json.dumps(saved, sort_keys=True)}

    def to_json(self) -> dict[str, Any]:
        """Return the version as a JSON object."""
        return asdict(self) | {"published_at": self.published_at.isoformat(), "bump": self.bump.value}


def published(table: Table) -> list[Version]:
    """Return the versions of a dataset, oldest first.

    Raises
    ------
    WarehouseError
        If a tag that looks like a version's has no record that this version of Sluice can read.
    """
    found = [
        _recorded(table, tag, ref.snapshot_id)
        for tag, ref in table.metadata.refs.items()
        if ref.snapshot_ref_type == SnapshotRefType.TAG and _TAG.fullmatch(tag)
    ]
    return sorted(found, key=lambda version: version.number)


def _recorded(table: Table, tag: str, snapshot_id: int) -> Version:
    try:
        saved = json.loads(table.metadata.properties[_PREFIX + tag[1:]])
        when = datetime.fromisoformat(saved["published_at"]).astimezone(UTC)
        return Version(**(saved | {"published_at": when, "bump": Bump(saved["bump"]), "snapshot_id": snapshot_id}))
    except (KeyError, TypeError, ValueError) as error:
        raise WarehouseError(
            f"the tag {tag!r} of {table.name()[-1]!r} has no record that this version of Sluice can read: {error!r}.",
            hint="a newer Sluice or another tool wrote it: install that version, or remove the tag.",
        ) from error


def current(table: Table) -> Version | None:
    """Return the version that main points at, or None if nothing was published yet."""
    main = table.metadata.current_snapshot_id
    return next((version for version in reversed(published(table)) if version.snapshot_id == main), None)


def following(versions: Sequence[Version], bump: Bump) -> str:
    """Return the version number after the highest one ever given.

    Examples
    --------
    >>> following([], Bump.MINOR)
    '1.0.0'
    """
    if not versions:
        return "1.0.0"
    major, minor, patch = max(version.number for version in versions)
    raised = {Bump.MAJOR: (major + 1, 0, 0), Bump.MINOR: (major, minor + 1, 0), Bump.PATCH: (major, minor, patch + 1)}
    return ".".join(map(str, raised[bump]))


def resolve(table: Table, name: str, ref: str) -> Version:
    """Return the version called ``ref``: ``latest``, ``1.2.0`` or ``v1.2.0``.

    Raises
    ------
    UsageError
        If there is none.
    """
    versions = {version.version: version for version in published(table)}
    if ref == "latest" and (now := current(table)):
        return now
    wanted = ref.removeprefix("v")
    if wanted in versions:
        return versions[wanted]
    raise UsageError(
        f"dataset {name!r} has no version {ref!r}; it has {', '.join(versions) or 'none yet'}.",
        hint=did_you_mean(wanted, ["latest", *versions]) or "versions are written 1.2.0 or latest.",
    )
