"""What is contained in what in a lake, what may therefore go, and the tables and the page that say so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import polars as pl

from dedup.lake.contain import Containment, contain
from dedup.lake.files.tables import Table
from dedup.lake.survey import survey
from dedup.retention.planning.plan import Plan, Planner, retention_frame
from dedup.retention.recipes.sources import Sources
from dedup.retention.recipes.store import Recipes
from dedup.retention.report.page import write as write_page
from dedup.retention.trash.attic import FOLDER, Attic
from dedup.retention.trash.journal import Event
from flows.frames import publish_frames, scratch
from flows.lake_job import Job, remember
from schemas.ids import canonical_json, digest
from schemas.recipe.retention import Retention
from warehouse import explore
from warehouse.house import Warehouse
from warehouse.stages import Services

__all__ = [
    "LakeRun",
    "find",
    "finish",
    "plan_summary",
    "recipes_of",
    "summary",
    "warnings",
]


@dataclass(frozen=True)
class LakeRun:
    """What was found.

    Parameters
    ----------
    plan
        None where nothing can be deleted.
    """

    job: Job
    containment: Containment
    plan: Plan | None
    started_at: datetime

    @property
    def tables(self) -> Mapping[str, Table]:
        """Tables of the lake by name."""
        return {table.name: table for table in self.containment.survey.tables}

    def frames(self) -> Iterator[tuple[str, str, pl.DataFrame]]:
        """Yield the datasets that tell of the lake: suffix of the name, contract, rows."""
        found = self.containment
        ours = ~pl.col("path").str.starts_with(f"{FOLDER}/")
        yield "tables", "lake_table", found.tables
        yield "rejections", "lake_rejection", found.rejections.filter(ours)
        yield "containment", "containment", found.edges
        yield "near", "near_containment", found.near
        yield "columns", "column_suggestion", found.suggestions
        yield "stages", "stage_ledger", found.ledger
        if self.plan:
            yield "retention", "retention", retention_frame(self.plan, self.tables, self.job.retention)


def find(job: Job, warehouse: Warehouse, services: Services) -> LakeRun:
    """Find all containment in a lake, and the plan that follows.

    Raises
    ------
    InputError
        If the lake is not there, or a file cannot be read any more.
    """
    began = datetime.now(UTC)
    found = contain(survey(job.lake, services), job.lake, services)
    plan = _planned(job, found, warehouse, services) if job.root else None
    return LakeRun(job, found, plan, began)


def _planned(job: Job, found: Containment, warehouse: Warehouse, services: Services) -> Plan:
    """Return the plan for a lake whose containment is known; recipes made on the way are kept in the warehouse."""
    tables = {table.name: table for table in found.survey.tables}
    needed = {one.recipe.parent for one in Attic(job.folder).deleted().values()}
    with scratch(warehouse) as place:
        planner = Planner(
            tables,
            found.edges,
            job.retention,
            recipes=recipes_of(warehouse),
            sources=Sources(job.folder, place),
            scratch=place,
            progress=services.progress,
        )
        return planner.plan(needed)


def recipes_of(warehouse: Warehouse) -> Recipes:
    """Return the recipes that were tried for plans."""
    return Recipes(warehouse.root / "cache" / "recipes.sqlite")


def finish(run: LakeRun, warehouse: Warehouse) -> dict[str, Any]:
    """Publish what was found, write its page and the views, and tell all of it as a JSON object.

    Raises
    ------
    GateFailed, GateBroken, PublishConflict, WarehouseError
        As `Warehouse.publish`.
    """
    told = summary(run)
    told["datasets"] = publish_frames(run.job.name, "lake", run.frames(), partial(_entry, run), warehouse)
    told["report"] = str(write_page(warehouse.root, told, {suffix: frame for suffix, _, frame in run.frames()}))
    told["duckdb"] = str(explore.write(warehouse))
    remember(run.job, warehouse)
    return told


def _entry(run: LakeRun, hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return the run's entry for the book of runs."""
    asked = {"lake": run.job.lake.model_dump(mode="json"), "retention": run.job.retention.model_dump(mode="json")}
    stages = run.containment.ledger.to_dicts()
    counts = [
        {
            "stage": s["stage"],
            "in": s["edges_in"],
            "kept": s["edges_out"],
            "dropped": json.loads(s["pruned"]),
            "failed": 0,
        }
        for s in stages
    ]
    return {
        "dataset": f"{run.job.name}_containment",
        "recipe": canonical_json(asked),
        "recipe_hash": digest(asked),
        "code_version": version("sluice"),
        "inputs": canonical_json([run.job.lake.path or list(run.job.lake.tables)]),
        "counts": canonical_json(counts),
        "cost": canonical_json({s["stage"]: {"seconds": s["seconds"]} for s in stages}),
        "content_hash": hashes["containment"],
        "started_at": run.started_at,
    }


