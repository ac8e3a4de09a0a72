"""A folder as `datasets.Dataset.save_to_disk` leaves it, for readers that call `datasets.load_from_disk`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import pyarrow as pa

from warehouse.fingerprint import file_sha256

__all__ = ["ArrowFolderWriter"]

_DATA = "data-00000-of-00001.arrow"


class ArrowFolderWriter:
    """One Arrow stream, and the two small files that say what it is; the fingerprint is that of its bytes."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._stream = pa.ipc.new_stream(folder / _DATA, schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        state = {
            "_data_files": [{"filename": _DATA}],
            "_fingerprint": file_sha256(self._folder / _DATA)[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": "train",
        }
        (self._folder / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        (self._folder / "dataset_info.json").write_text("{}", encoding="utf-8")

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        self._stream.write_table(table)
