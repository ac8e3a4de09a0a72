"""Commands that minimize client data: minimize fit, show, diff, revise, compile, apply, publish, audit, sample-size."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from flows.cli import options
from flows.cli.minimize_audit import audit, show_joint
from flows.cli.minimize_fit import fit, sample_size
from flows.console import console, print_json, print_text, progress_for, table
from flows.ingestion import Ingestion
from flows.orchestration import prefect_server
from privacy.minimize.apply import ENGINES, applicable, apply_policy
from privacy.minimize.compare import Comparison, compare
from privacy.minimize.compile import TARGETS, compile_policy
from privacy.minimize.policy import Policy
from privacy.minimize.show import markdown, sheets
from privacy.minimize.tables import read_typed
from schemas.errors import InputError, UsageError
from warehouse.house import Warehouse

__all__ = ["COMMANDS"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_policy = click.argument("policy", type=_FILE)
_input = click.argument("source", metavar="INPUT", type=_FILE)
_serving = click.option("--without-targets", is_flag=True, help="For records whose targets are not known yet.")


@click.group()
def minimize() -> None:
    """Collect client data no finer than the task needs: learn a policy, review it, apply it, audit it."""


@minimize.command()
@_policy
@options.as_json
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
def show(policy: Path, *, machine: bool, as_markdown: bool) -> None:
    """Print a policy as a person wants to read it."""
    found = Policy.load(policy)
    if machine:
        print_json(found.model_dump(mode="json", exclude_none=True) | {"sha256": found.digest})
    elif as_markdown:
        print_text(markdown(found))
    else:
        for sheet in sheets(found):
            console.print(f"[bold]{sheet.title}[/]")
            table("", sheet.columns, sheet.rows)
            console.print()


@minimize.command()
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@click.option("--records", type=_FILE, help="Raw records: measure what both releases tell together, if AFTER is finer.")
@click.option("--counting", is_flag=True, help="Measure by counting alone, without training: seconds.")
@options.as_json
def diff(before: Path, after: Path, records: Path | None, *, counting: bool, machine: bool) -> None:
    """Compare two versions of a policy, and say whether AFTER only coarsens BEFORE. Exits with 0 either way."""
    old, new = Policy.load(before), Policy.load(after)
    found = compare(old, new)
    if machine:
        print_json(_comparison(found))
        return
    _show_comparison(found, measured=records is not None)
    if records is not None and not found.coarsens:
        show_joint(read_typed(records, new), new, old, trained=not counting)


def _comparison(found: Comparison) -> dict[str, Any]:
    changes = [
        {"column": c.column, "verdict": c.verdict, "before": c.before, "after": c.after, "splits": dict(c.splits)}
        for c in found.changes
    ]
    return {"coarsens": found.coarsens, "reasons": list(found.reasons), "changes": changes}


def _show_comparison(found: Comparison, *, measured: bool = False) -> None:
    changed = [change for change in found.changes if change.verdict != "same"]
    if changed:
        rows = ((c.column, c.before, c.after, c.verdict) for c in changed)
        table("Columns", ("column", "before", "after", "verdict"), rows)
    kept = len(found.changes) - len(changed)
    console.print(f"{'Every column' if not changed else f'{kept:,} more columns'} as before.")
    if found.coarsens:
        console.print("\nThe new version only coarsens: clients already collected tell no more than before.")
        return
    console.print("\nThe new version does not only coarsen:")
    for reason in found.reasons:
        console.say(f"  {reason}")
    if not measured:
        console.say(
            "Of clients already collected both releases are known together; `sluice minimize diff --records RAW`"
            " measures what they tell."
        )


@minimize.command()
@click.argument("edited", type=_FILE)
@click.option("--of", "parent", type=_FILE, help="The version before; without it EDITED is the first version.")
@click.option("--out", type=_FILE, required=True, help="File of the new version.")
def revise(edited: Path, parent: Path | None, out: Path) -> None:
    """Check a policy that a person has edited, and write it as a new version with its hash."""
    draft = Policy.draft(edited)
    before = Policy.load(parent) if parent else None
    if before is not None and before.id != draft.id:
        raise UsageError(f"{edited} is policy {draft.id!r}, and {parent} is policy {before.id!r}.")
    changes: dict[str, Any] = {
        "version": before.version + 1 if before else 1,
        "parent": before.digest if before else None,
        "created": datetime.now(UTC).date(),
        "risk": {},
    }
    revised = draft.model_copy(update=changes)
    revised.save(out)
    console.say(f"{out}: policy {revised.id}, version {revised.version}, sha256 {revised.digest}")
    if before is not None:
        _show_comparison(compare(before, revised))


@minimize.command("compile")
@_policy
@click.option("--to", "target", required=True, help=f"One of {', '.join(TARGETS)}.")
@click.option("--table", "name", default="clients", show_default=True, help="Name of the raw table in SQL.")
@click.option("--out", type=_FILE, help="File to write; standard output by default.")
@_serving
def compile_(policy: Path, target: str, name: str, out: Path | None, *, without_targets: bool) -> None:
    """Write a policy as code for where the raw values are; all targets give the same buckets."""
    text = compile_policy(_asked(policy, serving=without_targets), target, table=name)
    if out is None:
        print_text(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{str(out)!r} cannot be written: {error.strerror}.") from error
    console.say(f"{out}: {target}, {len(text.splitlines()):,} lines")


def _asked(path: Path, *, serving: bool) -> Policy:
    policy = applicable(path)
    return policy.serving if serving else policy


@minimize.command()
@_policy
@_input
@click.option("--to", "target", type=_FILE, required=True, help="File to write: .csv, .jsonl or .parquet.")
@click.option("--engine", default="polars", show_default=True, help=f"One of {', '.join(ENGINES)}.")
@_serving
@options.as_json
def apply(policy: Path, source: Path, target: Path, engine: str, *, without_targets: bool, machine: bool) -> None:
    """Write what may be stored of INPUT. Exits with 3 if its columns or types are not the policy's."""
    done = apply_policy(_asked(policy, serving=without_targets), source, target, engine=engine)
    if machine:
        print_json({"file": str(done.target), "rows": done.rows, "columns": done.columns})
    else:
        console.say(f"{done.target}: {done.rows:,} records, columns {', '.join(done.columns)}")


