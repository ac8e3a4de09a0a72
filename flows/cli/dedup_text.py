"""The command `sluice dedup text`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from flows.cli import options
from flows.console import console, next_steps, print_json, progress_for, short_path, table
from schemas.errors import UsageError
from schemas.recipe.dedup import Dedup

__all__ = ["text"]

_EXAMPLES = 5
_DEFAULTS = Dedup()


@click.command()
@click.argument("table_name", metavar="TABLE")
@click.option("--text", "columns", multiple=True, metavar="COLUMN", help="Column to compare; several are joined.")
@click.option("--id", "identity", metavar="COLUMN", help="Column that names a document.  [default: number of the row]")
@click.option("--threshold", default=_DEFAULTS.threshold, show_default=True, help="Least Jaccard similarity.")
@click.option("--unit", type=click.Choice(["words", "characters"]), default=_DEFAULTS.unit, show_default=True)
@click.option("--width", default=_DEFAULTS.width, show_default=True, help="Units in a shingle.")
@click.option("--fewest", default=_DEFAULTS.fewest, show_default=True, help="Shingles below which only copies go.")
@click.option("--exact-only", is_flag=True, help="Look for copies only.")
@click.option("--any-numbers", is_flag=True, help="Texts may be alike though their numbers differ.")
@click.option("--any-operators", is_flag=True, help="Texts may be alike though their mathematical signs differ.")
@click.option("--case", is_flag=True, help="Upper and lower case differ.")
@click.option("--count-boilerplate", is_flag=True, help="Count shingles that very many documents share.")
@click.option("--prefer", type=click.Choice(["first", "longest"]), default="first", show_default=True,
              help="Which of two alike stays: the smaller id, or the longer text.")  # fmt: skip
@click.option("--candidates", type=click.Choice(["auto", "exact", "minhash"]), default="auto", show_default=True,
              help="How pairs are found; auto is exact up to ten million documents.")  # fmt: skip
@click.option("--against", multiple=True, metavar="NAME@VERSION", help="Published prompts: repeats of them go.")
@click.option("--engine", "engine_name", default="local", show_default=True, help="local or spark.")
@click.option("--name", help="Dataset that the removals become.  [default: TABLE_duplicates]")
@click.option("--removed", type=click.Path(path_type=Path, dir_okay=False), help="Also write the removals here.")
@click.option("--kept", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows that stay here.")
@options.warehouse
@options.as_json
def text(  # noqa: PLR0917 - options by name
    table_name: str,
    columns: tuple[str, ...],
    identity: str | None,
    engine_name: str,
    name: str | None,
    removed: Path | None,
    kept: Path | None,
    root: Path,
    *,
    machine: bool,
    **alike: Any,
) -> None:
    """Find the documents of TABLE that repeat another one, each with a kept witness and their exact similarity.

    TABLE is a Parquet, CSV or JSON lines file, a folder or quoted pattern of them, or a dataset (NAME or
    NAME@VERSION). The removals become a dataset of the warehouse, (removed_id, witness_id, similarity), for
    `sluice sql`; nothing is deleted.
    """
    from flows import text_duplicates as flow
    from warehouse.engines import engine
    from warehouse.house import Warehouse
    from warehouse.stages import Services

    warehouse = Warehouse.open(root)
    asked = flow.table_of(table_name, warehouse, columns, identity, _settings(**alike))
    with engine(engine_name) as running:
        services = Services(warehouse.workspace, running, progress_for(machine=machine))
        found = flow.find(asked, name or flow.default_name(table_name), warehouse, services)
    written = {}
    for path, write in ((removed, flow.write_removed), (kept, flow.write_kept)):
        if path is not None:
            write(found, path, warehouse)
            written[write.__name__.removeprefix("write_")] = str(path)
    told = flow.finish(found, warehouse, _EXAMPLES) | {"written": written, "warehouse": str(root)}
    if machine:
        print_json(told)
    else:
        _show(told)


def _settings(
    *, exact_only: bool, any_numbers: bool, any_operators: bool, case: bool, count_boilerplate: bool, prefer: str,
    **same: Any,
) -> Dedup:  # fmt: skip
    changes: dict[str, Any] = {
        "near": not exact_only,
        "keep_numbers": not any_numbers,
        "keep_operators": not any_operators,
        "casefold": not case,
        "prefer": ("longest",) if prefer == "longest" else (),
        **({"common_share": None} if count_boilerplate else {}),
        **same,
    }
    try:
        return Dedup.model_validate(changes)
    except ValidationError as error:
        fault = error.errors()[0]
        option = str(fault["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option}: {fault['msg']} (got {fault['input']!r}).") from error


def _show(told: dict[str, Any]) -> None:
    steps = ((s["step"], s["documents"], s["removed"], s["aside"], s["how"]) for s in told["steps"])
    figures = ("documents", "removed", "not looked at")
    table("What happened", ("step", *figures, "how"), steps, right=figures)
    if told["examples"]:
        console.print()
        rows = ((e["removed_id"], e["witness_id"], e["similarity"], e["kind"]) for e in told["examples"])
        table("The least alike", ("removed", "witness", "similarity", "kind"), rows, right=("similarity",))
    console.print(f"\nKept {told['kept']:,} of {told['documents']:,} documents; {told['removed']:,} removals are "
                  f"[bold]{told['dataset']}[/]{' (unchanged)' if told['unchanged'] else ''}.")  # fmt: skip
    for what, path in told["written"].items():
        console.say(f"{what:<8} {path}")
    console.say(f"report   {short_path(told['report'])}")
    name = told["dataset"].partition("@")[0]
    next_steps(("sql", f"FROM {name} ORDER BY similarity LIMIT 10", "-w", told["warehouse"]))
