"""Looking through a lake of a test, and the smallest table there is."""

from __future__ import annotations

from pathlib import Path

from dedup.lake.survey import Survey, survey
from schemas.recipe.lake import Lake
from warehouse.stages import Services, Workspace

GOOD = b"a,b\n1,x\n2,y\n"
SETTLE = 0.05
"""Seconds after which a file that was written is trusted to hold still."""


def looked(folder: Path | str, house: Path, **settings: object) -> Survey:
    """Return what a lake holds, the warehouse being in ``house``."""
    return survey(Lake(path=str(folder), **settings), Services(Workspace(house)))
