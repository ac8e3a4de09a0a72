"""Carrying out what a lake's plan says, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from dedup.retention.trash.deletion import Done, Keeper
from dedup.retention.trash.journal import Event
from flows.lake_steps import LakeRun, recipes_of
from schemas.errors import InputError, UsageError
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

    Of several, those that cannot be brought back are told as ``refused``.

    Raises
    ------
    UsageError
        If a table is not in the trash.
    InputError
        If something else is at its place, or it is damaged.
    """
    with Keeper.of(lake) as keeper:
        there = [name for name, one in keeper.deleted.items() if one.entry.event is Event.TRASHED]
        chosen = list(names) or sorted(there)
        return _told("undo", _each(keeper.restore, chosen), len(chosen), progress)


def rebuild(lake: Path, names: Sequence[str], progress: Progress) -> list[dict[str, Any]]:
    """Make deleted tables again; raises like `undo`."""
    with Keeper.of(lake) as keeper:
        return _told("rebuild", _each(keeper.rebuild, names), len(names), progress)


def _each(bring: Callable[[str], Done], names: Sequence[str]) -> Iterator[Callable[[], Done]]:
    """Yield what brings each table back; one that cannot be must not keep the others away."""

    def tried(name: str) -> Done:
        try:
            return bring(name)
        except (InputError, UsageError) as error:
            return Done(name, "refused", detail=f"{error.message} {error.hint or ''}".strip())

    yield from (partial(tried if len(names) > 1 else bring, name) for name in names)


def _told(task: str, steps: Iterable[Callable[[], Done]], count: int, progress: Progress) -> list[dict[str, Any]]:
    progress.start(task, count, "tables")
    done = []
    for step in steps:
        done.append(asdict(step()))
        progress.advance(task)
    progress.finish(task, f"{sum(one['outcome'] != 'refused' for one in done):,} of {count:,} tables")
    return done
