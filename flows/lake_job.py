"""A lake that is looked at: where it lies, what is asked of it, and finding it again by its name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError, UsageError
from schemas.recipe.lake import Lake
from schemas.recipe.retention import Retention
from warehouse.house import Warehouse

__all__ = ["Job", "default_name", "remember", "remembered"]


@dataclass(frozen=True)
class Job:
    """A lake, what is looked for in it, and what deleting is worth.

    Parameters
    ----------
    name
        What its datasets are called after.
    """

    name: str
    lake: Lake
    retention: Retention

    @property
    def root(self) -> Path | None:
        """Folder of the lake; None if it is not one folder of this machine, and nothing can be deleted in it."""
        path = Path(self.lake.path) if self.lake.path and "://" not in self.lake.path else None
        return path.resolve() if path and path.is_dir() else None

    @property
    def folder(self) -> Path:
        """Folder of the lake.

        Raises
        ------
        InputError
            If it is not one folder of this machine.
        """
        if self.root is None:
            raise InputError(
                f"nothing can be deleted in {self.lake.path or 'tables of a warehouse'}.",
                hint="retention works on a lake that is one folder of this machine; containment is found everywhere.",
            )
        return self.root


def default_name(path: str | None) -> str:
    """Return what the datasets of a lake are called after; without a path it is tables of the warehouse.

    Examples
    --------
    >>> default_name("/data/COVID-19 lake/")
    'covid_19_lake'
    """
    if path is None:
        return "tables"
    return re.sub(r"[^a-z0-9]+", "_", Path(path.rstrip("/*")).name.lower()).strip("_") or "lake"


def remember(job: Job, warehouse: Warehouse) -> None:
    """Keep where a lake lies and what was asked of it, for the commands that follow."""
    path = warehouse.root / "lakes" / f"{job.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lake = job.lake.model_copy(update={"path": str(Path(job.lake.path).resolve())} if job.root else {})
    told = {"lake": lake.model_dump(mode="json"), "retention": job.retention.model_dump(mode="json")}
    path.write_text(json.dumps(told, indent=1))


def remembered(asked: str | None, warehouse: Warehouse) -> Job:
    """Return a lake looked at before, by name or path; without either, the only one.

    Raises
    ------
    UsageError
        If there is none such, or more than one.
    """
    known = {}
    for path in sorted((warehouse.root / "lakes").glob("*.json")):
        told = json.loads(path.read_text())
        known[path.stem] = Job(path.stem, Lake(**told["lake"]), Retention(**told["retention"]))
    fitting = [job for name, job in known.items() if asked in (None, name) or _is_at(job, str(asked))]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(known) or "none yet"
    raise UsageError(
        f"{'which lake is meant' if asked is None else f'no lake is {asked!r}'}: {warehouse.root} knows {names}.",
        hint="`sluice dedup lake PATH` looks at one; --lake NAME picks one.",
    )


def _is_at(job: Job, path: str) -> bool:
    return job.root is not None and job.root == Path(path).resolve()
