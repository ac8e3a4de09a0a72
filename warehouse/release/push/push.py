"""Pushing a release: what is missing is sent, readers see it in one step, and it is read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import InputError, SluiceError, WarehouseError
from warehouse.progress import Progress, Silent
from warehouse.release.manifest import read_manifest
from warehouse.release.push.hub import SCHEME, Hub
from warehouse.release.push.mirror import Mirror
from warehouse.release.push.place import Item, Place, Shipment, masked
from warehouse.release.push.store import FileStore
from warehouse.release.verify import verify_release

__all__ = ["Pushed", "push"]

_TASK = "push"


@dataclass(frozen=True)
class Pushed:
    """What a push did, or would do.

    Parameters
    ----------
    where
        Where readers find the release: a folder, an address, a commit; empty if they do not yet.
    sent
        Files sent now.
    held
        Files that were there already, by digest.
    """

    to: str
    where: str
    sent: tuple[Item, ...]
    held: tuple[Item, ...]
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """Return the push as a JSON object."""
        return {
            "to": self.to,
            "where": self.where,
            "sent": [item.path for item in self.sent],
            "sent_bytes": sum(item.bytes for item in self.sent),
            "held": len(self.held),
            "dry_run": self.dry_run,
        }


def push(
    folder: Path, to: str, *, dry_run: bool = False, private: bool = True, progress: Progress | None = None
) -> Pushed:
    """Push a release folder to where others read it.

    A push that was interrupted is pushed again: only what is missing, by digest, is sent. Readers see the whole
    release or none of it, and everything sent is held against its digest in the end.

    Parameters
    ----------
    to
        ``hf://datasets/OWNER/NAME``, the address of a store that fsspec knows, or a folder.
    dry_run
        Tell what would be sent, and send nothing.
    private
        Whether a repository of the Hub that must be made is private.

    Raises
    ------
    InputError
        If the folder is not whole, or ``to`` names nothing that can be reached.
    WarehouseError
        If another release stands there under the same version, or a file did not arrive.
    """
    shipment, place = _packed(folder), _place(to, private=private)
    told = progress or Silent()
    with _named(place):
        held = place.held(shipment)
        missing = [item for item in shipment.items if item.path not in held]
        where = place.visible(shipment) or ""
        if not dry_run and (missing or not where):
            where = _sent(place, shipment, missing, told)
    kept = tuple(item for item in shipment.items if item.path in held)
    return Pushed(place.where, where, tuple(missing), kept, dry_run)


def _packed(folder: Path) -> Shipment:
    if faults := verify_release(folder):
        named = ", ".join(f"{fault.path} ({fault.kind})" for fault in faults[:3])
        raise InputError(
            f"{folder} is not the release that was published: {named}.", hint="`sluice verify-release` tells all."
        )
    return Shipment.of(folder, read_manifest(folder))


def _place(to: str, *, private: bool) -> Place:
    if to.startswith(SCHEME):
        return Hub(to, private=private)
    return FileStore(to) if "://" in to else Mirror(Path(to))


def _sent(place: Place, shipment: Shipment, missing: Sequence[Item], progress: Progress) -> str:
    data = [item for item in missing if item != shipment.manifest]
    progress.start(_TASK, sum(item.bytes for item in data), unit="bytes")
    place.send(data, shipment, lambda item: progress.advance(_TASK, item.bytes))
    where = place.reveal(shipment)
    progress.finish(_TASK, f"{len(missing)} files to {where}")
    if lost := place.faults(missing, shipment):
        raise WarehouseError(
            f"{len(lost)} files are not at {place.where} as they were sent: {', '.join(lost[:3])}.",
            hint="push again; whole files are not sent twice.",
        )
    return where


@contextmanager
def _named(place: Place) -> Iterator[None]:
    try:
        yield
    except SluiceError:
        raise
    except Exception as error:  # noqa: BLE001 - stores raise whatever their clients raise
        raise WarehouseError(
            f"{place.where} cannot be written: {type(error).__name__}: {masked(error)}.",
            hint="push again when it can be reached; whole files are not sent twice.",
        ) from None
