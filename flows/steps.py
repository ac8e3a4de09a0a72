"""The stages of a prompt set's build, in order, with what each reads: the one place where they are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from curation.decontaminate.stage import DECONTAMINATE
from curation.drive import CURRICULA
from curation.drive.continuation import NEXT_PHASE, PUBLISHED, NextPhaseOf, PublishedSet
from curation.filters import FILTERS
from curation.gold import GOLD
from curation.measure.pass_rates import PASS_RATES
from curation.normalise import NORMALISE
from curation.rollouts.stage import ROLLOUTS, pin
from curation.sources.resolve import fingerprint
from curation.sources.stage import READ
from dedup.text.against import pinned
from dedup.text.stage import DEDUP
from flows.minimized_sources import reading
from schemas.errors import UsageError
from schemas.recipe.base import Section
from schemas.recipe.curricula import Curricula, Plain
from schemas.recipe.measures import Measure
from schemas.recipe.recipe import Recipe
from schemas.tables import TableRef
from warehouse.house import Warehouse
from warehouse.runner import finished, run_stage, stage_key
from warehouse.stages import Services, Stage, StageRun
from warehouse.versions import Version

__all__ = ["ASIDE", "CONTROL", "Step", "next_phase_steps", "prompt_set_steps"]

BENCHMARKS = "benchmarks"
CONTROL = "control"
ASIDE = (BENCHMARKS, CONTROL)
"""Steps beside the chain that hands problems on."""


@dataclass(frozen=True)
class Step:
    """One stage of a build, with its configuration and the tables it reads.

    Parameters
    ----------
    inputs
        For each input of the stage, the step and the table of that step it comes from.
    """

    stage: Stage
    config: Section | None
    inputs: Mapping[str, tuple[str, str]]

    @property
    def name(self) -> str:
        """The stage's name, unique within a build."""
        return self.stage.name

    def tables(self, done: Mapping[str, StageRun]) -> dict[str, TableRef]:
        """Return the tables that the step reads, from the steps finished before it."""
        return {name: done[step].tables[table] for name, (step, table) in self.inputs.items()}

    def run(self, inputs: Mapping[str, TableRef], services: Services) -> StageRun:
        """Run the stage over its inputs, or return its finished work."""
        return run_stage(self.stage, inputs, self.config, services)

    def finished(self, done: Mapping[str, StageRun], services: Services) -> StageRun | None:
        """Return the stage's finished work, or None if it, or a step before it, is still to do."""
        if not all(step in done for step, _ in self.inputs.values()):
            return None
        key = stage_key(self.stage, self.tables(done), self.config)
        return finished(services.workspace, self.stage, key)


def prompt_set_steps(recipe: Recipe, folder: Path, root: Path) -> list[Step]:
    """Return the steps that build ``recipe`` in the warehouse at ``root``; paths in it are relative to ``folder``.

    Raises
    ------
    InputError
        If a source is missing: files are named by their digests, so that a changed file is a changed input.
    UsageError
        If prompts are to be held against a version that is not in the warehouse.
    """
    steps = [Step(*reading(recipe.reads(), folder), {})]
    last = READ.name

    def then(stage: Stage, config: Section | None, **inputs: tuple[str, str]) -> None:
        nonlocal last
        steps.append(Step(stage, config, {"rows": (last, "rows"), **inputs}))
        last = stage.name

    then(NORMALISE, recipe.normalise)
    preferred = recipe.dedup.sources or tuple(source.name for source in recipe.sources)
    alike = recipe.dedup.model_copy(update={"sources": preferred})
    then(DEDUP, pinned(alike, Warehouse.open(root, read_only=True)) if alike.against else alike)
    if (benchmarks := recipe.decontaminate.reads(recipe.limits)) is not None:
        steps.append(Step(replace(READ, name=BENCHMARKS), fingerprint(benchmarks, folder), {}))
        then(DECONTAMINATE, recipe.decontaminate, benchmarks=(BENCHMARKS, "rows"))
    then(GOLD, recipe.gold)
    then(ROLLOUTS, pin(recipe.rollouts, folder))
    then(PASS_RATES, None, rollouts=(ROLLOUTS.name, "rollouts"))
    measured = {"pass_rates": (PASS_RATES.name, "pass_rates"), "test_quality": (GOLD.name, "test_quality")}
    then(FILTERS, recipe.filters, rollouts=(ROLLOUTS.name, "rollouts"), **measured)
    if recipe.filters.control is not None:
        laid = Plain(name=CONTROL, order="shuffled", measure=recipe.filters.measure, seed=recipe.filters.control.seed)
        drawn = {"rows": (FILTERS.name, "controls"), **measured}
        steps.append(Step(replace(CURRICULA, name=CONTROL), Curricula(plain=(laid,)), drawn))
    then(CURRICULA, recipe.curricula, decisions=(FILTERS.name, "decisions"), **measured)
    return steps


def next_phase_steps(recipe: Recipe, folder: Path, version: Version) -> list[Step]:
    """Return the steps that carry a published version on to DRIVE's next phase.

    Raises
    ------
    UsageError
        If the recipe does not lay out DRIVE.
    """
    settings = recipe.curricula.drive
    if settings is None:
        raise UsageError("the recipe does not lay out DRIVE.", hint="add `drive:` under `curricula`.")
    newest = recipe.rollouts.policies[-1]
    measuring = recipe.rollouts.model_copy(update={"policies": (newest,)})
    checkpoint = Measure(policy=newest.name, policy_revision=newest.revision)
    before = PublishedSet(
        dataset=recipe.name, version=version.version, content_hash=version.content_hash, drive=settings
    )
    return [
        Step(PUBLISHED, before, {}),
        Step(ROLLOUTS, pin(measuring, folder), {"rows": (PUBLISHED.name, "rows")}),
        Step(
            PASS_RATES,
            None,
            {"rows": (ROLLOUTS.name, "rows"), "rollouts": (ROLLOUTS.name, "rollouts")},
        ),
        Step(
            NEXT_PHASE,
            NextPhaseOf(drive=settings, measure=checkpoint),
            {
                "rows": (PASS_RATES.name, "rows"),
                "previous": (PUBLISHED.name, "previous"),
                "pass_rates": (PASS_RATES.name, "pass_rates"),
            },
        ),
    ]
