"""What a build writes down about itself: decisions and lineage, from its finished steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from curation.sources.stage import READ
from flows.steps import Step
from schemas.books import LINEAGE
from schemas.recipe.dedup import PinnedDedup
from schemas.recipe.sources import ResolvedSources
from warehouse.stages import StageRun, Workspace

__all__ = ["decisions_of", "files_of", "lineage_of"]


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
        for file in files_of(step)
    ]
    tables += [
        {"output": f"{step.name}@{done[step.name].key}", "input": f"{one.dataset}@{one.version}", "stage": step.name}
        for step in steps
        for one in (step.config.published if isinstance(step.config, PinnedDedup) else ())
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
                stage=pl.lit(READ.name),
            ).unique(),
            "record",
            "record",
        ),
    ]
    return pl.concat(edges).unique().with_columns(run_id=pl.lit(run_id)).select(LINEAGE.names)


def _edges(edges: pl.LazyFrame, output_kind: str, input_kind: str) -> pl.LazyFrame:
    return edges.with_columns(output_kind=pl.lit(output_kind), input_kind=pl.lit(input_kind))


def files_of(step: Step) -> list[dict[str, str]]:
    """Return the files that a reading step reads; other steps read none."""
    if not isinstance(step.config, ResolvedSources):
        return []
    return [
        {"source": resolved.source.name, "file": file.name, "digest": file.digest}
        for resolved in step.config.sources
        for file in resolved.files
    ]
