"""Commands about the house itself: doctor, clean."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click

from curation.verify import ladder
from flows.cli import options
from flows.console import print_json, table
from schemas.enums import Isolation
from schemas.errors import SluiceError
from warehouse.figures import size
from warehouse.house import Warehouse

__all__ = ["COMMANDS"]

_PACKAGES = ("polars", "duckdb", "pyarrow", "pyiceberg", "prefect", "great_expectations", "math-verify")
_EXTRAS = {
    "datasets": "datasets",
    "pyspark": "spark",
    "scikit-learn": "privacy",
    "presidio-analyzer": "presidio",
    "transformers": "llm",
    "vllm": "vllm",
    "rapidfuzz": "fuzz",
}
_RUNGS = {
    Isolation.L1: "resource limits, fresh process",
    Isolation.L2: "L1 + seccomp, Landlock, own identity when root",
    Isolation.L3: "L2 + namespaces",
}
_TOOLS = {"java": "for Spark", "g++": "to judge C++", "node": "to judge JavaScript"}


@click.command()
@options.warehouse
@options.as_json
def doctor(root: Path, *, machine: bool) -> None:
    """Tell what this machine can do: packages, extras, isolation of judged code, state of the warehouse."""
    findings = [
        ("sluice", _installed("sluice"), ""),
        ("python", sys.version.split()[0], ""),
        *((name, _installed(name), "") for name in _PACKAGES),
        *((name, _installed(name), f"extra {extra!r}") for name, extra in _EXTRAS.items()),
        *((tool, shutil.which(tool) or "not found", use) for tool, use in _TOOLS.items()),
        ("warehouse", *_state(root)),
    ]
    report = ladder.detect()
    if machine:
        print_json({"findings": findings, "reached": report.reached, "failures": dict(report.failures)})
        return
    table("Here", ("what", "found", ""), findings)
    rungs = ((rung, _RUNGS[rung], report.failures.get(rung, "holds")) for rung in Isolation)
    table("Isolation of judged code", ("rung", "made of", "here"), rungs)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "installed" if find_spec(package) else "not installed"


def _state(root: Path) -> tuple[str, str]:
    if not root.exists():
        return "none yet", str(root)
    try:
        datasets = Warehouse.open(root, read_only=True).datasets()
    except SluiceError as error:
        return "unusable", error.message
    free = shutil.disk_usage(root).free / 2**30
    return f"{len(datasets)} datasets", f"{root}, {free:,.0f} GiB free"


@click.command()
@options.warehouse
@options.as_json
@click.option("--apply", "really", is_flag=True, help="Remove; without it only what would go is listed.")
def clean(root: Path, *, machine: bool, really: bool) -> None:
    """Remove what no version needs: orphan branches, files and unfinished work. Tagged versions are never touched."""
    Warehouse.open(root, read_only=True)
    removals = Warehouse.open(root).sweep(dry_run=not really)
    if machine:
        print_json([asdict(removal) for removal in removals])
        return
    rows = ((str(one.kind), one.where, size(one.size), one.reason) for one in removals)
    table("Removed" if really else "Would remove", ("kind", "what", "size", "why"), rows, right=("size",))


COMMANDS = (doctor, clean)
