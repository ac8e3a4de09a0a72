"""How a published version is to be trained on: its phases, and the run and recipe that it was built by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from curation.drive import phase_sizes, training_plan
from flows.console import console, table
from schemas.recipe.recipe import Recipe
from schemas.records import PROMPT_SET
from warehouse.house import Warehouse
from warehouse.versions import Version

__all__ = ["phases", "recipe_of", "run_of", "show_phases"]


def phases(warehouse: Warehouse, version: Version) -> list[dict[str, Any]]:
    """Return the phases of a version with rows, rollouts, steps and lengths: its training plan; none but of prompts."""
    if version.contract != PROMPT_SET.name:
        return []
    sizes = phase_sizes(warehouse.scan(version.name, version.version))
    planned = _planned(warehouse, version, sizes)
    told = {(phase["curriculum"], phase["phase"]) for phase in planned}
    others = [place for place in sizes if place not in told]
    return planned + [{"curriculum": c, "phase": p, "rows": sizes[c, p], "shuffle": False} for c, p in others]


def _planned(warehouse: Warehouse, version: Version, sizes: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Return the training plan of the version's recipe; none for a control set, or a recipe of another release."""
    try:
        recipe = recipe_of(warehouse, version)
    except ValidationError:
        return []
    return training_plan(recipe.curricula, sizes) if version.name == recipe.name else []


def show_phases(phases: Sequence[Mapping[str, Any]]) -> None:
    """Print phases as a table, and how those come to rows that have none yet."""
    shown = ((p["curriculum"], p["phase"], p["rows"], p.get("rollouts_per_prompt"), p.get("steps")) for p in phases)
    figures = ("rows", "rollouts", "steps")
    console.print()
    table("Curricula", ("curriculum", "phase", *figures), shown, right=figures)
    if waiting := [p["phase"] for p in phases if p["rows"] is None and p.get("measure_again_before")]:
        console.print(f"[dim]{', '.join(waiting)}: rows come with `sluice drive next-phase`, from a checkpoint[/]")


def recipe_of(warehouse: Warehouse, version: Version) -> Recipe:
    """Return the recipe that a version was built from."""
    return Recipe.model_validate(json.loads(run_of(warehouse, version)["recipe"]))


def run_of(warehouse: Warehouse, version: Version) -> dict[str, Any]:
    """Return the run that a version was built by, as the book of runs has it."""
    return warehouse.book("runs").filter(run_id=version.run_id).collect().row(0, named=True)
