"""The commands `sluice dedup lake`, `plan`, `apply`, `undo` and `rebuild`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import ValidationError
from rich.markup import escape

from flows.cli import options
from flows.console import console, next_steps, print_json, progress_for, short_path, table
from schemas.errors import InputError, RecipeError, UsageError
from schemas.recipe.lake import Lake, Sample
from schemas.recipe.retention import Retention
from warehouse.figures import beside, money, share, size

__all__ = ["ON_LAKES"]

_LISTED = 20
_DEFAULTS = Lake(path=".")
_OPTIONS = {
    "near": "--near", "evidence": "--evidence", "memory_mb": "--memory", "sample.rows": "-s", "sample.columns": "-t",
}  # fmt: skip

settings = click.option(
    "--settings",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file of prices, latencies and uses; docs/retention.md lists the keys.",
)
which = click.option("--lake", "asked", metavar="NAME|PATH", help="A lake looked at before.  [default: the only one]")


@click.command()
@click.argument("path", required=False)
@click.option("--table", "tables", multiple=True, metavar="NAME[@VERSION]",
              help="Instead of PATH, a table of the warehouse; give it once for each.")  # fmt: skip
@click.option("--policy", type=click.Choice(["strict", "lossless", "text"]), default=_DEFAULTS.policy,
              show_default=True, help="What counts as the same value.")  # fmt: skip
@click.option("--semantics", type=click.Choice(["set", "multiset"]), default=_DEFAULTS.semantics, show_default=True,
              help="Whether repeated rows must be repeated in the parent too.")  # fmt: skip
@click.option("--method", type=click.Choice(["exact", "paper"]), default=_DEFAULTS.method, show_default=True,
              help="Prove every pair, or sample as R2D2 does.")  # fmt: skip
@click.option("-s", "rows", default=Sample().rows, show_default=True, help="Rows that `paper` samples of a table.")
@click.option("-t", "columns", type=int, help="Columns that `paper` compares.  [default: all]")
@click.option("--near", default=_DEFAULTS.near, show_default=True, help="Least share of rows to call it nearly in.")
@click.option("--evidence", default=_DEFAULTS.evidence, show_default=True, help="Below this it may be chance.")
@click.option("--memory", default=_DEFAULTS.memory_mb, show_default=True, help="MiB that rows may take.")
@click.option("--engine", type=click.Choice(["local", "spark"]), default=_DEFAULTS.engine, show_default=True)
@click.option("--name", help="What the datasets are called after.  [default: last part of PATH, or tables]")
@settings
@options.warehouse
@options.as_json
def lake(path: str | None, root: Path, name: str | None, settings: Path | None, *, machine: bool, **asked: Any) -> None:
    """Find out which tables of a lake are contained in which, and what may therefore go. Deletes nothing.

    PATH is a folder, a glob or a URL of Parquet, CSV and JSON lines files. Tables of the warehouse are compared where
    they are named by --table.
    """
    from flows import lake_steps
    from flows.lake_job import Job, default_name
    from warehouse.house import Warehouse
    from warehouse.stages import Services

    if (path is None) == (not asked["tables"]):
        raise UsageError("a lake is either a PATH or tables of the warehouse.", hint="give PATH, or --table NAME.")
    sample = {"rows": asked.pop("rows"), "columns": asked.pop("columns")}
    config = _valid(Lake, {"path": path, "sample": sample, "memory_mb": asked.pop("memory"), **asked})
    job = Job(name or default_name(path), config, _retention(settings))
    warehouse = Warehouse.open(root)
    services = Services(warehouse.workspace, progress=progress_for(machine=machine))
    told = lake_steps.finish(lake_steps.find(job, warehouse, services), warehouse)
    if machine:
        print_json(told)
    else:
        _show_lake(told, root)


def _valid(of: type, given: Mapping[str, Any]) -> Any:
    try:
        return of(**given)
    except ValidationError as error:
        places = [".".join(map(str, one["loc"])) for one in error.errors()]
        told = [f"{one['msg']} (got {one['input']!r})" for one in error.errors()]
        raise RecipeError(
            f"{_OPTIONS.get(place, place)}: {what}" for place, what in zip(places, told, strict=True)
        ) from error


def _retention(path: Path | None) -> Retention:
    if path is None:
        return Retention()
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as YAML: {error}.", hint="give a file of settings.") from error
    if not isinstance(told, dict):
        raise UsageError(f"{path} holds {type(told).__name__}; a mapping of settings is allowed.")
    return _valid(Retention, told)


def _show_lake(told: Mapping[str, Any], root: Path) -> None:
    console.print(f"[bold]{told['lake']}[/]: {told['tables']:,} tables, {size(told['bytes'])}")
    if told["rejections"]:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in told["rejections"].items())
        console.print(f"no tables: {listed}")
    funnel = (
        (one["stage"], one["edges_in"], one["edges_out"], _reasons(one["pruned"]), f"{one['seconds']:.2f}")
        for one in told["stages"]
    )
    table("Pairs of tables", ("stage", "in", "out", "taken out", "seconds"), funnel, right=("in", "out", "seconds"))
    console.print(
        f"\n{told['edges']:,} pairs hold, of them {told['exact_duplicates']:,} between duplicates and "
        f"{told['accidental']:,} perhaps by chance; {told['near']:,} nearly hold",
    )
    for warning in told["warnings"]:
        console.print(f"[bold red]warning:[/] {escape(warning)}")
    if "plan" in told:
        _show_saving(told["plan"])
    console.say(f"report  {short_path(told['report'])}")
    best = "SELECT child, parent, relation, evidence ORDER BY evidence DESC LIMIT 10"
    commands = [("sql", f"FROM {told['lake']}_containment {best}", "-w", root)]
    if told.get("plan", {}).get("delete"):
        commands.insert(0, ("dedup", "plan", "--lake", told["lake"], "-w", root))
    next_steps(*commands)


def _reasons(pruned: str) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in json.loads(pruned).items())


def _show_saving(plan: Mapping[str, Any]) -> None:
    if not plan["delete"]:
        console.print("no table would go")
        return
    saved = plan["cost_before"] - plan["cost"]
    console.print(
        f"{plan['delete']:,} tables may go: {size(plan['delete_bytes'])}, rebuilt bit for bit from recipes of "
        f"{size(plan['recipe_bytes'])}; saves {money(saved, plan['currency'])} a month, "
        f"{share(saved, plan['cost_before'])} of what the lake costs",
    )


@click.command()
@which
@settings
@click.option("--limit", default=_LISTED, show_default=True, help="Tables to list.")
@options.warehouse
@options.as_json
def plan(asked: str | None, settings: Path | None, limit: int, root: Path, *, machine: bool) -> None:
    """Show which tables of a lake would go, what that saves, how each comes back, and why others stay.

    Changes nothing in the lake.
    """
    from flows import lake_steps

    run = _found(asked, settings, root, machine=machine)
    told = lake_steps.summary(run)
    if machine:
        print_json(told)
        return
    shown = told["plan"]
    if shown["deletions"]:
        listed = shown["deletions"][:limit]
        rows = ((one["table"], size(one["bytes"]), size(one["recipe_bytes"]), one["recipe"]) for one in listed)
        table("Would go", ("table", "size", "recipe", "comes back as"), rows, right=("size", "recipe"))
    if len(shown["deletions"]) > limit:
        console.print(f"[dim]and {len(shown['deletions']) - limit:,} more; --limit shows them[/]")
    if told["deleted"]:
        columns = ("table", "state", "since", "until", "parent")
        rows = ([one[column] for column in columns] for one in told["deleted"][:limit])
        table(f"Deleted: {len(told['deleted']):,}", ("table", "state", "since", "undo until", "rebuilt from"), rows)
    if shown["refused"]:
        table("Contained, and kept", ("reason", "tables", "meaning"), _kept(shown), right=("tables",))
    _show_saving(shown)
    if shown["deletions"]:
        _show_optimum(shown)
    for warning in told["warnings"]:
        console.print(f"[bold red]warning:[/] {escape(warning)}")
    if shown["deletions"]:
        next_steps(("dedup", "apply", "--lake", told["lake"], "-w", root))


def _kept(shown: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    from dedup.retention.planning.options import Reason

    return [(reason, count, Reason(reason).meaning) for reason, count in shown["refused"].items()]


def _show_optimum(shown: Mapping[str, Any]) -> None:
    best = "no plan saves more" if shown["proved"] else "a better plan was not ruled out"
    ours, theirs = shown["cost_before"] - shown["cost"], shown["cost_before"] - shown["greedy"]
    console.print(f"{best}; deleting the largest saving first would save {beside(theirs, ours)}")


def _found(asked: str | None, settings: Path | None, root: Path, *, machine: bool) -> Any:
    """Look through a lake that is known, and plan."""
    from flows import lake_steps
    from flows.lake_job import Job, remembered
    from warehouse.house import Warehouse
    from warehouse.stages import Services

    warehouse = Warehouse.open(root)
    job = remembered(asked, warehouse)
    if settings is not None:
        job = Job(job.name, job.lake, _retention(settings))
    if not job.folder.is_dir():
        raise UsageError(f"{job.folder} is gone.", hint="`sluice dedup lake PATH` looks at a lake elsewhere.")
    services = Services(warehouse.workspace, progress=progress_for(machine=machine))
    return lake_steps.find(job, warehouse, services)


@click.command()
@which
@settings
@click.option("--purge", is_flag=True, help="Instead, free what is in the trash and whose time to be undone is over.")
@options.warehouse
@options.as_json
def apply(asked: str | None, settings: Path | None, root: Path, *, purge: bool, machine: bool) -> None:
    """Delete what `sluice dedup plan` shows: each table only after its recipe has made every byte of it.

    Deleted tables wait in the lake's `.sluice` folder, from where `sluice dedup undo` brings them back.
    """
    from flows import lake_retention

    progress = progress_for(machine=machine)
    if purge:
        _show_done(lake_retention.purge(_root(asked, root), progress), machine=machine)
        return
    run = _found(asked, settings, root, machine=machine)
    done = lake_retention.apply(run, root, progress)
    _show_done(done, machine=machine)
    if not machine and any(one["outcome"] == "deleted" for one in done):
        next_steps(("dedup", "undo", "--all", "--lake", run.job.name, "-w", root))


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@which
@click.option("--all", "everything", is_flag=True, help="All tables that are in the trash.")
@options.warehouse
@options.as_json
def undo(names: tuple[str, ...], asked: str | None, root: Path, *, everything: bool, machine: bool) -> None:
    """Bring deleted tables back from the trash."""
    from flows import lake_retention

    if bool(names) == everything:
        raise UsageError("name the tables to bring back, or give --all.")
    _show_back(lake_retention.undo(_root(asked, root), names, progress_for(machine=machine)), machine=machine)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@which
@options.warehouse
@options.as_json
def rebuild(names: tuple[str, ...], asked: str | None, root: Path, *, machine: bool) -> None:
    """Make deleted tables from their parents, bit for bit, and put them at their places."""
    from flows import lake_retention

    _show_back(lake_retention.rebuild(_root(asked, root), names, progress_for(machine=machine)), machine=machine)


def _show_back(done: list[dict[str, Any]], *, machine: bool) -> None:
    """Show which tables came back, and exit as after bad input if some did not."""
    _show_done(done, machine=machine)
    if any(one["outcome"] == "refused" for one in done):
        click.get_current_context().exit(InputError.exit_code)


def _root(asked: str | None, root: Path) -> Path:
    """Return the folder of a lake: one that was looked at, or any that was given as a path."""
    from flows.lake_job import remembered
    from warehouse.house import Warehouse

    if asked is not None and Path(asked).is_dir():
        return Path(asked).resolve()
    return remembered(asked, Warehouse.open(root)).folder


def _show_done(done: list[dict[str, Any]], *, machine: bool) -> None:
    if machine:
        print_json(done)
        return
    refused = [one for one in done if one["outcome"] == "refused"]
    if refused:
        rows = ((one["table"], one["detail"]) for one in refused[:_LISTED])
        table(f"{len(refused):,} refused", ("table", "why"), rows)
    for outcome in sorted({one["outcome"] for one in done} - {"refused"}):
        weights = [one["bytes"] for one in done if one["outcome"] == outcome]
        count = len(weights)
        console.print(f"{count:,} {'table' if count == 1 else 'tables'} {outcome}, {size(sum(weights))}")
    if not done:
        console.print("nothing to do")


ON_LAKES = (lake, plan, apply, undo, rebuild)
