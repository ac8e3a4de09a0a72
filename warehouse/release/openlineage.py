"""OpenLineage events of the run that made a release, one JSON object per line: the whole run, and each of its stages.

Source: the OpenLineage object model 2-0-2 and its standard facets, https://openlineage.io/docs/spec/object-model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pyarrow as pa

from schemas.contracts import Contract
from warehouse.release.info import ReleaseInfo, StageOfRun
from warehouse.release.licences import LicenceRollUp
from warehouse.release.shards import Shard

__all__ = ["openlineage"]

_NAMESPACE = "sluice"
_PRODUCER = "urn:sluice"
_SPEC = "https://openlineage.io/spec"
_FACETS = {
    "DatasetVersionDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "InputStatisticsInputDatasetFacet": "1-0-0",
    "JobTypeJobFacet": "2-0-4",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
    "TagsDatasetFacet": "1-0-0",
}
"""Standard facets and the revision of each that is written."""


def openlineage(of: Contract, shards: Sequence[Shard], licences: LicenceRollUp, info: ReleaseInfo) -> str:
    """Return the events as NDJSON, each run begun and completed: the stages inside, the whole around them."""
    whole = _Run(info, info.dataset, None)
    inside = [event for stage in info.stages for event in _stage_events(stage, info)]
    outputs = [_released(of, shards, licences, info)]
    inputs = [_source(parent) for parent in info.parents]
    events = [whole.event("START", inputs, outputs), *inside, whole.event("COMPLETE", inputs, outputs)]
    return "".join(json.dumps(event, ensure_ascii=False, sort_keys=True) + "\n" for event in events)


class _Run:
    """One run of one job, with an id that follows from what it is."""

    def __init__(self, info: ReleaseInfo, job: str, parent: str | None) -> None:
        self.info = info
        self.job = job
        self.parent = parent

    def event(self, kind: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> dict[str, Any]:
        """Return the event that the run began or was completed."""
        ended = kind == "COMPLETE"
        at = self.info.published_at if ended else self.info.started_at or self.info.published_at
        return {
            "eventType": kind,
            "eventTime": at.isoformat(),
            "producer": _PRODUCER,
            "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": self._id(self.job), "facets": self._facets()},
            "job": {"namespace": _NAMESPACE, "name": self.job, "facets": {"jobType": _job_type(self.parent)}},
            "inputs": list(inputs),
            "outputs": list(outputs) if ended else [],
        }

    def _facets(self) -> dict[str, Any]:
        engine = _facet("ProcessingEngineRunFacet", version=self.info.code_version or "unknown", name="sluice")
        if self.parent is None:
            return {"processing_engine": engine}
        parent = _facet(
            "ParentRunFacet",
            run={"runId": self._id(self.parent)},
            job={"namespace": _NAMESPACE, "name": self.parent},
        )
        return {"parent": parent, "processing_engine": engine}

    def _id(self, job: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"{_NAMESPACE}/{self.info.dataset}/{self.info.run_id}/{job}"))


def _stage_events(stage: StageOfRun, info: ReleaseInfo) -> Iterator[dict[str, Any]]:
    run = _Run(info, f"{info.dataset}.{stage.name}", info.dataset)
    inputs = [_table(name, "inputFacets", {}) for name in stage.inputs]
    counted = {"outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", rowCount=stage.rows)}
    outputs = [_table(stage.output, "outputFacets", counted)]
    yield run.event("START", inputs, outputs)
    yield run.event("COMPLETE", inputs, outputs)


def _table(name: str, kind: str, facets: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table or file that is named ``NAME@DIGEST``."""
    plain, _, version = name.rpartition("@")
    return {
        "namespace": _NAMESPACE,
        "name": plain or name,
        "facets": {"version": _facet("DatasetVersionDatasetFacet", datasetVersion=version)} if plain else {},
        kind: dict(facets),
    }


def _source(parent: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input of the run: a file or a table, with its digest or version."""
    name = parent.get("file") or parent.get("dataset") or parent.get("source", "")
    version = parent.get("digest") or parent.get("version") or parent.get("snapshot")
    return _table(f"{name}@{version}" if version else str(name), "inputFacets", {})


def _released(of: Contract, shards: Sequence[Shard], licences: LicenceRollUp, info: ReleaseInfo) -> dict[str, Any]:
    sizes = {
        "rowCount": sum(shard.rows for shard in shards),
        "size": sum(shard.bytes for shard in shards),
        "fileCount": len(shards),
    }
    tags = [{"key": "license", "value": name, "source": "sluice"} for name in licences.rows]
    documented = info.publish.description.strip() or of.doc
    return {
        "namespace": _NAMESPACE,
        "name": info.dataset,
        "facets": {
            "documentation": _facet("DocumentationDatasetFacet", description=documented),
            "schema": _facet("SchemaDatasetFacet", fields=[_field(one.name, one.type, one.doc) for one in of.columns]),
            "tags": _facet("TagsDatasetFacet", tags=tags),
            "version": _facet("DatasetVersionDatasetFacet", datasetVersion=info.version),
        },
        "outputFacets": {"outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", **sizes)},
    }


def _field(name: str, of: pa.DataType, doc: str | None = None) -> dict[str, Any]:
    inner = of.value_type if pa.types.is_list(of) else of
    fields = [_field(one.name, one.type) for one in inner] if pa.types.is_struct(inner) else []
    told = {"description": doc} if doc else {}
    return {"name": name, "type": str(of), **told, "fields": fields}


def _job_type(parent: str | None) -> dict[str, Any]:
    kind = "JOB" if parent is None else "TASK"
    return _facet("JobTypeJobFacet", processingType="BATCH", integration="SLUICE", jobType=kind)


def _facet(name: str, /, **fields: Any) -> dict[str, Any]:
    return {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/facets/{_FACETS[name]}/{name}.json#/$defs/{name}", **fields}
