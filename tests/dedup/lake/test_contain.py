"""Containment against brute force, and what is said of each edge."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from dedup.lake.contain import Containment, contain
from dedup.lake.survey import survey
from schemas.lake import POLICIES, SEMANTICS
from schemas.recipe.lake import Lake
from warehouse.stages import Services, Workspace

_HERE = Path(__file__).parent


def _load(name: str):
    spec = importlib.util.spec_from_file_location(f"lake_{name}", _HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


brute = _load("brute")


def _found(folder: Path, services: Services, **settings) -> Containment:
    config = Lake(path=str(folder), **settings)
    return contain(survey(config, services), config, services)


def _edges(found: Containment) -> set[tuple[str, str]]:
    return set(found.edges.select("child", "parent").iter_rows())


@pytest.mark.parametrize("seed", range(240))
def test_edges_are_those_of_brute_force(seed: int, tmp_path: Path) -> None:
    """On random small lakes full of nulls, NaN, -0.0 and drifting types no edge is missed and none is false."""
    lake = brute.write(brute.random_lake(seed), tmp_path / "lake", np.random.default_rng(seed))
    policy, semantics = POLICIES[seed % 3], SEMANTICS[seed // 3 % 2]

    found = _found(
        tmp_path / "lake",
        Services(Workspace(tmp_path / "house")),
        policy=policy,
        semantics=semantics,
        keep_cells_mb=seed % 2,
        near=None,
    )

    assert brute.edges(lake, policy, semantics) == _edges(found)