def _deleted(run: LakeRun) -> list[dict[str, Any]]:
    """Return the tables that are not at their places."""
    known = Attic(run.job.root).deleted() if run.job.root else {}
    return [
        {
            "table": name,
            "state": one.state,
            "parent": one.recipe.parent,
            "since": one.entry.at,
            "until": one.entry.until,
        }
        for name, one in sorted(known.items())
    ]


def warnings(run: LakeRun) -> list[str]:
    """Return what is wrong with the deleted tables of a lake: parents that changed, and runs that were cut short."""
    if run.job.root is None:
        return []
    there, told = run.tables, []
    for name, one in Attic(run.job.root).deleted().items():
        if one.entry.event in (Event.TRASH, Event.RESTORE, Event.PURGE):
            told.append(f"{name} was being moved when a run was cut short; `sluice dedup undo` or `apply` ends that")
        parent = there.get(one.recipe.parent)
        if parent is None or parent.version != one.recipe.parent_version:
            state = "gone" if parent is None else "changed"
            told.append(f"{name} cannot be rebuilt: {one.recipe.parent}, which it is rebuilt from, is {state}")
    return told


def summary(run: LakeRun) -> dict[str, Any]:
    """Return what was found as a JSON object."""
    found, plan = run.containment, run.plan
    edges = found.edges
    told: dict[str, Any] = {
        "lake": run.job.name,
        "path": str(run.job.root or run.job.lake.path or ", ".join(run.job.lake.tables)),
        "tables": found.tables.height,
        "bytes": int(found.tables["bytes"].sum()),
        "rejections": _rejections(run),
        "stages": found.ledger.to_dicts(),
        "edges": edges.height,
        "equal": edges.filter(relation="equal").height,
        "exact_duplicates": edges.filter("exact_duplicate").height,
        "accidental": edges.filter("accidental").height,
        "near": found.near.height,
        "suggestions": found.suggestions.height,
        "warnings": warnings(run),
        "deleted": _deleted(run),
    }
    return told | ({"plan": plan_summary(plan, run.job.retention)} if plan else {})


def _rejections(run: LakeRun) -> dict[str, int]:
    frame = next(frame for suffix, _, frame in run.frames() if suffix == "rejections")
    return dict(sorted(Counter(frame["reason"]).items()))


def plan_summary(plan: Plan, config: Retention) -> dict[str, Any]:
    """Return a plan as a JSON object."""
    return {
        "tables": plan.tables,
        "bytes": plan.bytes,
        "currency": config.prices.currency,
        "cost_before": plan.before,
        "cost": plan.cost,
        "bound": plan.bound,
        "greedy": plan.greedy,
        "gap": plan.gap,
        "proved": plan.cost <= plan.bound * (1 + 1e-9),
        "delete": len(plan.deletions),
        "delete_bytes": sum(one.bytes for one in plan.deletions),
        "recipe_bytes": sum(one.recipe_bytes for one in plan.deletions),
        "freed_bytes": plan.freed,
        "refused": dict(sorted(Counter(why.value for why in plan.refused.values()).items())),
        "deletions": [
            {
                "table": one.table,
                "parent": one.recipe.parent,
                "bytes": one.bytes,
                "recipe_bytes": one.recipe_bytes,
                "keep_cost": one.keep_cost,
                "rebuild_cost": one.rebuild_cost,
                "rebuild_seconds": one.seconds,
                "recipe": one.recipe.summary,
            }
            for one in plan.deletions
        ],
    }
