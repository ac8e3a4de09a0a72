"""The lineage events of a release are what OpenLineage's own library would have written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from schemas.recipe.publish import Publish
from schemas.records import PROMPT_SET
from tests.tables import prompt_row, prompt_rows
from warehouse.release.info import ReleaseInfo, StageOfRun
from warehouse.release.write import write_release

base = pytest.importorskip("openlineage.client.generated.base")
serde = pytest.importorskip("openlineage.client.serde")

_GENERATED = "openlineage.client.generated"
_MODULES = {
    "documentation": "documentation_dataset",
    "inputStatistics": "input_statistics_input_dataset",
    "jobType": "job_type_job",
    "outputStatistics": "output_statistics_output_dataset",
    "parent": "parent_run",
    "processing_engine": "processing_engine_run",
    "schema": "schema_dataset",
    "tags": "tags_dataset",
    "version": "dataset_version_dataset",
}
_INFO = ReleaseInfo(
    "demo",
    "1.0.0",
    datetime(2026, 3, 4, 5, tzinfo=UTC),
    run_id="run_1",
    code_version="0.1.0",
    started_at=datetime(2026, 3, 4, 4, tzinfo=UTC),
    parents=[{"source": "made", "file": "made.jsonl", "digest": "a" * 32}],
    stages=[
        StageOfRun("read", "read@bb", ("made.jsonl@aa",), 9),
        StageOfRun("curricula", "curricula@cc", ("filters@dd", "read@bb"), 8),
    ],
    publish=Publish(description="Made for a test."),
)


def _events(tmp_path: Path, info: ReleaseInfo = _INFO) -> list[dict[str, Any]]:
    prompt_rows([prompt_row(n, license="MIT") for n in range(8)]).write_parquet(tmp_path / "rows.parquet")
    made = write_release([tmp_path / "rows.parquet"], PROMPT_SET, info, tmp_path / "demo/1.0.0")
    return [json.loads(line) for line in (made.folder / "lineage.ndjson").read_text().splitlines()]


def _facets(told: dict[str, Any]) -> dict[str, Any]:
    """Return facets as the library's own objects, which refuse unknown fields."""
    made = {}
    for name, facet in told.items():
        module = import_module(f"{_GENERATED}.{_MODULES[name]}")
        kind = getattr(module, facet["_schemaURL"].rpartition("/")[2])
        fields = {key: value for key, value in facet.items() if not key.startswith("_")}
        made[name] = kind(producer=facet["_producer"], **fields)
    return made


def _dataset(kind: type, told: dict[str, Any]) -> Any:
    own = {key: _facets(value) for key, value in told.items() if key.lower().endswith("facets")}
    return kind(namespace=told["namespace"], name=told["name"], **own)


def _as_the_library_has_it(event: dict[str, Any]) -> Any:
    return base.RunEvent(
        eventTime=event["eventTime"],
        eventType=base.EventType(event["eventType"]),
        producer=event["producer"],
        run=base.Run(event["run"]["runId"], facets=_facets(event["run"]["facets"])),
        job=base.Job(event["job"]["namespace"], event["job"]["name"], facets=_facets(event["job"]["facets"])),
        inputs=[_dataset(base.InputDataset, one) for one in event["inputs"]],
        outputs=[_dataset(base.OutputDataset, one) for one in event["outputs"]],
    )


def _bare(told: Any) -> Any:
    """Return an event without empty members, which the library may or may not write."""
    if isinstance(told, dict):
        return {key: kept for key, value in told.items() if (kept := _bare(value)) not in ({}, [], None)}
    return [_bare(one) for one in told] if isinstance(told, list) else told


def test_the_library_would_have_written_the_same(tmp_path: Path):
    """Rebuilt from the library's classes, checked by them and serialised by them, each event is what stands there."""
    for event in _events(tmp_path):
        assert _bare(serde.Serde.to_dict(_as_the_library_has_it(event))) == _bare(event)


def test_every_run_begins_and_ends_inside_the_whole(tmp_path: Path):
    """One START and one COMPLETE per run id; stages name the whole run as their parent."""
    events = _events(tmp_path)
    assert ["demo", "demo.read", "demo.read", "demo.curricula", "demo.curricula", "demo"] == [
        event["job"]["name"] for event in events
    ]
    kinds: dict[str, list[str]] = {}
    for event in events:
        kinds.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert [["START", "COMPLETE"]] * 3 == list(kinds.values())
    whole = events[0]["run"]["runId"]
    assert [whole] * 4 == [event["run"]["facets"]["parent"]["run"]["runId"] for event in events[1:5]]


def test_the_release_is_what_comes_out(tmp_path: Path):
    """Rows, files, version, columns and licences of the release stand on the run's output, its sources on its input."""
    whole = _events(tmp_path)[-1]
    (source,), (released,) = whole["inputs"], whole["outputs"]
    assert ("made.jsonl", "a" * 32) == (source["name"], source["facets"]["version"]["datasetVersion"])
    assert ("demo", "1.0.0") == (released["name"], released["facets"]["version"]["datasetVersion"])
    statistics = released["outputFacets"]["outputStatistics"]
    assert (8, 1) == (statistics["rowCount"], statistics["fileCount"])
    assert PROMPT_SET.names == [field["name"] for field in released["facets"]["schema"]["fields"]]
    assert ["MIT"] == [tag["value"] for tag in released["facets"]["tags"]["tags"]]


def test_runs_of_other_ids_are_other_runs(tmp_path: Path):
    """Run ids follow from the run alone: equal for equal runs, different for different ones."""
    ids = [
        {event["run"]["runId"] for event in _events(tmp_path / name, replace(_INFO, run_id=run))}
        for name, run in (("a", "run_1"), ("b", "run_1"), ("c", "run_2"))
        if not (tmp_path / name).mkdir()
    ]
    assert ids[0] == ids[1]
    assert not ids[0] & ids[2]
