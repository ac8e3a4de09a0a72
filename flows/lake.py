"""The flow that looks through a lake: containment, the retention plan, published tables and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import lake_steps
from flows.artifacts import keep_report, keep_table, progress
from flows.lake_job import Job, default_name
from flows.lake_steps import LakeRun
from schemas.recipe.lake import Lake
from schemas.recipe.retention import Retention
from warehouse.house import Warehouse
from warehouse.stages import Services

__all__ = ["lake"]


@task(name="containment", task_run_name="containment", cache_policy=NO_CACHE)
def _find(job: Job, root: Path) -> LakeRun:
    warehouse = Warehouse.open(root)
    return lake_steps.find(job, warehouse, Services(warehouse.workspace, progress=progress()))


@task(name="publish", task_run_name="publish", cache_policy=NO_CACHE)
def _publish(run: LakeRun, root: Path) -> dict[str, Any]:
    return lake_steps.finish(run, Warehouse.open(root))


@flow(name="lake", flow_run_name="{path}", validate_parameters=False)
def lake(
    path: str | None = None,
    warehouse: str = "sluice-warehouse",
    *,
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    retention: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Look through a lake, publish what is contained in what, and what may therefore go. Deletes nothing.

    Returns what was found: stages, edges, plan, datasets, report.

    Args:
        path: Folder, glob or URL of the lake; without one, `settings` name `tables` of the warehouse.
        warehouse: Folder of the warehouse.
        name: What the datasets are called after; by default the last part of the path, or `tables`.
        settings: Settings of containment, as `schemas.recipe.lake.Lake` has them.
        retention: Settings of the plan, as `schemas.recipe.retention.Retention` has them.
    """
    asked = Lake(path=path, **(settings or {}))
    job = Job(name or default_name(path), asked, Retention(**(retention or {})))
    told = _publish(_find(job, Path(warehouse)), Path(warehouse))
    keep_table(job.name, "stages", told["stages"], f"Pairs of tables of {job.name} by stage")
    keep_report(job.name, told["report"])
    return told
