"""A store that fsspec knows: data first, the manifest, without which there is no release, last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from schemas.errors import InputError, MissingExtra, WarehouseError
from warehouse.release.manifest import MANIFEST, parse_manifest
from warehouse.release.push.place import Item, Sent, Shipment, masked

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["FileStore"]

_BLOCK = 1 << 20


class FileStore:
    """``URL/NAME/VERSION/`` in a store; the store's own settings bring the credentials.

    Raises
    ------
    MissingExtra
        If fsspec is not installed.
    InputError
        If fsspec does not know the URL.
    """

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise MissingExtra("fsspec", "datasets") from None
        self.where = masked(url.rstrip("/"))
        try:
            self._files: AbstractFileSystem = url_to_fs(url, use_listings_cache=False)[0]
        except (ImportError, ValueError) as error:
            raise InputError(f"{self.where} names no store that can be reached: {masked(error)}.") from None
        self._root = str(self._files._strip_protocol(url)).rstrip("/")  # noqa: SLF001 - fsspec's documented hook

    def held(self, shipment: Shipment) -> set[str]:
        """Return what the store already holds, read back and hashed."""
        if self.visible(shipment):
            text = self._files.cat_file(self._path(shipment, MANIFEST)).decode("utf-8")
            if parse_manifest(text, f"{self.where}/{MANIFEST}")["digest"] != shipment.digest:
                raise WarehouseError(
                    f"{self.where} holds another release of {shipment.name} {shipment.version}; "
                    "a released version never changes.",
                    hint="publish a new version.",
                )
        return {item.path for item in shipment.items if self._whole(item, shipment)}

    def visible(self, shipment: Shipment) -> str | None:
        """Return the version's address, if its manifest is there."""
        return self._address(shipment) if self._files.exists(self._path(shipment, MANIFEST)) else None

    def send(self, items: Sequence[Item], shipment: Shipment, sent: Sent) -> None:
        """Put data in its place; no reader looks at it before the manifest is there."""
        for item in items:
            self._put(item.path, shipment)
            sent(item)

    def reveal(self, shipment: Shipment) -> str:
        """Put the manifest."""
        self._put(MANIFEST, shipment)
        return self._address(shipment)

    def faults(self, items: Iterable[Item], shipment: Shipment) -> list[str]:
        """Read back and hash."""
        return [item.path for item in items if not self._whole(item, shipment)]

    def _address(self, shipment: Shipment) -> str:
        return f"{self.where}/{shipment.name}/{shipment.version}"

    def _put(self, path: str, shipment: Shipment) -> None:
        """Put a file under another name and move it, for stores that show files while they grow."""
        place = self._path(shipment, path)
        self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
        self._files.put_file(str(shipment.folder / path), f"{place}.part")
        if self._files.exists(place):
            self._files.rm_file(place)
        self._files.mv(f"{place}.part", place)

    def _path(self, shipment: Shipment, path: str) -> str:
        return f"{self._root}/{shipment.name}/{shipment.version}/{path}"

    def _whole(self, item: Item, shipment: Shipment) -> bool:
        place = self._path(shipment, item.path)
        try:
            size: Any = self._files.info(place)["size"]
        except FileNotFoundError:
            return False
        return size == item.bytes and self._hash(place) == item.sha256

    def _hash(self, place: str) -> str:
        told = hashlib.sha256()
        with self._files.open(place, "rb") as handle:
            while block := handle.read(_BLOCK):
                told.update(block)
        return told.hexdigest()
