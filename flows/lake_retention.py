"""Carrying out what a lake's plan says, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dedup.retention.trash.deletion import Done, Keeper
from dedup.retention.trash.journal import Event
from flows.lake_steps import LakeRun, recipes_of
from warehouse.house import Warehouse
from warehouse.progress import Progress

__all__ = ["apply", "purge", "rebuild", "undo"]


def apply(run: LakeRun, root: Path, progress: Progress) -> list[dict[str, Any]]:
    """Delete what the plan of a lake says, table by table, each after its recipe was run.

    Parameters
    ----------
    root
        Folder of the warehouse, which holds the recipes.

    Raises
    ------
    InputError, WarehouseError
        If the lake cannot be written; what was deleted so far is in the trash.
    """
    recipes = recipes_of(Warehouse.open(root))
    planned = sorted(run.plan.deletions, key=lambda one: (one.recipe.parent, one.table)) if run.plan else []
    with Keeper.of(run.job.folder) as keeper:
        days = run.job.retention.undo_days
        steps = (lambda one=one: keeper.delete(one.recipe, recipes, days=days) for one in planned)
        return _told("delete", steps, len(planned), progress)


def purge(lake: Path, progress: Progress) -> list[dict[str, Any]]:
    """Free the tables in the trash of a lake whose time to be brought back is over."""
    with Keeper.of(lake) as keeper:
        names = [name for name, one in keeper.deleted.items() if one.entry.event is Event.TRASHED]
        steps = (lambda name=name: keeper.purge(name) for name in sorted(names))
        return _told("purge", steps, len(names), progress)


def undo(lake: Path, names: Sequence[str], progress: Progress) -> list[dict[str, Any]]:
    """Bring tables back from the trash; all that are there if none is named.

    Raises
    ------
    UsageError
        If a table is not in the trash.
    InputError
        If something else is at its place.
    """
    with Keeper.of(lake) as keeper:
        there = [name for name, one in keeper.deleted.items() if one.entry.event is Event.TRASHED]
        chosen = list(names) or sorted(there)
        steps = (lambda name=name: keeper.restore(name) for name in chosen)
        return _told("undo", steps, len(chosen), progress)


def rebuild(lake: Path, names: Sequence[str], progress: Progress) -> list[dict[str, Any]]:
    """Make deleted tables again; raises like `undo`."""
    with Keeper.of(lake) as keeper:
        steps = (lambda name=name: keeper.rebuild(name) for name in names)
        return _told("rebuild", steps, len(names), progress)


def _told(task: str, steps: Iterable[Callable[[], Done]], count: int, progress: Progress) -> list[dict[str, Any]]:
    progress.start(task, count, "tables")
    done = []
    for step in steps:
        done.append(asdict(step()))
        progress.advance(task)
    progress.finish(task, f"{sum(one['outcome'] != 'refused' for one in done):,} of {count:,} tables")
    return done
