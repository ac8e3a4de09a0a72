"""Commands that explore: sql, why."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli import options
from flows.console import console, print_json, table
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
    table("", found.columns, found.iter_rows(), right=numbers)
    console.print(f"[dim]{found.height:,} rows[/]")


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
        console.print(str(story), markup=False)


COMMANDS = (sql, why)
