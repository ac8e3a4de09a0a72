"""Stages that carry a published prompt set on: its last phase as problems, and the phase that follows."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from curation.drive.next_phase import last_phase, next_phase
from schemas.errors import UsageError
from schemas.recipe.base import Section
from schemas.recipe.curricula import Drive
from schemas.recipe.measures import Measure
from schemas.records import PROBLEM, PROMPT_SET
from warehouse.house import Warehouse
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["NEXT_PHASE", "PUBLISHED", "NextPhaseOf", "PublishedSet"]


class PublishedSet(Section):
    """A version of a prompt set, and how its phases were cut."""

    dataset: str
    """Name of the dataset."""
    version: str
    """Version to carry on."""
    content_hash: str
    """Content hash of that version: the stage's key follows it."""
    drive: Drive
    """DRIVE's settings."""


class NextPhaseOf(Section):
    """How the next phase is ranked."""

    drive: Drive
    """DRIVE's settings."""
    measure: Measure
    """Counts of the newest checkpoint."""


def _published(_inputs: Mapping[str, pl.LazyFrame], config: PublishedSet, services: Services) -> StageResult:
    previous = Warehouse.open(services.workspace.root).scan(config.dataset, config.version)
    if config.drive.stage2 is None:
        raise UsageError("the recipe leaves out `drive.stage2`.", hint="add `stage2:` under `drive`.")
    _, phase = last_phase(previous, config.drive.stage2)
    rows = phase.select(PROBLEM.names).unique("problem_id").sort("problem_id")
    return StageResult(no_decisions(), rows=rows, outputs={"previous": previous})


def _next(inputs: Mapping[str, pl.LazyFrame], config: NextPhaseOf, _services: Services) -> StageResult:
    found = next_phase(inputs["previous"], inputs["pass_rates"], config.drive, config.measure)
    together = pl.concat([inputs["previous"].select(PROMPT_SET.names), found.prompt_set])
    return StageResult(found.decisions, outputs={"prompt_set": together})


PUBLISHED = Stage("published", "1", _published, outputs={"previous": "prompt_set"})
NEXT_PHASE = Stage("next_phase", "1", _next, outputs={"prompt_set": "prompt_set"})
