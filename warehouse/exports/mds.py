"""MDS shards, as Mosaic streaming reads them: ``shard.NNNNN.mds`` files and the ``index.json`` that names them.

Source: the format of mosaicml-streaming 0.13 (https://docs.mosaicml.com/projects/streaming, "Dataset Format"). A shard
is the number of its samples, their offsets, its configuration as JSON, and the samples; a sample is the lengths of its
columns of no fixed size, then the columns by name. Numbers are little-endian, 32 bits wide.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from schemas.errors import ExportRefused

__all__ = ["MdsWriter", "mds_rows"]

_SHARD_ROWS = 4096
_SHARD_BYTES = 1 << 26
_WORD = np.dtype("<u4")
_INTEGER = np.dtype("<i8")
_HASH = "sha256"


class MdsWriter:
    """Shards of 4,096 rows or 64 MiB; text as ``str``, whole numbers as ``int``, everything nested as ``json``."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._encodings = {name: _encoding(schema.field(name).type) for name in sorted(schema.names)}
        self._samples: list[bytes] = []
        self._bytes = 0
        self._shards: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._samples:
            self._shard()
        index = {"version": 2, "shards": self._shards}
        (self._folder / "index.json").write_text(json.dumps(index, sort_keys=True), encoding="utf-8")

    def write(self, table: pa.Table) -> None:
        """Append rows, beginning a new shard where one is full."""
        for row in table.to_pylist():
            sample = self._sample(row)
            if len(self._samples) == _SHARD_ROWS or self._bytes + len(sample) > _SHARD_BYTES:
                self._shard()
            self._samples.append(sample)
            self._bytes += len(sample)

    def _sample(self, row: dict[str, Any]) -> bytes:
        data = [_encoded(row[name], encoding) for name, encoding in self._encodings.items()]
        lengths = [len(one) for one, encoding in zip(data, self._encodings.values(), strict=True) if encoding != "int"]
        return np.array(lengths, _WORD).tobytes() + b"".join(data)

    def _shard(self) -> None:
        config = self._config()
        told = json.dumps(config, sort_keys=True).encode("utf-8")
        sizes = np.array([len(sample) for sample in self._samples])
        head = _WORD.itemsize * (len(sizes) + 2) + len(told)
        offsets = np.concatenate([[0], np.cumsum(sizes)]) + head
        count = np.array([len(sizes)], _WORD)
        content = b"".join([count.tobytes(), offsets.astype(_WORD).tobytes(), told, *self._samples])
        name = f"shard.{len(self._shards):05d}.mds"
        (self._folder / name).write_bytes(content)
        raw = {"basename": name, "bytes": len(content), "hashes": {_HASH: hashlib.sha256(content).hexdigest()}}
        self._shards.append(config | {"raw_data": raw, "samples": len(sizes), "zip_data": None})
        self._samples, self._bytes = [], 0

    def _config(self) -> dict[str, Any]:
        return {
            "version": 2,
            "format": "mds",
            "compression": None,
            "hashes": [_HASH],
            "size_limit": _SHARD_BYTES,
            "column_names": list(self._encodings),
            "column_encodings": list(self._encodings.values()),
            "column_sizes": [_INTEGER.itemsize if one == "int" else None for one in self._encodings.values()],
        }


def mds_rows(path: Path, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """Yield the rows of a shard.

    Raises
    ------
    ExportRefused
        If it is cut off, or holds other columns than ``schema``.
    """
    encodings = {name: _encoding(schema.field(name).type) for name in sorted(schema.names)}
    content = path.read_bytes()
    try:
        (count,) = np.frombuffer(content, _WORD, 1)
        offsets = np.frombuffer(content, _WORD, count + 1, _WORD.itemsize).tolist()
        config = json.loads(content[_WORD.itemsize * (count + 2) : offsets[0]])
        found = dict(zip(config["column_names"], config["column_encodings"], strict=True))
    except (KeyError, ValueError) as error:
        raise ExportRefused(f"{path.name} is not an MDS shard: {error}.", hint="export again.") from None
    if offsets[-1] != len(content):
        raise ExportRefused(f"{path.name} has {len(content)} of {offsets[-1]} bytes.", hint="export again.")
    if found != encodings:
        raise ExportRefused(f"{path.name} has columns {found}, not {encodings}.", hint="export again.")
    for begin, end in pairwise(offsets):
        yield _decoded(content[begin:end], encodings)


def _decoded(sample: bytes, encodings: dict[str, str]) -> dict[str, Any]:
    free = sum(encoding != "int" for encoding in encodings.values())
    lengths = iter(np.frombuffer(sample, _WORD, free).tolist())
    place = free * _WORD.itemsize
    row = {}
    for name, encoding in encodings.items():
        size = _INTEGER.itemsize if encoding == "int" else next(lengths)
        row[name] = _value(sample[place : place + size], encoding)
        place += size
    return row


def _value(data: bytes, encoding: str) -> Any:
    if encoding == "int":
        return int(np.frombuffer(data, _INTEGER)[0])
    text = data.decode("utf-8")
    return text if encoding == "str" else json.loads(text)


def _encoded(value: Any, encoding: str) -> bytes:
    if encoding == "int":
        return np.array([value], _INTEGER).tobytes()
    text = value if encoding == "str" else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8")


def _encoding(of: pa.DataType) -> str:
    if pa.types.is_string(of):
        return "str"
    return "int" if pa.types.is_int64(of) else "json"
