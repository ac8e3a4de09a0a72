"""Does one thing to a lake and is killed at one of its steps; not a test itself.

    python killable.py LAKE ACTION STEP

ACTION is ``delete``, ``restore``, ``purge`` or ``rebuild`` of every table there is to do it to. The process sends
itself SIGKILL at step STEP: right before or right after a file is moved, a file or a folder removed (of a trash that is
emptied, each of its files), a folder written back, a recipe stored, or a line of the journal written. It prints the
number of steps if it never gets there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dedup.retention import files
from dedup.retention.recipes.store import Recipes
from dedup.retention.trash import deletion
from dedup.retention.trash.deletion import Keeper
from dedup.retention.trash.journal import Journal

taken, last = 0, int(sys.argv[3])


def step() -> None:
    """Count a step, and die if it is the last."""
    global taken  # noqa: PLW0603 - one count for the process
    taken += 1
    if taken == last:
        os.kill(os.getpid(), signal.SIGKILL)


def between_steps(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function a step before, and one after."""

    def stepped(*given: Any, **named: Any) -> Any:
        step()
        found = function(*given, **named)
        step()
        return found

    return stepped


deletion.move = between_steps(deletion.move)
files.sync = between_steps(files.sync)
os.unlink, os.rmdir = between_steps(os.unlink), between_steps(os.rmdir)
Journal.add = between_steps(Journal.add)
Recipes.put = between_steps(Recipes.put)
Recipes.drop = between_steps(Recipes.drop)


def work(lake: Path, action: str) -> None:
    """Do one thing to all tables of a lake."""
    with Keeper.of(lake) as keeper:
        made = Recipes(lake.parent / f"{lake.name}.sqlite")
        for recipe in made.numbered().values() if action == "delete" else ():
            keeper.delete(recipe, made, days=7)
        later = {"now": datetime.now(UTC) + timedelta(days=8)} if action == "purge" else {}
        for table in list(keeper.deleted) if action != "delete" else ():
            getattr(keeper, action)(table, **later)


work(Path(sys.argv[1]), sys.argv[2])
sys.stdout.write(str(taken))
