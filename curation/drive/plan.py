"""What a trainer should be told with a prompt set: per phase, how many answers, how long, how many steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from curation.drive import plain, sft, stage1, stage2
from curation.drive.stage import CURRICULUM
from schemas.recipe.curricula import Curricula, Drive

__all__ = ["phase_sizes", "training_plan"]

Sizes = Mapping[tuple[str, str], int]

_SUPERVISED = {
    "algorithm": "sft",
    "teacher": "DeepSeek-R1-0528",
    "epochs": 3,
    "learning_rate": 1e-5,
    "global_batch": 512,
    "max_total_tokens": 32768,
}
"""DRIVE, arXiv 2511.06307, supervised stage."""


def phase_sizes(prompt_set: pl.LazyFrame) -> dict[tuple[str, str], int]:
    """Return the number of rows per curriculum and phase."""
    counted = prompt_set.group_by("curriculum", "phase").len().sort("curriculum", "phase").collect(engine="streaming")
    return {(curriculum, phase): rows for curriculum, phase, rows in counted.iter_rows()}


def training_plan(settings: Curricula, sizes: Sizes) -> list[dict[str, Any]]:
    """Return one entry per phase, in training order; phases of stage 2 still to be measured have ``rows`` None.

    Parameters
    ----------
    sizes
        Rows per curriculum and phase, as `phase_sizes` counts them.

    Returns
    -------
    list of dict
        ``curriculum``, ``phase``, ``rows`` and the hints of that phase: ``algorithm``, ``rollouts_per_prompt``,
        ``max_total_tokens``, ``steps``, ``reward``. ``shuffle`` is always False: the row order is the curriculum.
    """
    phases = _drive(settings.drive) if settings.drive else []
    phases += [
        (one.name, plain.PHASE, {"algorithm": "grpo", **_answers(one.rollouts, one.max_total_tokens)})
        for one in settings.plain
    ]
    return [
        {"curriculum": curriculum, "phase": phase, "rows": sizes.get((curriculum, phase)), "shuffle": False, **hints}
        for curriculum, phase, hints in phases
    ]


def _answers(rollouts: int, longest: int) -> dict[str, Any]:
    return {"rollouts_per_prompt": rollouts, "max_total_tokens": longest}


def _drive(settings: Drive) -> list[tuple[str, str, dict[str, Any]]]:
    planned: list[tuple[str, dict[str, Any]]] = []
    if settings.sft is not None:
        folds = {} if settings.sft.arena is None else {"arena_training": settings.sft.arena.training}
        planned.append((sft.PHASE, {**_SUPERVISED, **folds}))
    reinforced: dict[str, Any] = {"algorithm": "grpo", "reward": settings.reward}
    if (first := settings.stage1) is not None:
        hints = _answers(first.rollouts, first.max_total_tokens)
        planned.append((stage1.PHASE, {**reinforced, **hints, "steps": first.steps}))
    if (second := settings.stage2) is not None:
        hints = _answers(second.rollouts, second.max_total_tokens)
        planned += [
            (stage2.phase_name(phase), {**reinforced, **hints, "steps": steps, "measure_again_before": phase > 1})
            for phase, steps in enumerate(second.steps, start=1)
        ]
    return [(CURRICULUM, phase, hints) for phase, hints in planned]
