"""The stage dedup on Spark: the same content, to the last byte of every hash."""

from __future__ import annotations

import random

import polars as pl
import pytest

from dedup.text import documents
from dedup.text.stage import DEDUP
from schemas.recipe.dedup import Dedup
from schemas.records import PROBLEM
from schemas.tables import TableRef
from tests.tables import problem, stored
from warehouse.engines import LocalEngine, SparkEngine
from warehouse.runner import run_stage
from warehouse.stages import Services, Workspace


def _texts(count: int) -> list[str]:
    """Return texts of which every fourth is a copy and every fourth an edit of an earlier one."""
    draw = random.Random(7)
    texts: list[str] = []
    for number in range(count):
        if number % 4 < 2 or not texts:
            texts.append(" ".join(draw.choices([f"w{i}" for i in range(500)], k=draw.randint(5, 80))))
        else:
            words = draw.choice(texts).split()
            words[draw.randrange(len(words))] = "changed" if number % 4 == 2 else words[0]
            texts.append(" ".join(words).title())
    return texts


@pytest.fixture
def rows(workspace: Workspace) -> TableRef:
    """A table of problems with many repetitions."""
    made = [problem(n, prompt=[{"role": "user", "content": text}]) for n, text in enumerate(_texts(400))]
    return stored(workspace, "rows", pl.DataFrame(made, schema=pl.Schema(PROBLEM.arrow)), "problem")


def test_spark_gives_the_same_content_hashes_as_local(
    rows: TableRef, workspace: Workspace, spark: SparkEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows kept, rows dropped and decisions have equal hashes, with the work cut into several pieces."""
    monkeypatch.setattr(documents, "_TEXTS_AT_ONCE", 60)
    config = Dedup(keep_numbers=False, threshold=0.7)
    runs = []
    for root, engine in (("local", LocalEngine()), ("spark", spark)):
        home = Workspace(workspace.root / root)
        home.root.mkdir(parents=True)
        (home.root / "in").symlink_to(workspace.root / "in")
        runs.append(run_stage(DEDUP, {"rows": rows}, config, Services(home, engine)))
    local, distributed = runs
    assert {"exact_duplicate", "near_duplicate"} == set(local.counts["dropped"])
    assert {n: t.content_hash for n, t in local.tables.items()} == {
        n: t.content_hash for n, t in distributed.tables.items()
    }
