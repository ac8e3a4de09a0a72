"""Looking through a lake of a test, and the smallest table there is."""

from __future__ import annotations

import os
from pathlib import Path

from dedup.lake.survey import Survey, survey
from schemas.recipe.lake import Lake
from warehouse.stages import Services, Workspace

GOOD = b"a,b\n1,x\n2,y\n"
_LONG_AGO = 10**18


def settled(path: Path, times: int = 0) -> Path:
    """Return a file, made so old that its time stamp is trusted; it differs with how many ``times`` it was written."""
    os.utime(path, ns=(_LONG_AGO + times, _LONG_AGO + times))
    return path


def looked(folder: Path | str, house: Path, **settings: object) -> Survey:
    """Return what a lake holds, the warehouse being in ``house``."""
    return survey(Lake(path=str(folder), **settings), Services(Workspace(house)))
