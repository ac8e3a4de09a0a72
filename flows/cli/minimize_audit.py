"""The command that measures what a policy's release tells: minimize audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import polars as pl

from flows.cli import options
from flows.console import console, print_json, progress_for, table, words
from flows.minimize_audit import house_of, publish_audit
from privacy.minimize.audit import Audit, AuditResult, multi_breach
from privacy.minimize.audit import audit as audit_of
from privacy.minimize.audit.report import write
from privacy.minimize.charts import Dot, scatter
from privacy.minimize.policy import Policy
from privacy.minimize.tables import read_typed
from schemas.errors import InputError

__all__ = ["audit", "show_audit", "show_joint"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_SHOWN = ("attack", "percent", "majority", "mean", "worst", "worst_attribute", "low", "high", "records")
_FIGURES = ("percent", "majority", "mean", "worst", "low", "high", "records")
_GROUPS = {
    "records": "records",
    "classes": "groups of records alike in what is stored",
    "smallest_class": "records in the smallest group",
    "singletons": "records alone in their group",
    "prosecutor_highest": "chance of a prosecutor to find whoever is easiest to find",
    "marketer": "chance of a marketer to find anybody",
}
_TRIED = ("release", "leaves", "alpha", "error", "risk", "buckets", "cells", "smallest_group", "front", "picked")
_CHANCES = ("prosecutor_highest", "marketer")


@click.command()
@click.argument("policy", type=_FILE)
@click.argument("source", metavar="RAW", type=_FILE)
@click.option("--personal", multiple=True, help="Attribute under attack (default: those of the fit).")
@click.option(
    "--earlier",
    multiple=True,
    type=_FILE,
    help="Policy by which the same people's data were released before; repeatable.",
)
@click.option("--population", type=_FILE, help="Raw records of everybody whom RAW could be of, for journalist's risk.")
@click.option("--counting", is_flag=True, help="Attack by counting alone, without training: seconds.")
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the report: HTML, Markdown, JSON, Parquet tables.",
)
@click.option("--name", help="Publish the tables to the warehouse, as datasets NAME_audit, NAME_attack, ...")
@options.warehouse
@click.option("--alternatives", type=_FILE, help="What `fit --table` wrote, for the report.")
@click.option("--record", is_flag=True, help="Write the main figures into the policy's file; its hash stays.")
@options.as_json
def audit(  # noqa: PLR0917 - options
    policy: Path,
    source: Path,
    personal: tuple[str, ...],
    earlier: tuple[Path, ...],
    population: Path | None,
    folder: Path | None,
    name: str | None,
    root: Path,
    alternatives: Path | None,
    *,
    counting: bool,
    record: bool,
    machine: bool,
) -> None:
    """Attack what POLICY stores of the records in RAW, in eight ways; risks are empirical, no guarantee.

    With --earlier the attacker holds what was released of the same people before, too.
    """
    asked = Policy.load(policy)
    warehouse = None if name is None else house_of(root, name)
    settings = Audit(personal=personal or None, trained=not counting)
    tried = None if alternatives is None else _tried(alternatives)
    found = audit_of(
        read_typed(source, asked),
        asked,
        settings,
        earlier=[Policy.load(path) for path in earlier],
        alternatives=tried,
        population=None if population is None else read_typed(population, asked),
        progress=progress_for(machine=machine),
    )
    files = write(found, folder, pareto=None if tried is None else _drawn(tried)) if folder is not None else {}
    if record:
        asked.with_risk(found.risk).save(policy)
    published = publish_audit(found, name, source, warehouse) if warehouse is not None else {}
    if machine:
        print_json(found.to_json() | {"datasets": published})
        return
    show_audit(found)
    if files:
        tables = sum(path.suffix == ".parquet" for path in files.values())
        console.say(f"report   {files['html']}, beside it Markdown, JSON and {tables} tables")
    if published:
        named = ", ".join(f"{dataset}@{of}" for dataset, of in published.items())
        console.say(f"tables   {named}")


def show_audit(found: AuditResult) -> None:
    """Print the main figures of an audit."""
    console.print("[bold]What attackers guess of personal attributes[/] (share of records, empirical)")
    table("", list(map(words, _SHOWN)), (_row(one) for one in found.summary.to_dicts()), right=_FIGURES)
    console.print()
    rows = ((words, _group(name, found.groups[name])) for name, words in _GROUPS.items() if name in found.groups)
    table("", ("groups", ""), rows, right=("",))


def show_joint(raw: pl.DataFrame, new: Policy, old: Policy, *, trained: bool) -> None:
    """Attack people of whom what ``old`` stores is known together with what ``new`` stores, and print it."""
    settings = Audit(trained=trained)
    joint = multi_breach(raw, [new, old], settings).select("attribute", "majority", "low", "high", both="accuracy")
    alone = multi_breach(raw, [old], settings).select("attribute", before="accuracy")
    shown = joint.join(alone, on="attribute", how="left", maintain_order="left")
    figures = ("majority", "before", "both", "low", "high")
    console.print("\n[bold]What attackers guess who hold both releases[/] (share of records, empirical)")
    rows = ([one["attribute"], *(f"{one[name]:.3f}" for name in figures)] for one in shown.to_dicts())
    table("", ("attribute", *figures), rows, right=figures)


def _group(name: str, value: float) -> Any:
    return f"1 in {1 / value:,.0f}" if name in _CHANCES else value


def _row(one: dict[str, Any]) -> list[Any]:
    figures = (
        f"{value:.3f}" if isinstance(value, float) and name != "percent" else value
        for name, value in ((n, one[n]) for n in _SHOWN[1:])
    )
    return [words(one["attack"]), *figures]


def _drawn(tried: pl.DataFrame) -> str:
    measured = tried.drop_nulls("error")
    dots = [
        Dot(
            one["risk"],
            one["error"],
            kind=one["release"],
            label=f"{one['release']}, {one['leaves']} leaves, alpha {one['alpha']}",
            front=one["front"],
            picked=one["picked"],
        )
        for one in measured.to_dicts()
    ]
    return scatter(dots, x="risk", y="error", title="Error against risk of the policies that were tried")


def _tried(path: Path) -> pl.DataFrame:
    hint = "give what `fit --table` wrote."
    try:
        found = pl.read_csv(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}", hint=hint) from error
    if missing := [name for name in _TRIED if name not in found.columns]:
        raise InputError(f"{str(path)!r} has no column {', '.join(missing)}.", hint=hint)
    return found
