"""The flow that keeps a warehouse tidy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, task

from flows.artifacts import keep_table
from warehouse.house import Warehouse

__all__ = ["maintenance"]


@task(name="sweep", task_run_name="sweep")
def _sweep(root: str) -> list[dict[str, Any]]:
    return [asdict(removal) for removal in Warehouse.open(Path(root)).sweep()]


@flow(name="maintenance")
def maintenance(warehouse: str = "sluice-warehouse") -> int:
    """Remove orphan branches, files and unfinished work; tagged versions are never touched.

    Returns the number of things removed.

    Args:
        warehouse: Folder of the warehouse.
    """
    removed = _sweep(warehouse)
    keep_table("maintenance", "removed", removed, f"What no version, book or living run of {warehouse} needed")
    return len(removed)