@minimize.command()
@_policy
@_input
@click.option("--name", required=True, help="Dataset to publish to.")
@click.option("--smallest-group", "smallest", default=1, show_default=True, help="Fewest records that may be alike.")
@click.option("--accept-finer", is_flag=True, help="Publish though the policy does not only coarsen the one before.")
@options.warehouse
@options.as_json
def publish(
    policy: Path, source: Path, name: str, smallest: int, root: Path, *, accept_finer: bool, machine: bool
) -> None:
    """Minimize INPUT and publish it as a version of a dataset; raw values reach no file of the warehouse.

    Exits with 4 if the gate finds a raw column, a value outside the policy's buckets, or a group that is too small.
    """
    job = Ingestion.of(policy, source, root, name, smallest)
    before = job.earlier(Warehouse.open(root))
    if before is not None:
        _refuse_finer(job, before, accepted=accept_finer, quiet=machine)
    progress_for(machine=machine).note("starting the embedded Prefect server ...")
    with prefect_server(root):
        from flows.minimize import minimize as flow

        told = flow(str(policy), str(source), name, str(root), smallest=smallest)
    if machine:
        print_json(told)
    else:
        _show_published(told)


def _refuse_finer(job: Ingestion, before: Policy, *, accepted: bool, quiet: bool) -> None:
    """Show what both releases tell together of clients already collected, and refuse unless that is accepted."""
    found = compare(before, job.policy)
    if found.coarsens:
        return
    if not quiet:
        show_joint(read_typed(job.source, job.policy), job.policy, before, trained=False)
    if not accepted:
        raise UsageError(
            f"the policy does not only coarsen that of {job.name!r}: {'; '.join(found.reasons)}.",
            hint="clients already collected would tell more (above, by counting): publish with --accept-finer, or to a "
            "dataset of another name.",
        )


def _show_published(told: dict[str, Any]) -> None:
    name = f"{told['dataset']}@{told['version']}"
    if told["unchanged"]:
        console.print(f"[bold]{name}[/] already holds exactly these {told['rows']:,} records; nothing changed.")
        return
    console.print(f"Published [bold]{name}[/]: {told['rows']:,} records. {told['audit']}", soft_wrap=True)
    console.say(f"policy   {told['policy']}, sha256 {told['policy_sha256']}")
    groups = told["groups_of_that_size"]
    such = f"{groups:,} such group{'s' if groups != 1 else ''}"
    console.print(f"smallest group: {told['smallest_group']:,} records ({such})")


minimize.add_command(fit)
minimize.add_command(audit)
minimize.add_command(sample_size)

COMMANDS = (minimize,)
