"""The recipes in the style of known projects: valid, and keeping exactly the counts that those projects keep."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.filters import decide
from schemas.recipe.load import load_recipe
from tests.counts import inputs, quality, rates
from tests.tables import problems

FOLDER = Path(__file__).resolve().parents[3] / "recipes" / "bands"

KEPT = {
    "skywork_or1": (16, range(1, 16)),
    "prime": (4, range(1, 4)),
    "polaris": (8, range(8)),
    "big_math": (64, range(1, 65)),
    "klear": (16, range(9, 17)),
    "open_r1": (8, range(1, 5)),
    "qwen25_math": (8, range(2, 6)),
    "olmo3": (8, range(6)),
    "llama_nemotron": (8, range(6)),
    "nemotron3_nano": (16, range(16)),
    "dapo": (16, range(17)),
    "kimi_k15": (10, range(11)),
    "magistral": (16, range(1, 16)),
    "acecoder": (7, range(2)),
    "deepcoder": (8, range(9)),
    "consensus": (8, range(9)),
    "drive": (8, range(9)),
    "drive_moe": (16, range(17)),
}
"""Answers per problem, and how many right answers of so many are kept."""


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_valid(path):
    """Each recipe loads, is named as its file, and says in its first line where it is from."""
    assert path.stem == load_recipe(path).name
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", KEPT)
def test_kept_counts(name):
    """On sound problems that no guesser solves, one per possible count, exactly the project's counts stay."""
    n, expected = KEPT[name]
    recipe = load_recipe(FOLDER / f"{name}.yaml")
    rows = problems(range(n + 1))
    names = rows["problem_id"].to_list()
    policies = recipe.rollouts.policies
    counted = {one: (n, c) for c, one in enumerate(names)}
    tables = [
        rates(
            counted if policy is policies[0] else dict.fromkeys(names, (8, 0)),
            policy=policy.name,
            policy_revision=policy.revision,
        )
        for policy in policies
    ]
    sound = quality({one: {"n_tests": 16, "mutants": 10, "mutants_killed": 10} for one in names})
    decided = decide(inputs(rows, pass_rates=pl.concat(tables), test_quality=sound), recipe.filters)
    gone = set(decided.filter(verdict="drop").collect()["record_id"])
    assert list(expected) == [c for c, one in enumerate(names) if one not in gone]
