"""Checking a release folder against its own manifest; no warehouse needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError
from warehouse.fingerprint import file_sha256
from warehouse.release.manifest import MANIFEST, is_sealed, read_manifest, render

__all__ = ["Fault", "FaultKind", "verify_release"]


_HOSTS_OWN = frozenset({".gitattributes"})
"""What the Hub keeps in each of its repositories."""


class FaultKind(StrEnum):
    """What can be wrong with a file of a release."""

    MISSING = "missing"
    EXTRA = "extra"
    ALTERED = "altered"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that is not as it was released.

    Parameters
    ----------
    path
        Relative to the release folder.
    """

    kind: FaultKind
    path: str
    detail: str


def verify_release(folder: Path) -> list[Fault]:
    """Compare every file of a release folder with its manifest.

    Returns
    -------
    list of Fault
        Empty if the folder is exactly what was released.

    Raises
    ------
    InputError
        If the folder has no readable manifest.
    """
    manifest = read_manifest(folder)
    faults = list(_manifest_faults(folder, manifest))
    try:
        named = {entry["path"]: entry for entry in _entries(manifest)}
        faults += [fault for path, entry in named.items() if (fault := _fault(folder, path, entry))]
        faults += _rows_fault(manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / MANIFEST} lacks what a manifest must hold: {error!r}.") from error
    faults += [
        Fault(FaultKind.EXTRA, path, "not named in the manifest")
        for path in _present(folder) - named.keys() - {MANIFEST} - _HOSTS_OWN
    ]
    return sorted(faults, key=lambda fault: (fault.path, fault.kind))


def _entries(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from manifest["files"]
    for part in manifest["parts"]:
        yield from part["shards"]


def _present(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def _manifest_faults(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Fault]:
    if not is_sealed(manifest):
        yield Fault(FaultKind.ALTERED, MANIFEST, "its content does not match its own digest")
    elif (folder / MANIFEST).read_text(encoding="utf-8") != render(manifest):
        yield Fault(FaultKind.ALTERED, MANIFEST, "it is not spelled as it was written")


def _fault(folder: Path, path: str, entry: Mapping[str, Any]) -> Fault | None:
    place = folder / path
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return Fault(FaultKind.ALTERED, MANIFEST, f"names {path!r}, which is outside the release")
    if place.is_symlink():
        return Fault(FaultKind.ALTERED, path, "a link stands where a file was released")
    if not place.is_file():
        return Fault(FaultKind.MISSING, path, f"{entry['bytes']} bytes were released")
    size = place.stat().st_size
    if size < entry["bytes"]:
        return Fault(FaultKind.TRUNCATED, path, f"{size} of {entry['bytes']} bytes are left")
    if (found := file_sha256(place)) != entry["sha256"]:
        return Fault(FaultKind.ALTERED, path, f"sha256 is {found}, released was {entry['sha256']}")
    return _content_fault(place, path, entry)


def _content_fault(place: Path, path: str, entry: Mapping[str, Any]) -> Fault | None:
    if "rows" not in entry:
        return None
    try:
        rows = pq.read_metadata(place).num_rows
    except pa.ArrowException as error:
        return Fault(FaultKind.UNREADABLE, path, str(error))
    if rows != entry["rows"]:
        return Fault(FaultKind.ALTERED, path, f"holds {rows} rows, the manifest says {entry['rows']}")
    return None


def _rows_fault(manifest: Mapping[str, Any]) -> list[Fault]:
    counted = [sum(shard["rows"] for shard in part["shards"]) for part in manifest["parts"]]
    stated = [part["rows"] for part in manifest["parts"]]
    if counted == stated and sum(stated) == manifest["rows"]:
        return []
    return [
        Fault(FaultKind.ALTERED, MANIFEST, f"its row counts do not add up: {counted}, {stated}, {manifest['rows']}")
    ]
