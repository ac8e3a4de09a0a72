"""The flow that follows a checkpoint: measure the last phase again, keep what is still hard, publish the next phase."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.build import Build
from flows.prompt_set import finish, run_steps
from flows.steps import next_phase_steps
from schemas.recipe.load import load_checkpoint, load_recipe
from warehouse.house import Warehouse

__all__ = ["next_phase"]


@flow(name="next-phase", flow_run_name="{recipe}", validate_parameters=False)
def next_phase(
    recipe: str,
    warehouse: str = "sluice-warehouse",
    *,
    checkpoint: str | None = None,
    ref: str = "latest",
) -> dict[str, Any]:
    """Publish DRIVE's next phase from the rollouts of the newest checkpoint.

    Returns what became of it, as the flow `prompt-set` tells it.

    Args:
        recipe: Path of the recipe that the version was built from.
        warehouse: Folder of the warehouse.
        checkpoint: Path of a file with the section `rollouts` that samples the newest checkpoint; the recipe's own by
            default, of which the last policy counts.
        ref: Version to carry on.
    """
    asked, folder = load_recipe(Path(recipe)), Path(recipe).parent
    if checkpoint is not None:
        asked, folder = load_checkpoint(asked, Path(checkpoint)), Path(checkpoint).parent
    version = Warehouse.open(Path(warehouse)).version(asked.name, ref)
    build = Build(asked, Path(warehouse), tuple(next_phase_steps(asked, folder, version)), carries_on=version)
    return finish(run_steps(build), recipe, publish=True)
