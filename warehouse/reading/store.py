"""The files of a release, wherever they lie: local paths, or anything that fsspec opens."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError, MissingExtra
from warehouse.release.manifest import MANIFEST, is_sealed, parse_manifest

__all__ = ["Store"]

_OPEN = 32


class Store:
    """A release folder for reading.

    Parameters
    ----------
    folder
        Local path, or a URL such as ``s3://bucket/releases/demo/1.0.0``.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = str(folder)
        self._files: OrderedDict[str, pq.ParquetFile] = OrderedDict()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The release's manifest.

        Raises
        ------
        InputError
            If there is none, or it was altered.
        """
        try:
            with self._open(MANIFEST) as handle:
                text = handle.read().decode("utf-8")
        except FileNotFoundError:
            raise InputError(f"{self.folder} is not a release folder: it has no {MANIFEST}.") from None
        manifest = parse_manifest(text, f"{self.folder}/{MANIFEST}")
        if not is_sealed(manifest):
            raise InputError(f"the manifest of {self.folder} was altered.", hint="`sluice verify-release` tells more.")
        return manifest

    @property
    def digest(self) -> str:
        """Digest of the manifest."""
        return self.manifest["digest"]

    def schema(self, path: str) -> pa.Schema:
        """Return the Arrow schema of a shard."""
        return self._file(path).schema_arrow

    def group_rows(self, path: str) -> list[int]:
        """Return the rows of each row group of a shard."""
        metadata = self._file(path).metadata
        return [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]

    def read(self, path: str, group: int, columns: list[str]) -> pa.Table:
        """Return one row group.

        Raises
        ------
        InputError
            If the shard cannot be read.
        """
        try:
            return self._file(path).read_row_group(group, columns=columns, use_threads=False).select(columns)
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{self.folder}/{path} cannot be read: {error}.",
                hint="`sluice verify-release` tells what is damaged.",
            ) from error

    def _file(self, path: str) -> pq.ParquetFile:
        if path not in self._files:
            self._files[path] = pq.ParquetFile(self._open(path))
            if len(self._files) > _OPEN:
                self._files.popitem(last=False)[1].close(force=True)
        self._files.move_to_end(path)
        return self._files[path]

    def _open(self, path: str) -> Any:
        if "://" not in self.folder:
            return (Path(self.folder) / path).open("rb")
        try:
            import fsspec
        except ImportError:
            raise MissingExtra("fsspec", "datasets") from None
        return fsspec.open(f"{self.folder.rstrip('/')}/{path}", "rb").open()
