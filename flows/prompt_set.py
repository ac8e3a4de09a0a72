"""The flow of the main job: from a recipe to a published, exported prompt set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import hand_off
from flows.artifacts import keep_report, keep_table, progress
from flows.build import Build
from flows.steps import Step
from flows.summary import summary, taken_out
from schemas.tables import TableRef
from warehouse import explore
from warehouse.engines import Engine, engine
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.report.html import write as write_report
from warehouse.report.summarise import summarise
from warehouse.stages import Services, StageRun

__all__ = ["finish", "prompt_set", "run_steps"]


@task(task_run_name="{step.name}", cache_policy=NO_CACHE)
def _stage(step: Step, inputs: Mapping[str, TableRef], root: Path, engine: Engine) -> StageRun:
    services = Services(Warehouse.open(root).workspace, engine, progress())
    run = step.run(inputs, services)
    kept = f"{run.counts['kept']:,} of {run.counts['in']:,} kept"
    services.progress.finish(step.name, kept + (" (cached)" if run.cached else f" in {run.seconds:,.1f} s"))
    return run


@task(name="books", task_run_name="books", cache_policy=NO_CACHE)
def _books(build: Build) -> None:
    build.keep_books(Warehouse.open(build.root))


@task(name="publish", task_run_name="publish", cache_policy=NO_CACHE)
def _publish(build: Build) -> Published:
    warehouse = Warehouse.open(build.root)
    published = build.publish(warehouse)
    build.publish_control(warehouse)
    return published


@task(name="hand-off", task_run_name="hand-off", cache_policy=NO_CACHE)
def _hand_off(build: Build, published: Published) -> dict[str, Any]:
    warehouse = Warehouse.open(build.root)
    release = hand_off.release(warehouse, published.version)
    exports = hand_off.export_all(warehouse, published.version, build.recipe.publish.exports)
    return summary(build, warehouse, published, release, exports)


@task(name="report", task_run_name="report", cache_policy=NO_CACHE)
def _report(build: Build, published: Published | None) -> dict[str, str]:
    warehouse = Warehouse.open(build.root)
    audit = published.audit if published else None
    report = write_report(build.root, summarise(warehouse, build.run_id, audit))
    return {"report": str(report), "duckdb": str(explore.write(warehouse))}


@flow(name="prompt-set", flow_run_name="{recipe}", validate_parameters=False)
def prompt_set(recipe: str, warehouse: str = "sluice-warehouse", *, publish: bool = True) -> dict[str, Any]:
    """Build the prompt set that a recipe asks for.

    Returns what became of it: run id, counts per stage, version, folders written.

    Args:
        recipe: Path of the recipe file.
        warehouse: Folder of the warehouse.
        publish: Audit, publish and hand off what was built; without, the run stops after the last stage.
    """
    return finish(run_steps(Build.of(Path(recipe), Path(warehouse))), recipe, publish=publish)


def run_steps(build: Build) -> Build:
    """Run the steps of a build in order, each as a task that takes and returns references."""
    done: dict[str, StageRun] = {}
    with engine(build.recipe.engine) as where:
        for step in build.steps:
            done[step.name] = _stage(step, step.tables(done), build.root, where)
    return build.with_done(done)


def finish(build: Build, recipe: str, *, publish: bool) -> dict[str, Any]:
    """Keep the books of a build whose steps are done, publish and hand it off, and tell what became of it."""
    _books(build)
    published = _publish(build) if publish else None
    told = _hand_off(build, published) if published else summary(build, Warehouse.open(build.root))
    told |= {"recipe": recipe, "warehouse": str(build.root), **_report(build, published)}
    _artifacts(told, published)
    return told


def _artifacts(told: Mapping[str, Any], published: Published | None) -> None:
    name = told["dataset"]
    funnel = [{k: s[k] for k in ("stage", "in", "kept")} | {"taken out": taken_out(s)} for s in told["stages"]]
    keep_table(name, "funnel", funnel, f"Rows of {name} by stage, {told['run_id']}")
    if published and published.audit:
        columns = ("outcome", "check", "expected", "observed")
        checks = (dict(zip(columns, row, strict=True)) for row in published.audit.rows_for_console())
        keep_table(name, "gate", checks, f"{name}@{told['version']}: {told['audit']}")
    keep_report(name, told["report"])
