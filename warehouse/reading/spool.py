"""Rows laid out on the local disk so that any of them can be taken at once, without holding them in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Spool"]

_BATCH = 1 << 16
"""Rows of a batch: many, so that taking from all of them is cheap."""


class Spool:
    """Rows of some tables, mapped into memory from an uncompressed file without a name.

    Parameters
    ----------
    scratch
        Folder for the file; that of the system if None. It takes the rows uncompressed.
    """

    def __init__(self, tables: Iterable[pa.Table], scratch: Path | None = None) -> None:
        # what is mapped outlives its name: a process that is killed leaves no file behind
        with TemporaryDirectory(prefix="sluice-", dir=scratch) as folder:
            path = Path(folder) / "rows.arrow"
            _write(path, tables)
            with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
                self._batches = [file.get_batch(index) for index in range(file.num_record_batches)]
        self._begins = np.cumsum([0, *(batch.num_rows for batch in self._batches)])

    def take(self, places: NDArray[np.int64]) -> pa.Table:
        """Return the rows at ``places``, in that order."""
        order = np.argsort(places, kind="stable")
        ordered = places[order]
        cuts = np.searchsorted(ordered, self._begins)
        taken = [
            pa.Table.from_batches([batch.take(pa.array(ordered[begin:end] - start))])
            for batch, start, begin, end in zip(self._batches, self._begins, cuts, cuts[1:], strict=False)
            if begin < end
        ]
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return pa.concat_tables(taken).combine_chunks().take(pa.array(back))


def _write(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables as batches of 65,536 rows: few enough that taking rows from all of them is cheap."""
    writer: pa.RecordBatchFileWriter | None = None
    waiting: list[pa.Table] = []
    for table in tables:
        writer = writer or pa.ipc.new_file(path, table.schema)
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= _BATCH:
            writer.write_table(pa.concat_tables(waiting).combine_chunks())
            waiting = []
    if writer:
        if waiting:
            writer.write_table(pa.concat_tables(waiting).combine_chunks())
        writer.close()
