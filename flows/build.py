"""One build of a recipe, without an orchestrator: its steps, its books, audit and publication.

A `Build` holds references only: paths, configuration, and what its finished steps refer to. It may be handed from
task to task.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from curation.gold import GOLD
from curation.measure.pass_rates import PASS_RATES
from curation.rollouts.stage import ROLLOUTS
from curation.sources.stage import READ
from flows.books import decisions_of, files_of, lineage_of
from flows.steps import ASIDE, CONTROL, Step, prompt_set_steps
from schemas.contracts import Contract
from schemas.errors import GateFailed, SluiceError
from schemas.ids import canonical_json, digest
from schemas.recipe.load import load_recipe
from schemas.recipe.recipe import Recipe
from schemas.tables import TableRef
from warehouse.audits import AuditResult
from warehouse.engines import engine
from warehouse.exports import target as export_target
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.invariants import Build as AuditedBuild
from warehouse.publish import Published
from warehouse.report.html import write as write_report
from warehouse.report.summarise import summarise
from warehouse.stages import Services, StageRun
from warehouse.versions import Version

__all__ = ["Build"]

_BOOKS = {
    "rejections": (READ.name, "rejections"),
    "test_quality": (GOLD.name, "test_quality"),
    "rollouts": (ROLLOUTS.name, "rollouts"),
    "pass_rates": (PASS_RATES.name, "pass_rates"),
}


@dataclass(frozen=True)
class Build:
    """A recipe about to be built, half built, or published.

    Parameters
    ----------
    recipe
        What to build.
    root
        Folder of the warehouse.
    steps
        Its stages in order.
    done
        Finished steps by name.
    carries_on
        Version whose rows these hold, with more; this build's stages never saw them.
    """

    recipe: Recipe
    root: Path
    steps: tuple[Step, ...]
    done: dict[str, StageRun] = field(default_factory=dict)
    carries_on: Version | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, recipe_path: Path, root: Path) -> Build:
        """Read a recipe and digest its sources; nothing runs yet.

        Raises
        ------
        RecipeError, UsageError, MissingExtra
            If the recipe is not valid, names an unknown trainer, or an engine that cannot run here.
        InputError
            If the recipe or one of its sources cannot be read.
        """
        recipe = load_recipe(recipe_path)
        for name in recipe.publish.exports:
            export_target(name)
        engine(recipe.engine)
        return cls(recipe, root, tuple(prompt_set_steps(recipe, recipe_path.parent, root)))

    @property
    def recipe_json(self) -> dict[str, Any]:
        """The recipe with all its defaults."""
        return self.recipe.model_dump(mode="json")

    @property
    def run_id(self) -> str:
        """The same for the same recipe, inputs and code, so that a run repeated after a kill is the same run."""
        configs = [step.config.model_dump(mode="json") if step.config else None for step in self.steps]
        return "run_" + digest([self.recipe_json, configs, version("sluice")])[:16]

    @property
    def rows(self) -> TableRef:
        """The prompt set, as the last stage wrote it."""
        return self.done[self.steps[-1].name].tables["prompt_set"]

    def with_done(self, runs: dict[str, StageRun]) -> Build:
        """Return the build with its steps finished."""
        return replace(self, done=runs)

    def finished(self, services: Services) -> Build:
        """Return the build with the finished work of all steps up to the first that has something to do."""
        done: dict[str, StageRun] = {}
        for step in self.steps:
            if (run := step.finished(done, services)) is None:
                break
            done[step.name] = run
        return self.with_done(done)

    def keep_books(self, warehouse: Warehouse) -> None:
        """Enter rejections, decisions, lineage, rollouts and counts into the books; entering twice changes nothing."""
        warehouse.upsert_run(self._run("running"))
        for book, (step, table) in _BOOKS.items():
            if step in self.done:
                warehouse.append(book, self.done[step].tables[table], self.run_id)
        workspace = warehouse.workspace
        warehouse.append("decisions", decisions_of(self.done, workspace, self.run_id), self.run_id)
        warehouse.append("lineage", lineage_of(self.steps, self.done, workspace, self.run_id), self.run_id)

    def publish(self, warehouse: Warehouse) -> Published:
        """Write the prompt set to a branch, audit it, and make it the next version.

        Raises
        ------
        GateFailed
            If the audit found bad data, or nothing is left to publish.
        GateBroken, PublishConflict, WarehouseError
            As `Warehouse.publish`.
        """
        if not self.rows.rows:
            warehouse.upsert_run(self._run("rejected", finished=True))
            raise GateFailed(
                f"no row is left to publish: {self._where_rows_went()}.",
                hint="`sluice show --run " + self.run_id + "` tells what each stage took out and why.",
            )
        audits: list[AuditResult] = []

        def audited(paths: list[Path], of: Contract) -> AuditResult:
            audits.append(self.audit(paths, of, warehouse))
            return audits[-1]

        try:
            published = warehouse.publish(
                self.recipe.name,
                "prompt_set",
                self.rows,
                run_id=self.run_id,
                audit=audited,
                carries_on=self.carries_on,
            )
        except SluiceError as error:
            status = "rejected" if isinstance(error, GateFailed) else "failed"
            warehouse.upsert_run(self._run(status, finished=True))
            write_report(warehouse.root, summarise(warehouse, self.run_id, audits[-1] if audits else None))
            raise
        made = [version for version in warehouse.versions(self.recipe.name) if version.run_id == self.run_id]
        status, version = ("published", made[-1]) if made else ("unchanged", published.version)
        warehouse.upsert_run(self._run(status, finished=True, dataset_version=version.version))
        return published

    def publish_control(self, warehouse: Warehouse) -> Published | None:
        """Publish the control set that the filters drew, as a dataset of its own; None if none was asked for.

        Raises
        ------
        GateFailed, GateBroken, PublishConflict, WarehouseError
            As `Warehouse.publish`.
        """
        if CONTROL not in self.done:
            return None
        rows = self.done[CONTROL].tables["prompt_set"]
        context = AuditedBuild(warehouse.workspace, content_hash=rows.content_hash)
        return warehouse.publish(
            f"{self.recipe.name}_{CONTROL}",
            "prompt_set",
            rows,
            run_id=self.run_id,
            audit=lambda paths, of: audit(paths, of, context=context),
        )

    def audit(self, paths: list[Path], of: Contract, warehouse: Warehouse) -> AuditResult:
        """Hold staged files against their contract and the invariants of this build."""
        stages = [] if self.carries_on else [run for name, run in self.done.items() if name not in ASIDE]
        context = AuditedBuild(warehouse.workspace, stages, self.rows.content_hash)
        return audit(paths, of, context=context)

    def _run(self, status: str, *, finished: bool = False, dataset_version: str | None = None) -> dict[str, Any]:
        """Return the run's entry for the book of runs."""
        return {
            "run_id": self.run_id,
            "dataset": self.recipe.name,
            "dataset_version": dataset_version,
            "status": status,
            "recipe": canonical_json(self.recipe_json),
            "recipe_hash": digest(self.recipe_json),
            "code_version": version("sluice"),
            "inputs": canonical_json([file for step in self.steps for file in files_of(step)]),
            "counts": canonical_json([{"stage": name, **run.counts} for name, run in self.done.items()]),
            "cost": canonical_json({name: {"seconds": run.seconds} for name, run in self.done.items()}),
            "content_hash": self.rows.content_hash,
            "started_at": self.started_at,
            "finished_at": datetime.now(UTC) if finished else None,
        }

    def _where_rows_went(self) -> str:
        taken = {name: run.counts["in"] - run.counts["kept"] for name, run in self.done.items()}
        told = [f"{name} took out {count}" for name, count in taken.items() if count]
        return ", ".join(told) or "the sources are empty"
