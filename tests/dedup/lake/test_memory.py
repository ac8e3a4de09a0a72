"""Memory while tables grow: peaks of processes that look through a lake of one large table and a half of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

_GROUP = 100_000
_MEMORY = 64
_LOOK = """
import resource, sys
from pathlib import Path
from dedup.lake.contain import contain
from dedup.lake.survey import survey
from schemas.recipe.lake import Lake
from warehouse.stages import Services, Workspace

config, services = Lake(path=sys.argv[1], memory_mb=int(sys.argv[3])), Services(Workspace(Path(sys.argv[2])))
found = contain(survey(config, services), config, services)
assert [("half.parquet", "whole.parquet")] == found.edges.select("child", "parent").rows()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def _lake(folder: Path, rows: int) -> Path:
    """Write a table and every second row of it, a row group at a time."""
    folder.mkdir()
    draw = np.random.default_rng(rows)
    frames = (
        pl.DataFrame({"id": np.arange(first, first + _GROUP), "x": draw.random(_GROUP), "y": draw.random(_GROUP)})
        for first in range(0, rows, _GROUP)
    )
    whole, half = folder / "whole.parquet", folder / "half.parquet"
    schema = pl.DataFrame(schema={"id": pl.Int64, "x": pl.Float64, "y": pl.Float64}).to_arrow().schema
    with pq.ParquetWriter(whole, schema) as to_whole, pq.ParquetWriter(half, schema) as to_half:
        for frame in frames:
            to_whole.write_table(frame.to_arrow())
            to_half.write_table(frame.gather_every(2).to_arrow())
    return folder


def _peak(folder: Path, house: Path) -> int:
    """Return the peak memory of a process that looks through a lake, in MiB."""
    command = [sys.executable, "-c", _LOOK, str(folder), str(house), str(_MEMORY)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
def test_memory_stays_flat_as_a_table_grows(tmp_path: Path) -> None:
    """Eight times the rows, of which the fingerprints alone take three times the setting, take no more memory."""
    small, large = (_peak(_lake(tmp_path / f"{rows}", rows), tmp_path / f"house{rows}") for rows in (10**6, 8 * 10**6))

    assert large < small + _MEMORY
