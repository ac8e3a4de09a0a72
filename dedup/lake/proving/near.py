"""Tables of which most rows, but not all, are in another."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from dedup.lake.files.tables import Table
from dedup.lake.fingerprints.lanes import missing
from dedup.lake.fingerprints.projections import Projector
from dedup.lake.fingerprints.rows import frame_lane, read
from dedup.lake.proving.exact import Solved
from schemas.lake import NEAR_CONTAINMENT

__all__ = ["measured"]

_SAMPLE = 3
_LONGEST = 200
Near = tuple[int, int, float, int, tuple[int, ...]]


def measured(projector: Projector, solved: Iterable[Solved], least: float, most: int) -> pl.DataFrame:
    """Measure the pairs that samples called near, as the contract `near_containment` has them.

    Parameters
    ----------
    least
        Least share of the child's distinct rows that the parent holds.
    most
        Parents told of each child.
    """
    rows = []
    for group in solved:
        projector.forget()
        by_child: dict[int, list[Near]] = defaultdict(list)
        for found in _counted(projector, group, least):
            by_child[found[0]].append(found)
        for child, measured_ones in by_child.items():
            table, near = projector.tables[child], sorted(measured_ones, key=lambda one: (-one[2], one[1]))[:most]
            wanted = {hash_ for one in near for hash_ in one[4]}
            samples = _rows_of(projector, table, group.columns, wanted)
            rows += [_row(table, projector.tables[one[1]], one, samples) for one in near]
    return pl.DataFrame(rows, schema=pl.Schema(NEAR_CONTAINMENT.arrow), orient="row").sort("child", "parent")


def _row(child: Table, parent: Table, one: Near, samples: dict[int, Any]) -> tuple[Any, ...]:
    told = [samples[hash_] for hash_ in one[4] if hash_ in samples]
    return child.name, parent.name, one[2], one[3], json.dumps(told, ensure_ascii=False)


def _counted(projector: Projector, group: Solved, least: float) -> Iterator[Near]:
    pairs = sorted(zip(group.near.children.tolist(), group.near.parents.tolist(), strict=True))
    for child, parent in pairs:
        lane = projector.rows(child, group.columns).low
        lost, first = 0, np.zeros(0, np.uint64)
        for hashes in missing(lane, projector.rows(parent, group.columns).low):
            lost += len(hashes)
            first = np.concatenate([first, hashes[: _SAMPLE - len(first)]])
        fraction = 1 - lost / lane.size
        if lost and fraction >= least:
            yield child, parent, fraction, lost, tuple(first.tolist())


def _rows_of(projector: Projector, table: Table, columns: Sequence[str], wanted: set[int]) -> dict[int, Any]:
    """Return a row of each fingerprint as a JSON object, reading the table until all are found."""
    hashes = np.array(sorted(wanted), np.uint64)
    found: dict[int, Any] = {}
    for frame in read(projector.storage, table, columns):
        low = frame_lane(frame, projector.store.policy)
        places = np.flatnonzero(np.isin(low, hashes))
        for hash_, row in zip(low[places].tolist(), frame[places].rows(named=True), strict=True):
            found.setdefault(hash_, {name: _told(value) for name, value in row.items()})
        if len(found) == len(wanted):
            break
    return found


def _told(value: Any) -> Any:
    """Return a value as JSON can say it, long text cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
