"""Commands that explore: sql, why, compare."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from curation.measure.comparisons import compare as pass_rates_of
from flows.cli import options
from flows.console import console, print_json, records, table
from schemas.errors import UsageError
from schemas.recipe.measures import Measure
from warehouse import explore
from warehouse.house import Warehouse
from warehouse.why import why as story_of

__all__ = ["COMMANDS"]


@click.command()
@click.argument("query")
@options.warehouse
@options.as_json
def sql(query: str, root: Path, *, machine: bool) -> None:
    """Ask the warehouse in SQL (DuckDB, read-only). `SHOW ALL TABLES` lists the views."""
    found = explore.query(Warehouse.open(root, read_only=True), query)
    if machine:
        print_json(found.to_dicts())
        return
    numbers = [name for name, of in found.schema.items() if of.is_numeric()]
    records(found.columns, found.rows(), right=numbers)
    console.print(f"[dim]{found.height:,} {'row' if found.height == 1 else 'rows'}[/]")


@click.command()
@click.argument("record_id")
@options.warehouse
@options.as_json
def why(record_id: str, root: Path, *, machine: bool) -> None:
    """Tell the story of a record, kept or dropped: where it came from and what each stage decided."""
    story = story_of(Warehouse.open(root, read_only=True), record_id)
    if machine:
        print_json(story.to_json())
    else:
        console.say(str(story))


@click.command()
@click.argument("before")
@click.argument("after")
@options.warehouse
@options.as_json
@click.option("--limit", default=20, show_default=True, help="Problems to show.")
def compare(before: str, after: str, root: Path, *, machine: bool, limit: int) -> None:
    """Compare the pass rates of two checkpoints (POLICY@REVISION each), problem by problem."""
    rates = Warehouse.open(root, read_only=True).book("pass_rates")
    found = pass_rates_of(rates, _measure(before), _measure(after)).collect()
    if machine:
        print_json(found.to_dicts())
        return
    if found.is_empty():
        raise UsageError(
            f"no problem was measured by both {before} and {after} with one sampler.",
            hint="`sluice sql 'FROM pass_rates'` shows what was measured.",
        )
    changes = found.group_by("change").agg(problems=pl.len(), mean_delta=pl.col("delta").mean()).sort("change")
    table(f"{before} to {after}", changes.columns, changes.iter_rows(), right=("problems", "mean_delta"))
    moved = found.filter(pl.col("change") != "same").sort("delta").head(limit).drop("sampler", "verifier_version")
    if moved.height:
        table("Changed beyond doubt (95 %)", moved.columns, moved.iter_rows(), right=moved.columns[1:-1])


def _measure(text: str) -> Measure:
    policy, _, revision = text.partition("@")
    return Measure(policy=policy, policy_revision=revision or None)


COMMANDS = (sql, why, compare)
