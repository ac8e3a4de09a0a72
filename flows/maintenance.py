"""The flow that keeps a warehouse tidy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact

from warehouse.house import Warehouse

__all__ = ["maintenance"]


@task(name="sweep")
def _sweep(root: str) -> list[dict[str, Any]]:
    return [asdict(removal) for removal in Warehouse.open(Path(root)).sweep()]


@flow(name="maintenance")
def maintenance(warehouse: str = "sluice-warehouse") -> int:
    """Remove orphan branches, files and unfinished work; tagged versions are never touched.

    Returns
    -------
    int
        Number of things removed.
    """
    removed = _sweep(warehouse)
    create_table_artifact(removed, key="removed", description="What no version, book or living run needs")
    return len(removed)
