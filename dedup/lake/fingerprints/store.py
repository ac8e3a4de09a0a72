"""Fingerprints that outlive a run: what was read from each file, by the digest of its bytes.

The index maps digests to what was found; packs hold cell fingerprints and sorted rows as plain 64-bit integers. Both
only grow, nothing in them is ever changed, and a pack is in place before the index speaks of it: a kill, or two runs
at once, can at worst leave a pack that nothing refers to. Everything here may be deleted; it is made again by reading.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dedup.lake.files.faults import NotATable
from dedup.lake.files.storage import File
from dedup.lake.files.tables import Column, Print
from dedup.lake.fingerprints.equality import ENCODING
from dedup.lake.fingerprints.lanes import Lane
from schemas.errors import WarehouseError
from schemas.ids import digest
from warehouse.cache import KeyedCache

__all__ = ["Store"]

_SETTLED_NS = 20_000_000
"""A file changed this shortly before it was read may change again and keep its time stamp: it is not trusted."""


@dataclass(frozen=True, slots=True)
class Store:
    """The fingerprints of one policy in one folder.

    Parameters
    ----------
    folder
        Where index and packs lie; made on first use. On Spark, a folder that all executors share.
    policy
        Strict and lossless share fingerprints, for they encode values alike.
    """

    folder: Path
    policy: str

    @property
    def _index(self) -> KeyedCache:
        return KeyedCache(self.folder / "index.sqlite")

    def _key(self, kind: str, *parts: Any) -> str:
        return f"{kind}:{digest([ENCODING, self._spelling, *parts])}"

    def _file(self, of: str, name: str) -> str:
        return f"file:{ENCODING}:{self._spelling}:{of}:{name}"

    @property
    def _spelling(self) -> str:
        return "text" if self.policy == "text" else "typed"

    def seen(self, files: Iterable[File]) -> dict[File, str]:
        """Return the digests of the files that are as they were when they were last read."""
        keys = {file: _seen(file) for file in files if file.stamp}
        found = self._index.get(keys.values())
        return {file: found[key] for file, key in keys.items() if key in found}

    def prints(self, of: str, digests: Iterable[str]) -> dict[str, Print | NotATable]:
        """Return what is known of contents of one format, by digest."""
        keys = {self._file(of, name): name for name in digests}
        return {keys[key]: _loaded(text) for key, text in self._index.get(keys).items()}

    def remember(self, found: Iterable[tuple[File, str, str, Print | NotATable]]) -> None:
        """Keep what was found: file, format, digest, and the print or why there is none."""
        items, now = [], time.time_ns()
        for file, of, name, print_ in found:
            items.append((self._file(of, name), _dumped(print_)))
            if file.stamp and file.mtime_ns < now - _SETTLED_NS:
                items.append((_seen(file), name))
        self._index.put(items)

    def sorted_rows(self, content_key: str, columns: Iterable[str]) -> list[Lane] | None:
        """Return both lanes of a table's rows under a projection, if they were kept."""
        key = self._key("rows", content_key, list(columns))
        told = self._index.get([key]).get(key)
        if told is None:
            return None
        pack, lanes = json.loads(told)
        return [Lane(size, file=(self.folder / pack, at, counts_at)) for size, at, counts_at in lanes]

    def keep_sorted_rows(
        self, content_key: str, columns: Iterable[str], path: Path, lanes: Sequence[tuple[int, int, int]]
    ) -> None:
        """Take over a file of sorted lanes: of each its size, and where its hashes and its counts begin."""
        key = self._key("rows", content_key, list(columns))
        pack = f"{key.split(':')[1]}.rows"
        path.replace(self.folder / pack)
        self._index.put([(key, json.dumps([pack, lanes]))])

    def entropy(self, content_key: str) -> float | None:
        """Return the entropy of a table's columns in bits, if it was kept."""
        key = self._key("entropy", content_key)
        told = self._index.get([key]).get(key)
        return None if told is None else float(told)

    def keep_entropy(self, content_key: str, bits: float) -> None:
        """Keep the entropy of a table's columns."""
        self._index.put([(self._key("entropy", content_key), repr(bits))])

    def keep_cells(self, members: Iterable[str], arrays: Iterable[np.ndarray]) -> str:
        """Write cell fingerprints of the contents called ``members`` one after another; return the pack's name."""
        pack = f"{self._key('cells', list(members)).split(':')[1]}.cells"
        self.folder.mkdir(parents=True, exist_ok=True)
        staging = self.folder / f".{pack}.{os.getpid()}"
        with staging.open("wb") as target:
            for array in arrays:
                target.write(np.ascontiguousarray(array).data)
        staging.replace(self.folder / pack)
        return pack

    def array(self, pack: str, offset: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return unsigned 64-bit integers of a pack, read as they are touched."""
        count, path = prod(shape), f"{self.folder}/{pack}"
        try:
            told = os.stat(path)  # noqa: PTH116 - called once per small table
        except FileNotFoundError as error:
            raise WarehouseError(
                f"the fingerprints {pack} are gone from {self.folder}.",
                hint="delete that folder whole: everything in it is made again by reading the lake.",
            ) from error
        return _mapped(path, told.st_ino, told.st_size)[offset // 8 : offset // 8 + count].reshape(shape)


@lru_cache(maxsize=4096)
def _mapped(path: str, _inode: int, size: int) -> np.ndarray:
    return np.asarray(np.memmap(path, np.uint64, "r")) if size else np.zeros(0, np.uint64)


def _seen(file: File) -> str:
    return f"seen:{file.stamp}:{file.place}"


def _dumped(found: Print | NotATable) -> str:
    if isinstance(found, NotATable):
        return json.dumps({"reason": found.reason, "detail": found.detail})
    told = {name: getattr(found, name) for name in ("digest", "rows", "block", "dialect", "bounds")}
    told["columns"] = [[column.name, column.type, column.family] for column in found.columns]
    return json.dumps(told)


def _loaded(text: str) -> Print | NotATable:
    told: Mapping[str, Any] = json.loads(text)
    if "reason" in told:
        return NotATable(told["reason"], told["detail"])
    return Print(
        told["digest"],
        told["rows"],
        tuple(Column(*column) for column in told["columns"]),
        tuple(told["block"]) if told["block"] else None,
        tuple(told["bounds"]),
        told["dialect"],
    )
