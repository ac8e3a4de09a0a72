"""The flow that follows a checkpoint: measure the last phase again, keep what is still hard, publish the next phase."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.build import Build
from flows.prompt_set import finish, run_steps
from flows.steps import next_phase_steps
from schemas.recipe.load import load_recipe
from warehouse.house import Warehouse

__all__ = ["next_phase"]


@flow(name="next-phase", flow_run_name="{recipe}", validate_parameters=False)
def next_phase(recipe: str, warehouse: str = "sluice-warehouse", *, ref: str = "latest") -> dict[str, Any]:
    """Publish DRIVE's next phase from the rollouts of the newest checkpoint.

    Parameters
    ----------
    recipe
        Path of the recipe; the last policy under ``rollouts`` is the newest checkpoint.
    warehouse
        Folder of the warehouse.
    ref
        Version to carry on.

    Returns
    -------
    dict
        What became of it, as `flows.prompt_set.prompt_set` tells it.
    """
    asked = load_recipe(Path(recipe))
    version = Warehouse.open(Path(warehouse)).version(asked.name, ref)
    steps = next_phase_steps(asked, Path(recipe).parent, version)
    build = Build(asked, Path(warehouse), tuple(steps), carries_on=True)
    return finish(run_steps(build), recipe, publish=True)
