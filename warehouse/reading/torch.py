"""A release as a torch `IterableDataset`: whole batches, in the same order with any number of workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from schemas.errors import MissingExtra
from warehouse.reading.reader import Reader

__all__ = ["torch_batches"]


def torch_batches(reader: Reader, size: int, collate: Callable[[pa.Table], Any] = pa.Table.to_pylist) -> Any:
    """Return an `IterableDataset` of the rank's batches, for ``DataLoader(..., batch_size=None, num_workers=N)``.

    Worker ``w`` yields every ``N``-th batch, and the loader takes them in turn: the order is the reader's own. After
    ``k`` batches the state is ``reader.state(k * size)``, however many batches workers hold in advance.

    Each worker opens files of its own.

    Raises
    ------
    MissingExtra
        If torch is not installed.
    """
    try:
        from torch.utils.data import IterableDataset, get_worker_info
    except ImportError:
        raise MissingExtra("torch", "llm") from None

    class Batches(IterableDataset):
        def __iter__(self) -> Iterator[Any]:
            info = get_worker_info()
            worker, workers = (info.id, info.num_workers) if info else (0, 1)
            return map(collate, replace(reader).batches(size, worker, workers))

    return Batches()
