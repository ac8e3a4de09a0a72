"""What a build tells a person when it is done, as data and as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from flows.build import Build
from flows.console import bars, console, table
from flows.hand_off import HandedOff, phases
from flows.steps import CONTROL
from warehouse.audits import AuditResult
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.release.write import Release

__all__ = ["show_audit", "show_build", "summary"]

_BINS = 10


def summary(
    build: Build,
    warehouse: Warehouse,
    published: Published | None = None,
    release: Release | None = None,
    exports: Sequence[HandedOff] = (),
) -> dict[str, Any]:
    """Return what became of a build as a JSON object."""
    told: dict[str, Any] = {
        "run_id": build.run_id,
        "dataset": build.recipe.name,
        "stages": [
            {"stage": name, **run.counts, "seconds": run.seconds, "cached": run.cached}
            for name, run in build.done.items()
        ],
        "pass_rates": _histogram(warehouse.workspace.scan(build.rows)),
    }
    if published is not None:
        told["version"] = published.version.version
        told["unchanged"] = published.unchanged
        told["bump"] = str(published.version.bump)
        told["rows"] = published.version.rows
        told["audit"] = published.audit.summary if published.audit else None
        told["phases"] = phases(warehouse, published.version)
        told["control"] = f"{build.recipe.name}_{CONTROL}" if CONTROL in build.done else None
    if release is not None:
        told["release"] = str(release.folder)
    told["exports"] = [{"target": e.target, "folder": str(e.folder), "refused": e.refused} for e in exports]
    return told


def _histogram(rows: pl.LazyFrame) -> list[int]:
    """Count problems by pass rate in ten bins, the last one closed."""
    measured = rows.filter(pl.col("n") > 0).select("problem_id", "n", "c").unique("problem_id")
    bins = (pl.col("c") * _BINS // pl.col("n")).clip(0, _BINS - 1).alias("bin")
    counted = dict(measured.group_by(bins).len().collect(engine="streaming").iter_rows())
    return [counted.get(one, 0) for one in range(_BINS)]


def show_build(told: Mapping[str, Any]) -> None:
    """Print a build's summary."""
    funnel = (
        (s["stage"], s["in"], s["kept"], _reasons(s), "cached" if s["cached"] else f"{s['seconds']:.1f}")
        for s in told["stages"]
    )
    table("What happened", ("stage", "in", "kept", "taken out", "seconds"), funnel, right=("in", "kept", "seconds"))
    if any(told["pass_rates"]):
        labels = [f"{one / _BINS:.1f}-{(one + 1) / _BINS:.1f}" for one in range(_BINS)]
        bars("Problems by pass rate", dict(zip(labels, told["pass_rates"], strict=True)))
    if "version" in told:
        _show_version(told)
    _show_next(told)


def _reasons(stage: Mapping[str, Any]) -> str:
    gone = [f"{count} {reason}" for reason, count in stage["dropped"].items()]
    gone += [f"{stage[state]} {state}" for state in ("failed", "rejected") if stage.get(state)]
    return ", ".join(gone)


def _show_version(told: Mapping[str, Any]) -> None:
    plan = (
        (p["curriculum"], p["phase"], p["rows"], p.get("rollouts_per_prompt"), p.get("steps")) for p in told["phases"]
    )
    table("Curricula", ("curriculum", "phase", "rows", "rollouts", "steps"), plan, right=("rows", "rollouts", "steps"))
    name = f"{told['dataset']}@{told['version']}"
    if told["unchanged"]:
        console.print(f"\n[bold]{name}[/] already holds exactly these {told['rows']:,} rows; nothing changed.")
    else:
        console.print(f"\nPublished [bold]{name}[/]: {told['rows']:,} rows. {told['audit']}")
    if told["control"]:
        console.print(f"control  {told['control']}: as many problems, drawn at random")
    if "release" in told:
        console.print(f"release  {told['release']}", soft_wrap=True)
    for export in told["exports"]:
        console.print(f"export   {export['refused'] or export['folder']}", markup=False, soft_wrap=True)
    if told.get("report"):
        console.print(f"report   {told['report']}", soft_wrap=True)


def _show_next(told: Mapping[str, Any]) -> None:
    console.print("\n[bold]Next[/]")
    for command in _commands(told):
        console.print(f"  {command}", markup=False, soft_wrap=True)


def _commands(told: Mapping[str, Any]) -> Iterator[str]:
    where = f" -w {told['warehouse']}"
    if "version" not in told:
        yield f"sluice publish {told['recipe']}{where}"
        return
    yield f"sluice show {told['dataset']}{where}"
    yield f"sluice sql 'FROM funnel'{where}"
    if told.get("dropped_example"):
        yield f"sluice why {told['dropped_example']}{where}"
    yield f"sluice export {told['dataset']} --to verl-rl{where}"


def show_audit(result: AuditResult) -> None:
    """Print every check of an audit, failures first."""
    table(result.summary, ("", "check", "expected", "observed"), result.rows_for_console())
