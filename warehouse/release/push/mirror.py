"""A local mirror: a staged folder beside the version's, renamed once it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import WarehouseError
from warehouse.fingerprint import file_sha256
from warehouse.release.manifest import MANIFEST, read_manifest
from warehouse.release.push.place import Item, Sent, Shipment

__all__ = ["Mirror"]


class Mirror:
    """``ROOT/NAME/VERSION/`` in a folder of this machine.

    A push that was killed leaves ``ROOT/NAME/.VERSION.partial/``, which the next one goes on with.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)

    def held(self, shipment: Shipment) -> set[str]:
        """Return what the version, or what is left of an earlier push, already holds."""
        place = self._final(shipment)
        if place.exists():
            if read_manifest(place)["digest"] != shipment.digest:
                raise WarehouseError(
                    f"{place} holds another release of that version; a released version never changes.",
                    hint="publish a new version.",
                )
        else:
            place = self._staging(shipment)
        return {item.path for item in shipment.items if _whole(place / item.path, item)}

    def visible(self, shipment: Shipment) -> str | None:
        """Return the version's folder, if it is there."""
        final = self._final(shipment)
        return str(final) if final.exists() else None

    def send(self, items: Sequence[Item], shipment: Shipment, sent: Sent) -> None:
        """Copy data into the staged folder; a file is there whole or not at all."""
        final = self._final(shipment)
        place = final if final.exists() else self._staging(shipment)
        with self._alone(shipment):
            for item in items:
                _copy(shipment.folder / item.path, place / item.path)
                sent(item)

    def reveal(self, shipment: Shipment) -> str:
        """Rename the staged folder, strangers and leftovers taken out, to the version's."""
        staging, final = self._staging(shipment), self._final(shipment)
        with self._alone(shipment):
            if staging.exists():
                _copy(shipment.folder / MANIFEST, staging / MANIFEST)
                _keep_only(staging, {item.path for item in shipment.items})
                _rename(staging, final)
        return str(final)

    def faults(self, items: Iterable[Item], shipment: Shipment) -> list[str]:
        """Hash the copies."""
        final = self._final(shipment)
        return [item.path for item in items if not _whole(final / item.path, item)]

    def _final(self, shipment: Shipment) -> Path:
        return self.root / shipment.name / shipment.version

    def _staging(self, shipment: Shipment) -> Path:
        return self.root / shipment.name / f".{shipment.version}.partial"

    @contextmanager
    def _alone(self, shipment: Shipment) -> Iterator[None]:
        """Let one process at a time work on the version; the lock ends with its process."""
        folder = self.root / shipment.name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{shipment.version}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _whole(path: Path, item: Item) -> bool:
    return path.is_file() and path.stat().st_size == item.bytes and file_sha256(path) == item.sha256


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    half = place.with_name(f".{place.name}.half")
    shutil.copyfile(source, half)
    with half.open("rb+") as handle:
        os.fsync(handle.fileno())
    half.replace(place)


def _keep_only(folder: Path, paths: set[str]) -> None:
    for path in folder.rglob("*"):
        if not path.is_dir() and path.relative_to(folder).as_posix() not in paths:
            path.unlink()


def _rename(staging: Path, final: Path) -> None:
    try:
        staging.rename(final)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        shutil.rmtree(staging)
