"""Commands that learn a policy: minimize fit, minimize sample-size."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click
import polars as pl

from flows.cli import options
from flows.console import console, next_steps, print_json, progress_for, table, words
from flows.learning import asked, sample
from privacy.minimize.learn import Swept, enough, sweep
from privacy.minimize.learn import fit as fit_once
from privacy.minimize.policy import Policy
from schemas.errors import InputError, UsageError
from schemas.minimize import SampleSize, Sweep

__all__ = ["fit", "sample_size"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_KEYS = (
    click.option("--target", "targets", multiple=True, help="Column that the data must still predict; repeatable."),
    click.option("--personal", multiple=True, help="Attribute to be hard to infer (default: no number, date or id)."),
    click.option("--client", help="Column that says whose row it is."),
    click.option("--passthrough", multiple=True, help="Column stored as it comes, not learned from; repeatable."),
    click.option("--drop", "never", multiple=True, help="Attribute of which nothing may be stored; repeatable."),
    click.option("--weight", help="Column of row weights."),
    click.option("--id", help="Name of the policy."),
    click.option("--purpose", help="What the data are for, in a sentence."),
    click.option("--legal-basis", help="Why they may be processed."),
    click.option("--smallest-group", type=int, help="Fewest clients that may share what is stored."),
    click.option("--seed", type=int, help="Seed of all random choices."),
)
_CHOSEN = ("release", "leaves", "alpha", "error", "risk", "worst", "worst_risk", "buckets", "cells", "smallest")
_FIGURES = ("leaves", "alpha", "error", "risk", "worst_risk", "buckets", "cells", "smallest")


def _keys(command: Callable[..., None]) -> Callable[..., None]:
    return reduce(lambda made, option: option(made), reversed(_KEYS), command)


@click.command()
@click.argument("source", metavar="INPUT", type=_FILE)
@click.option("--out", type=_FILE, required=True, help="File of the policy.")
@click.option("--config", type=_FILE, help="YAML file with these and further keys; `sluice schema fit` lists them.")
@_keys
@click.option("--missing", multiple=True, default=("",), help="Text for a missing value in CSV files (default: none).")
@click.option("--tolerance", type=float, help="Error above that of raw data which is allowed (default 0.01).")
@click.option("--standard-errors", type=float, help="Standard errors that the tolerance is at least (default 1).")
@click.option("--alpha", type=float, help="Learn this one policy, without a sweep; with --leaves.")
@click.option("--leaves", type=int, help="Budget of leaves of the one policy.")
@click.option("--release", type=click.Choice(["attribute", "cell"]), help="Only this form of release.")
@click.option("--table", "listed", type=_FILE, help="CSV file to write with every policy that was tried.")
@click.option("--plot", "drawn", type=_FILE, help="SVG file to write with error against risk.")
@options.as_json
def fit(  # noqa: PLR0917 - options
    source: Path,
    out: Path,
    config: Path | None,
    missing: tuple[str, ...],
    tolerance: float | None,
    standard_errors: float | None,
    alpha: float | None,
    leaves: int | None,
    release: str | None,
    listed: Path | None,
    drawn: Path | None,
    *,
    machine: bool,
    **keys: Any,
) -> None:
    """Learn a policy from INPUT: a small consented sample of records at full resolution.

    Policies of many sizes are learned. The pick has the least risk among those whose error is within the tolerance of
    the raw data's, or cannot be told from it, on records that none of them saw; --alpha, --leaves and --release choose
    another. The figures are of further records that did not decide the pick. Risks are empirical: a stronger attacker
    may exist.
    """
    sweeping = {"tolerance": tolerance, "standard_errors": standard_errors, "releases": (release,) if release else None}
    once = {"alpha": alpha, "max_leaf_nodes": leaves, "release": release}
    if (alpha is None) != (leaves is None):
        raise UsageError(
            "--alpha and --leaves choose one policy together; received one of them.",
            hint="give both; or neither, and policies of many sizes are learned.",
        )
    wanted = asked(config, keys | (once if alpha is not None and leaves is not None else {}), sweeping)
    frame = sample(source, wanted.fit, missing)
    if alpha is not None and leaves is not None:
        policy, swept = fit_once(frame, wanted.fit), None
    else:
        swept = sweep(frame, wanted, progress_for(machine=machine))
        policy = swept.policy
    policy = policy.model_copy(update={"missing": missing})
    policy.save(out)
    if swept is not None:
        _write(listed, swept.table.rename({"smallest": "smallest_group"}).write_csv())
        _write(drawn, swept.draw())
    _tell(policy, out, swept, wanted, machine=machine)


def _write(path: Path | None, text: str) -> None:
    if path is None:
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}.") from error


@click.command("sample-size")
@click.argument("source", metavar="INPUT", type=_FILE)
@click.option("--config", type=_FILE, help="YAML file, as for `fit`.")
@_keys
@click.option("--missing", multiple=True, default=("",), help="Text for a missing value in CSV files (default: none).")
@click.option("--alpha", type=float, help="Exchange rate of the search that is repeated.")
@click.option("--leaves", "max_leaf_nodes", type=int, help="Its budget of leaves.")
@click.option("--out", type=_FILE, help="File for the policy of the last share.")
@options.as_json
def sample_size(
    source: Path, config: Path | None, missing: tuple[str, ...], out: Path | None, *, machine: bool, **keys: Any
) -> None:
    """Tell how much of INPUT is enough: grow the sample until the policy stays as it is."""
    wanted = asked(config, keys, {})
    found = enough(sample(source, wanted.fit, missing), SampleSize(fit=wanted.fit))
    if out is not None:
        found.policy.model_copy(update={"missing": missing}).save(out)
    steps = [{"share": step.share, "rows": step.rows, "similarity": step.similarity} for step in found.steps]
    if machine:
        print_json({"settled": found.settled, "steps": steps})
        return
    table("", ("share", "rows", "similarity"), (one.values() for one in steps), right=("share", "rows", "similarity"))
    last = found.steps[-1]
    if found.settled:
        console.print(f"Enough: {last.rows:,} rows; the policy is like that of the share before.")
    else:
        console.print(f"Not enough: with all {last.rows:,} rows the policy still changes.")


def _tell(policy: Policy, out: Path, swept: Swept | None, wanted: Sweep, *, machine: bool) -> None:
    front = pl.DataFrame() if swept is None else swept.table.filter(pl.col("front") | pl.col("picked")).sort("risk")
    if machine:
        told: dict[str, Any] = {"policy": str(out), "sha256": policy.digest, "front": front.to_dicts()}
        if swept is not None:
            told |= {"rule": swept.rule, "raw_error": swept.raw_error, "base_risk": swept.base_risk}
        print_json(told)
        return
    if swept is not None:
        rows = (("→" if one["picked"] else "", *(_shown(one[name]) for name in _CHOSEN)) for one in front.to_dicts())
        console.print("[bold]Policies that no other of their release beats[/]")
        table("", ("", *map(words, _CHOSEN)), rows, right=list(map(words, _FIGURES)))
        console.say(
            f"Error of {', '.join(wanted.fit.targets)}: raw data {swept.raw_error:.4f}, guessing"
            f" {swept.majority_error:.4f}. Risk (personal attributes guessed right) without any data:"
            f" {swept.base_risk:.4f}."
        )
        if swept.majority_error - swept.raw_error <= wanted.tolerance:
            console.say(
                "Guessing is within the tolerance of the raw data, so that this error tells policies hardly apart. If a"
                " class is rare, let its rows weigh more (--weight)."
            )
        console.say("All these figures are of test rows that neither the search nor the pick saw.")
        console.say(f"Picked: {swept.rule}.")
    if alone := policy.fit.identifying:
        console.say(f"Nothing is learned from or stored of {', '.join(alone)}: most people have a value to themselves.")
    console.say(f"{out}: policy {policy.id}, sha256 {policy.digest}")
    next_steps(("minimize", "show", out))


def _shown(value: Any) -> Any:
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
