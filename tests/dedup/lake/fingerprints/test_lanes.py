"""Sorted lanes against counters, in memory and in files, with as little memory as they may be given."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.lake.fingerprints import lanes
from dedup.lake.fingerprints.external_sort import Sorter
from dedup.lake.fingerprints.lanes import Lane, contained, distinct, missing, multiset_contained

_VALUES = st.lists(st.integers(0, 40), max_size=60)


def _lane(values: list[int]) -> Lane:
    found, counts = distinct(np.sort(np.array(values, np.uint64)))
    return Lane(len(found), found, counts)


def _filed(values: list[int], path: Path) -> Lane:
    found, counts = distinct(np.sort(np.array(values, np.uint64)))
    parts = [found] if counts is None else [found, counts]
    path.write_bytes(b"".join(part.tobytes() for part in parts))
    return Lane(len(found), file=(path, 0, -1 if counts is None else found.nbytes))


@given(child=_VALUES, parent=_VALUES, chunk=st.integers(1, 9))
def test_lanes_tell_what_counters_tell(
    child: list[int], parent: list[int], chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Containment as set and multiset and the missing values, whatever the chunks."""
    folder = tmp_path_factory.mktemp("lanes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "_CHUNK", chunk)
        patch.setattr(lanes, "_FEW", 2)
        for a, b in (
            (_lane(child), _lane(parent)),
            (_filed(child, folder / "a"), _filed(parent, folder / "b")),
            (_lane(child), _filed(parent, folder / "b")),
        ):
            assert (set(child) <= set(parent)) == contained(a, b)
            assert (Counter(child) <= Counter(parent)) == multiset_contained(a, b)
            lost = [int(value) for part in missing(a, b) for value in part]
            assert sorted(set(child) - set(parent)) == lost


@pytest.mark.parametrize("spread", [50, 2**63])
@pytest.mark.parametrize(("memory", "parts"), [(1, 13), (1, 8), (1 << 30, 13)], ids=["some left", "none left", "all"])
def test_sorting_in_little_memory(memory: int, parts: int, spread: int, tmp_path: Path) -> None:
    """Runs on disk, merged by ranges, give the distinct values in order with their counts; the last may fill a run."""
    values = np.random.default_rng(1).integers(0, spread, 40_000).astype(np.uint64)
    sorter = Sorter(tmp_path, "x", memory)
    for part in np.array_split(values, parts):
        sorter.add(pl.Series(part))

    told: Counter[int] = Counter()
    last = -1
    for part, counts in sorter.ordered():
        for value, count in zip(part.tolist(), [1] * len(part) if counts is None else counts.tolist(), strict=True):
            assert last < value
            last, told[value] = value, count

    assert Counter(values.tolist()) == told
    assert [] == list(tmp_path.iterdir())
