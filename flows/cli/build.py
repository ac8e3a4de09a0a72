"""Commands that build: plan, run, publish, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flows.build import Build
from flows.cli import options
from flows.console import console, next_steps, print_json, print_text, progress_for, table
from flows.orchestration import prefect_server
from flows.planning import Planned, plan_of
from flows.summary import show_build
from privacy.minimize.policy import Policy
from schemas.derive.odcs import odcs
from schemas.minimize import Sweep
from schemas.recipe.recipe import Recipe
from schemas.registry import contract, contracts

__all__ = ["COMMANDS"]

_FILES = {"recipe": Recipe, "policy": Policy, "fit": Sweep}


@click.command()
@options.recipe
@options.warehouse
@options.as_json
def plan(recipe: Path, root: Path, *, machine: bool) -> None:
    """Show what a run would do: what is cached, what would run, rows and cost. Changes nothing."""
    planned = plan_of(Build.of(recipe, root))
    if machine:
        print_json([step.to_json() for step in planned])
        return
    table("Plan", ("stage", "state", "rows in", "would do"), map(_plan_row, planned), right=("rows in",))
    waiting = sum(not step.cached for step in planned)
    console.print(
        f"{waiting} of {len(planned)} stages would run"
        if waiting
        else "nothing to do; everything is built, and a run publishes it if it is not yet",
    )
    next_steps(("run", recipe, "-w", root))


def _plan_row(step: Planned) -> tuple[Any, ...]:
    return step.name, "cached" if step.cached else "to do", step.rows, step.work


@click.command()
@options.recipe
@options.warehouse
@options.as_json
@click.option("--no-publish", is_flag=True, help="Stop after the last stage; `sluice publish` goes on.")
def run(recipe: Path, root: Path, *, machine: bool, no_publish: bool) -> None:
    """Build, audit, publish and export what a recipe asks for. An unchanged re-run does nothing."""
    _run(recipe, root, machine=machine, publish=not no_publish)


@click.command()
@options.recipe
@options.warehouse
@options.as_json
def publish(recipe: Path, root: Path, *, machine: bool) -> None:
    """Audit and publish what `sluice run --no-publish` built."""
    _run(recipe, root, machine=machine, publish=True)


def _run(recipe: Path, root: Path, *, machine: bool, publish: bool) -> None:
    Build.of(recipe, root)
    progress_for(machine=machine).note("starting the embedded Prefect server ...")
    with prefect_server(root):
        from flows.prompt_set import prompt_set

        summary = prompt_set(str(recipe), str(root), publish=publish)
    if machine:
        print_json(summary)
    else:
        show_build(summary)


@click.command()
@click.argument("name", required=False)
@click.option("--odcs", "as_odcs", is_flag=True, help="Print the Open Data Contract Standard v3.1 file.")
@options.as_json
def schema(name: str | None, *, as_odcs: bool, machine: bool) -> None:
    """Print a contract, or the JSON Schema of a file (recipe, policy, fit); without a name, list all."""
    if name is None:
        table(
            "Contracts", ("name", "version", "what it holds"), ((n, c.version, c.doc) for n, c in contracts().items())
        )
        console.print("[dim]and the JSON Schemas of files: `recipe`, `policy` and `fit` (how a policy is learned)[/]")
    elif name in _FILES:
        print_json(_FILES[name].model_json_schema())
    elif as_odcs:
        print_text(odcs(contract(name)))
    else:
        _show_contract(name, machine=machine)


def _show_contract(name: str, *, machine: bool) -> None:
    of = contract(name)
    columns = [
        {"column": c.name, "type": str(c.type), "nullable": c.nullable, "key": c.name in of.key, "doc": c.doc}
        for c in of.columns
    ]
    if machine:
        print_json({"name": of.name, "version": of.version, "doc": of.doc, "columns": columns})
        return
    console.print(f"[bold]{of.name}[/] {of.version}  {of.doc}")
    rows = ((c["column"], c["type"], "key" if c["key"] else "null" if c["nullable"] else "", c["doc"]) for c in columns)
    table("", ("column", "type", "", "meaning"), rows)


COMMANDS = (plan, run, publish, schema)
