"""Commands about published versions: show, diff, audit, rollback."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from flows.cli import options
from flows.console import console, print_json, table
from flows.phases import phases as phases_of
from flows.phases import show_phases
from schemas.errors import GateFailed
from schemas.registry import contract
from warehouse.gate import audit as audit_files
from warehouse.house import Warehouse
from warehouse.versions import Version

__all__ = ["COMMANDS"]


@click.command()
@click.argument("dataset", required=False)
@options.warehouse
@options.as_json
def show(dataset: str | None, root: Path, *, machine: bool) -> None:
    """List the datasets, or the versions and phases of one (NAME or NAME@VERSION)."""
    warehouse = Warehouse.open(root, read_only=True)
    if dataset is None:
        _list(warehouse, machine=machine)
    else:
        _describe(warehouse, *options.name_and_ref(dataset), machine=machine)


def _list(warehouse: Warehouse, *, machine: bool) -> None:
    latest = [warehouse.version(name) for name in warehouse.datasets()]
    if machine:
        print_json([asdict(version) for version in latest])
        return
    rows = ((v.name, v.version, v.rows, f"{v.published_at:%Y-%m-%d %H:%M}", v.run_id) for v in latest)
    table("Datasets", ("name", "latest", "rows", "published (UTC)", "run"), rows, right=("rows",))


def _describe(warehouse: Warehouse, name: str, ref: str, *, machine: bool) -> None:
    version = warehouse.version(name, ref)
    versions = warehouse.versions(name)
    phases = phases_of(warehouse, version)
    if machine:
        print_json({**asdict(version), "versions": [v.version for v in versions], "phases": phases})
        return
    console.print(f"[bold]{version.name}@{version.version}[/]  {version.rows:,} rows, run {version.run_id}")
    console.print()
    table("Versions", ("version", "rows", "bump", "published (UTC)"), map(_version_row, versions), right=("rows",))
    if phases:
        show_phases(phases)
    console.say(f"\n{version.notes}")


def _version_row(version: Version) -> tuple[str, int, str, str]:
    return version.version, version.rows, str(version.bump), f"{version.published_at:%Y-%m-%d %H:%M}"


@click.command()
@click.argument("name")
@click.argument("before")
@click.argument("after", default="latest")
@options.warehouse
@options.as_json
@click.option("--limit", default=10, show_default=True, help="Records to show.")
def diff(name: str, before: str, after: str, root: Path, *, machine: bool, limit: int) -> None:
    """Compare two versions record by record: added, removed, and changed column by column."""
    found = Warehouse.open(root, read_only=True).diff(name, before, after)
    sample = found.sample(limit)
    if machine:
        counts = {key: getattr(found, key) for key in ("added", "removed", "changed", "unchanged")}
        print_json({**counts, "columns": dict(found.columns), "bump": str(found.bump), "sample": sample.to_dicts()})
        return
    same = not (found.added or found.removed or found.changed)
    console.print(
        f"{found.added:,} added, {found.removed:,} removed, {found.changed:,} changed, {found.unchanged:,} unchanged: "
        + ("the same records" if same else f"a {found.bump} change"),
    )
    if changed := {column: records for column, records in found.columns.items() if records}:
        table("Changed columns", ("column", "records"), changed.items(), right=("records",))
    if sample.height:
        differ, shown = found.added + found.removed + found.changed, sample.select(found.key).n_unique()
        more = f": {shown:,} of {differ:,}, --limit shows more" if shown < differ else ""
        table(f"Records{more}", sample.columns, sample.iter_rows())


@click.command()
@click.argument("dataset")
@options.warehouse
@options.as_json
def audit(dataset: str, root: Path, *, machine: bool) -> None:
    """Hold a published version against its contract again. Exits with 4 if a check fails."""
    warehouse = Warehouse.open(root, read_only=True)
    version = warehouse.version(*options.name_and_ref(dataset))
    from flows.ingestion import register_policies

    register_policies(root)
    result = audit_files(warehouse.files(version.name, version.version), contract(version.contract))
    if machine:
        print_json(asdict(result))
    else:
        table(result.summary, ("", "check", "expected", "observed"), result.rows_for_console())
    if not result.success:
        raise GateFailed(result.summary)


@click.command()
@click.argument("name")
@click.argument("version")
@options.warehouse
def rollback(name: str, version: str, root: Path) -> None:
    """Let readers of `latest` see an older version again; no version is lost."""
    Warehouse.open(root, read_only=True).version(name, version)
    moved = Warehouse.open(root).rollback(name, version)
    console.print(f"{name}: latest is {moved.version} again")


COMMANDS = (show, diff, audit, rollback)
