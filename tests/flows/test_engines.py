"""The whole job without an orchestrator: the same content, whatever the engine, order of rows, workers or batches."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from curation import batches, judging
from curation.decontaminate import stage as decontaminate
from dedup.text import documents, near
from flows.build import Build
from schemas.errors import MissingExtra, UsageError
from tests.flows.conftest import ROOT, sluice
from warehouse.engines import Engine, LocalEngine, SparkEngine
from warehouse.house import Warehouse
from warehouse.stages import Services

_TAKEN = {"functions": 12, "programs": 6, "answers": 8}
_COLUMNS = {name: name for name in ("id", "prompt", "tests", "reference_solutions", "wrong_solutions", "tags")}
_KINDS = {"functions": "calls", "programs": "stdio", "answers": "math"}


@dataclass(frozen=True)
class Built:
    """What a build left: hashes of every table by stage, and the hash that was published."""

    tables: dict[str, dict[str, str]]
    published: str
    rows: int


def _problems(name: str) -> list[dict[str, Any]]:
    lines = (ROOT / "examples" / "problems" / f"{name}.jsonl").read_text().splitlines()
    chosen = [json.loads(line) for line in lines[: _TAKEN[name]]]
    twice = {**chosen[0], "license": "CC0-1.0", "id": f"{name}-again"}
    altered = {**chosen[1], "prompt": chosen[1]["prompt"].upper(), "id": f"{name}-altered"}
    return [*chosen, twice, altered]


def _recipe(folder: Path, seed: int | None, verify: dict[str, Any]) -> Path:
    """Write a small recipe whose sources stand in the order that ``seed`` draws."""
    folder.mkdir()
    for name in _TAKEN:
        rows = _problems(name)
        if seed is not None:
            random.Random(seed).shuffle(rows)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    entry = {"entry_point": "entry_point", "answer": "answer"}
    recipe = {
        "name": "parity",
        "sources": [
            {"name": name, "kind": "table", "verifier": kind, "path": f"{name}.jsonl", "revision": "1"}
            | {"columns": _COLUMNS | entry}
            for name, kind in _KINDS.items()
        ],
        "decontaminate": {
            "benchmarks": [
                {"name": "held_out", "kind": "table", "verifier": "exact", "columns": {"id": "id", "answer": "answer"}}
                | {"path": str(ROOT / "examples" / "benchmark.jsonl")}
            ]
        },
        "verify": {"time_limit_s": 2, **verify},
        "gold": {"mutants": 1, "wrong": 1},
        "rollouts": {"policies": [{"backend": "mutants", "name": "mutants", "samples": 2}]},
        "filters": {"rules": [{"name": "unsolved", "action": "flag"}], "control": {"seed": 0}},
        "curricula": {"drive": {"stage1": {"size": 20}}, "plain": [{"name": "easy_to_hard"}]},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder / "recipe.yaml"


def _built(folder: Path, engine: Engine, *, seed: int | None = None, **verify: Any) -> Built:
    """Build and publish the recipe, step by step."""
    build = Build.of(_recipe(folder, seed, verify), folder / "warehouse")
    house = Warehouse.open(build.root)
    services = Services(house.workspace, engine)
    for step in build.steps:
        build = replace(build, done={**build.done, step.name: step.run(step.tables(build.done), services)})
    build.keep_books(house)
    version = build.publish(house).version
    tables = {
        name: {table: ref.content_hash for table, ref in run.tables.items() if table != "rejections"}
        for name, run in build.done.items()
    }
    return Built(tables, version.content_hash, version.rows)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The job in this process, two programs judged at a time."""
    return _built(tmp_path_factory.mktemp("parity") / "local", LocalEngine(), workers=2)


def test_the_compared_job_has_something_to_compare(local: Built) -> None:
    """Rows are published, some fell out on the way, and every stage left tables of its own."""
    assert 20 < local.rows
    assert local.tables["normalise"]["rows"] != local.tables["dedup"]["rows"]
    assert {"test_quality"} < set(local.tables["gold"])
    assert {"rollouts"} < set(local.tables["rollouts"])


def test_determinism_across_engines(
    local: Built, spark: SparkEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shingles, verdicts and counts made on Spark executors give every table of every stage the same content."""
    monkeypatch.setattr(judging, "_CHUNK", 48)
    monkeypatch.setattr(documents, "_TEXTS_AT_ONCE", 16)
    assert local == _built(tmp_path / "spark", spark)


def test_determinism_across_row_order_workers_and_batches(
    local: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shuffled sources, one program at a time and small batches everywhere give the same content at every stage."""
    sizes = {
        (batches, "_PROBLEMS"): 5,
        (batches, "_ROWS"): 7,
        (judging, "_BATCH"): 11,
        (documents, "_ROWS_AT_ONCE"): 6,
        (documents, "_TEXTS_AT_ONCE"): 4,
        (near, "_AT_ONCE"): 9,
        (decontaminate, "_BATCH"): 8,
    }
    for (module, name), size in sizes.items():
        monkeypatch.setattr(module, name, size)
    assert local == _built(tmp_path / "shuffled", LocalEngine(), seed=3, workers=1)


def test_a_recipe_for_spark_is_refused_before_anything_runs_where_spark_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without PySpark, or without a JDK, the command says what is missing and writes nothing."""
    recipe = _recipe(tmp_path / "recipe", None, {})
    recipe.write_text(recipe.read_text() + "engine: spark\n")

    ran = sluice("run", recipe, "--warehouse", tmp_path / "warehouse", JAVA_HOME=str(tmp_path))

    assert UsageError.exit_code == ran.code
    assert "Spark needs a JDK 17 or newer" in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "warehouse").exists()
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtra, match=r"sluice\[spark\]"):
        Build.of(recipe, tmp_path / "warehouse")
