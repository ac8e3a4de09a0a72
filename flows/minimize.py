"""The flow that takes client records in: minimized first, then audited and published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import keep_table, progress
from flows.ingestion import Ingestion
from warehouse.house import Warehouse
from warehouse.stages import Services, StageRun

__all__ = ["minimize"]


@task(name="minimize", task_run_name="minimize", cache_policy=NO_CACHE)
def _minimize(job: Ingestion) -> StageRun:
    services = Services(Warehouse.open(job.root).workspace, progress=progress())
    run = job.minimize(services)
    services.progress.finish("minimize", f"{run.counts['kept']:,} records" + (" (cached)" if run.cached else ""))
    return run


@task(name="publish", task_run_name="publish", cache_policy=NO_CACHE)
def _publish(job: Ingestion, run: StageRun) -> dict[str, Any]:
    warehouse = Warehouse.open(job.root)
    return job.summary(warehouse, job.publish(warehouse, run))


@flow(name="minimize", flow_run_name="{name}", validate_parameters=False)
def minimize(
    policy: str,
    source: str,
    name: str,
    warehouse: str = "sluice-warehouse",
    *,
    smallest: int = 1,
) -> dict[str, Any]:
    """Minimize client records and publish them; raw values reach no file of the warehouse.

    Returns what became of it: version, rows, smallest group, what the audit said.

    Args:
        policy: Path of the policy file.
        source: File of raw records: CSV, JSON lines or Parquet.
        name: Dataset to publish to.
        warehouse: Folder of the warehouse.
        smallest: Fewest records that may be alike in what is stored of them.
    """
    job = Ingestion.of(Path(policy), Path(source), Path(warehouse), name, smallest)
    told = _publish(job, _minimize(job))
    keep_table(name, "minimized", [told], f"Minimized records of {name}@{told['version']}")
    return told
