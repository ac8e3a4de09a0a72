"""What a place that releases are pushed to must be able to do, and what a release consists of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from warehouse.fingerprint import file_sha256
from warehouse.release.manifest import MANIFEST, render

__all__ = ["Item", "Place", "Sent", "Shipment", "masked"]

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@|\b(hf_\w{6,}|AKIA\w{16})\b|(?<=Bearer )\S+")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a release.

    Parameters
    ----------
    path
        Relative to the release folder.
    """

    path: str
    bytes: int
    sha256: str


Sent = Callable[[Item], None]
"""Told of each item that has arrived."""


@dataclass(frozen=True)
class Shipment:
    """A release on its way.

    Parameters
    ----------
    data
        Every file but the manifest.
    manifest
        The manifest, which makes the others a release: it goes last.
    """

    folder: Path
    name: str
    version: str
    digest: str
    data: tuple[Item, ...]
    manifest: Item

    @classmethod
    def of(cls, folder: Path, manifest: Mapping[str, Any]) -> Shipment:
        """Return the shipment of a release folder."""
        shards = [shard for part in manifest["parts"] for shard in part["shards"]]
        data = [Item(entry["path"], entry["bytes"], entry["sha256"]) for entry in (*shards, *manifest["files"])]
        own = Item(MANIFEST, len(render(manifest).encode("utf-8")), file_sha256(folder / MANIFEST))
        return cls(folder, manifest["dataset"], manifest["version"], manifest["digest"], tuple(data), own)

    @property
    def items(self) -> tuple[Item, ...]:
        """Every file, the manifest last."""
        return (*self.data, self.manifest)


class Place(Protocol):
    """Somewhere that a release is pushed to."""

    where: str
    """The place as people write it, without credentials."""

    def held(self, shipment: Shipment) -> set[str]:
        """Return the paths that arrived earlier and are whole, by digest.

        Raises
        ------
        WarehouseError
            If another release stands under the same name and version: a version never changes.
        """

    def visible(self, shipment: Shipment) -> str | None:
        """Return where readers find the version, or None if they do not yet."""

    def send(self, items: Sequence[Item], shipment: Shipment, sent: Sent) -> None:
        """Send data where no reader looks for it yet."""

    def reveal(self, shipment: Shipment) -> str:
        """Let readers see the release, in one step; return where, or at which revision, they find it."""

    def faults(self, items: Iterable[Item], shipment: Shipment) -> list[str]:
        """Read back, and return what is not there as it was released."""


def masked(text: object) -> str:
    """Return a text without the credentials that places carry in their names and errors.

    Examples
    --------
    >>> masked("s3://key:secret@bucket/x failed: Bearer abc")
    's3://***@bucket/x failed: Bearer ***'
    """
    return _CREDENTIALS.sub(lambda found: "***@" if found.group().endswith("@") else "***", str(text))
