"""What a build writes down about itself: decisions, lineage and the run, from its finished steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import polars as pl

from flows.steps import READ, Step
from schemas.ids import canonical_json, digest
from schemas.recipe.sources import ResolvedSources
from schemas.records import LINEAGE
from warehouse.stages import StageRun, Workspace

__all__ = ["decisions_of", "lineage_of", "run_record"]


def decisions_of(done: Mapping[str, StageRun], workspace: Workspace, run_id: str) -> pl.LazyFrame:
    """Return the decisions of all steps, stamped with the run."""
    scans = [workspace.scan(run.tables["decisions"]) for run in done.values()]
    return pl.concat(scans).with_columns(run_id=pl.lit(run_id))


def lineage_of(steps: Iterable[Step], done: Mapping[str, StageRun], workspace: Workspace, run_id: str) -> pl.LazyFrame:
    """Return the edges of a build: tables to tables, published rows to problems, problems to their sources."""
    tables = [
        {"output": f"{step.name}@{done[step.name].key}", "input": f"{source}@{done[source].key}", "stage": step.name}
        for step in steps
        for source in sorted({source for source, _ in step.inputs.values()})
    ]
    files = [
        {
            "output": f"{step.name}@{done[step.name].key}",
            "input": f"{file['file']}@{file['digest']}",
            "stage": step.name,
        }
        for step in steps
        for file in _files(step)
    ]
    last = list(done.values())[-1]
    rows = workspace.scan(last.tables["prompt_set"])
    columns = dict.fromkeys(("output", "input", "stage"), pl.String)
    edges = [
        _edges(pl.LazyFrame(tables, schema=columns), "table", "table"),
        _edges(pl.LazyFrame(files, schema=columns), "table", "file"),
        _edges(rows.select(output="row_id", input="problem_id", stage=pl.lit(last.name)), "record", "record"),
        _edges(
            rows.select(
                output="problem_id",
                input=pl.concat_str("source", pl.lit("/"), "source_id"),
                stage=pl.lit(READ),
            ).unique(),
            "record",
            "record",
        ),
    ]
    return pl.concat(edges).unique().with_columns(run_id=pl.lit(run_id)).select(LINEAGE.names)


def _edges(edges: pl.LazyFrame, output_kind: str, input_kind: str) -> pl.LazyFrame:
    return edges.with_columns(output_kind=pl.lit(output_kind), input_kind=pl.lit(input_kind))


def run_record(
    run_id: str,
    dataset: str,
    status: str,
    *,
    recipe: Mapping[str, Any],
    steps: Iterable[Step],
    done: Mapping[str, StageRun],
    **facts: Any,
) -> dict[str, Any]:
    """Return the run's entry for the book of runs; ``facts`` are further columns of the contract."""
    return {
        "run_id": run_id,
        "dataset": dataset,
        "status": status,
        "recipe": canonical_json(recipe),
        "recipe_hash": digest(recipe),
        "code_version": version("sluice"),
        "inputs": canonical_json([file for step in steps for file in _files(step)]),
        "counts": canonical_json([{"stage": name, **run.counts} for name, run in done.items()]),
        "cost": canonical_json({name: {"seconds": run.seconds} for name, run in done.items()}),
        **facts,
    }


def _files(step: Step) -> list[dict[str, str]]:
    """Return the files that a reading step reads; other steps read none."""
    if not isinstance(step.config, ResolvedSources):
        return []
    return [
        {"source": resolved.source.name, "file": file.name, "digest": file.digest}
        for resolved in step.config.sources
        for file in resolved.files
    ]
