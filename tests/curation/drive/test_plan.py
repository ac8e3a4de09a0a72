"""Deviations and training plan: what goes into the manifest of a set built with DRIVE."""

from __future__ import annotations

import json

import polars as pl

from curation.drive import deviations, phase_sizes, training_plan
from schemas.recipe.curricula import Curricula, Drive
from tests.tables import prompt_row, prompt_rows


def notes(**settings) -> dict:
    """Return notes by setting."""
    return {note.setting: note for note in deviations(Drive(**settings))}


def test_open_points_are_always_named():
    """Defaults too are choices where the paper is silent; nothing it states is listed."""
    found = notes()
    kinds = {note.kind for note in found.values()}
    assert {"unstated", "contradictory"} == kinds
    assert {"low": "1/5", "high": "4/5", "bounds": "closed"} == found["drive.medium"].chosen
    assert ("contradictory", 64) == (found["drive.stage2.rollouts"].kind, found["drive.stage2.rollouts"].chosen)
    assert "drive.stage1.size" not in found
    assert "drive.sft.arena.fail_by" not in found


def test_all_four_arena_ambiguities():
    """With an arena, each of its open points is named with the choice."""
    predictors = [{"policy_revision": str(fold)} for fold in (2, 3, 4, 5)]
    found = notes(sft={"arena": {"predictors": predictors, "training": "restart"}})
    open_points = ("arena.keep_first_fold", "arena.fail_by", "arena.training", "hard_by")
    assert [True, "verifier", "restart", "labels"] == [found[f"drive.sft.{point}"].chosen for point in open_points]


def test_departures_are_named():
    """What the paper states and the recipe changes is told, with both."""
    found = notes(stage1={"size": 100, "rollouts": 16}, stage2={"sizes": [72, 50], "steps": [64, 32]})
    changed = {name: note.chosen for name, note in found.items() if note.kind == "changed"}
    expected = {
        "drive.stage1.size": 100,
        "drive.stage1.rollouts": 16,
        "drive.stage2.sizes": [72, 50],
        "drive.stage2.steps": [64, 32],
    }
    assert expected == changed
    assert "about 9,000 prompts" == found["drive.stage1.size"].paper


def test_left_out_stages_are_named():
    """A stage left out is one note, not one for each of its settings."""
    found = notes(sft=None)
    assert "changed" == found["drive.sft"].kind
    assert not [name for name in found if name.startswith("drive.sft.")]


def test_notes_are_json():
    """Notes go into a manifest as they are."""
    assert all(json.loads(json.dumps(note.to_json())) == note.to_json() for note in deviations(Drive()))


def test_training_plan():
    """Each phase has its rows and the paper's hints, in training order; later phases wait for new counts."""
    rows = [prompt_row(i, phase) for phase in ("sft", "stage1", "stage2.1") for i in range(3)]
    rows += [prompt_row(9, "all", curriculum="bands")]
    sizes = phase_sizes(prompt_rows(rows).lazy())
    plan = training_plan(Curricula(drive={}, plain=[{}]), sizes)
    shown = [
        (one["phase"], one["rows"], one.get("rollouts_per_prompt"), one["max_total_tokens"], one.get("steps"))
        for one in plan
    ]
    expected = [
        ("sft", 3, None, 32768, None),
        ("stage1", 3, 8, 24576, 32),
        ("stage2.1", 3, 64, 32768, 64),
        ("stage2.2", None, 64, 32768, 32),
        ("stage2.3", None, 64, 32768, 32),
        ("all", 1, 8, 32768, None),
    ]
    assert expected == shown
    assert [False] * 6 == [one["shuffle"] for one in plan]
    assert [False, True, True] == [one["measure_again_before"] for one in plan[2:5]]
    assert json.loads(json.dumps(plan)) == plan


def test_phase_sizes_of_nothing():
    """An empty set has no phases."""
    assert {} == phase_sizes(prompt_rows([]).lazy().filter(pl.lit(value=False)))
