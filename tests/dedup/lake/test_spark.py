"""The same lake in this process and on Spark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dedup.lake.contain import contain
from dedup.lake.survey import survey
from schemas.recipe.lake import Lake
from tests.dedup.lake import brute
from warehouse.engines import SparkEngine
from warehouse.stages import Services, Workspace


def test_spark_finds_the_same(spark: SparkEngine, tmp_path: Path) -> None:
    """Files read and edges proved on executors give the tables, edges and ledgers of the local run."""
    brute.write(brute.random_lake(3, tables=6), tmp_path / "lake", np.random.default_rng(3))
    (tmp_path / "lake" / "bad.csv").write_text("a,b\n1\n")
    results = []

    for name, engine in (("local", None), ("spark", spark)):
        services = replace(Services(Workspace(tmp_path / name)), engine=engine)
        for keep in (0, 64):
            config = Lake(path=str(tmp_path / "lake"), near=0.5, keep_cells_mb=keep)
            found = contain(survey(config, services), config, services)
            ledger = found.ledger.drop("seconds", "bytes_read").rows()
            frames = (found.tables, found.rejections, found.edges, found.suggestions)
            results.append([ledger, *(frame.rows() for frame in frames)])

    assert results[:2] == results[2:]
    assert results[0][3]
