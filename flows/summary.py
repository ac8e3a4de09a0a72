"""What a build tells a person when it is done, as data and as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from curation.decontaminate.stage import DECONTAMINATE
from curation.decontaminate.summary import removed_by_rule
from curation.filters import FILTERS, report
from curation.measure.pass_rates import PASS_RATES
from flows.build import Build
from flows.console import bars, console, next_steps, short_path, table
from flows.hand_off import HandedOff
from flows.phases import phases, show_phases
from flows.steps import CONTROL
from warehouse.house import Warehouse
from warehouse.publish import Published
from warehouse.release.write import Release
from warehouse.stages import StageRun, Workspace

__all__ = ["show_build", "summary", "taken_out"]

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
        "stages": [_stage(name, run, warehouse.workspace) for name, run in build.done.items()],
        "pass_rates": _histogram(build, warehouse.workspace),
        "dropped_example": _dropped_example(build, warehouse.workspace),
        "rules": {name: rules for name, rules in _rules(build, warehouse.workspace) if rules},
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


def _stage(name: str, run: StageRun, workspace: Workspace) -> dict[str, Any]:
    """Return what became of a stage's rows, and of the rows of files that were no problems."""
    told = {"stage": name, **run.counts, "seconds": run.seconds, "cached": run.cached}
    if run.counts.get("rejected"):
        reasons = workspace.scan(run.tables["rejections"]).group_by("reason").len().sort("reason").collect()
        told["rejections"] = dict(reasons.iter_rows())
    return told


def _dropped_example(build: Build, workspace: Workspace) -> str | None:
    """Return a record that some stage took out, for `sluice why`."""
    for run in build.done.values():
        if run.tables["dropped"].rows:
            return workspace.scan(run.tables["dropped"]).select(pl.first()).head(1).collect().item()
    return None


def _rules(build: Build, workspace: Workspace) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield what each filter and each rule of decontamination removes, alone or beside others, or would remove."""
    if run := build.done.get(FILTERS.name):
        yield FILTERS.name, report(workspace.scan(run.tables["decisions"])).to_dicts()
    if run := build.done.get(DECONTAMINATE.name):
        found = removed_by_rule(workspace.scan(run.tables["hits"])).drop("benchmarks")
        yield DECONTAMINATE.name, found.to_dicts()


def _histogram(build: Build, workspace: Workspace) -> list[int]:
    """Count the problems that a build measured by pass rate in ten bins, the last one closed."""
    if (run := build.done.get(PASS_RATES.name)) is None:
        return [0] * _BINS
    measured = workspace.scan(run.tables["pass_rates"]).group_by("problem_id").agg(pl.col("n", "c").sum())
    bins = (pl.col("c") * _BINS // pl.col("n")).clip(0, _BINS - 1).alias("bin")
    counted = dict(measured.filter(pl.col("n") > 0).group_by(bins).len().collect(engine="streaming").iter_rows())
    return [counted.get(one, 0) for one in range(_BINS)]


def show_build(told: Mapping[str, Any]) -> None:
    """Print a build's summary."""
    funnel = (
        (s["stage"], s["in"], s["kept"], taken_out(s), "cached" if s["cached"] else f"{s['seconds']:.1f}")
        for s in told["stages"]
    )
    table("What happened", ("stage", "in", "kept", "taken out", "seconds"), funnel, right=("in", "kept", "seconds"))
    if any(told["pass_rates"]):
        labels = [f"{one / _BINS:.1f}-{(one + 1) / _BINS:.1f}" for one in range(_BINS)]
        bars("Problems by pass rate", dict(zip(labels, told["pass_rates"], strict=True)))
    for name, rules in told["rules"].items():
        columns = tuple(rules[0])
        console.print()
        table(f"Rules of {name}", columns, ([rule[c] for c in columns] for rule in rules), right=columns[1:])
    if "version" in told:
        _show_version(told)
    next_steps(*_commands(told))


def taken_out(stage: Mapping[str, Any]) -> str:
    """Say how many rows a stage took out, by reason."""
    gone = [f"{count:,} {reason}" for reason, count in {**stage["dropped"], **stage.get("rejections", {})}.items()]
    return ", ".join([*gone, f"{stage['failed']:,} failed"] if stage["failed"] else gone)


def _show_version(told: Mapping[str, Any]) -> None:
    show_phases(told["phases"])
    name = f"{told['dataset']}@{told['version']}"
    if told["unchanged"]:
        console.print(f"\n[bold]{name}[/] already holds exactly these {told['rows']:,} rows; nothing changed.")
    else:
        console.print(f"\nPublished [bold]{name}[/]: {told['rows']:,} rows. {told['audit']}")
    if told["control"]:
        console.print(f"control  {told['control']}: as many problems, drawn at random")
    if "release" in told:
        console.say(f"release  {short_path(told['release'])}")
    for export in told["exports"]:
        console.say(f"export   {export['refused'] or short_path(export['folder'])}")
    if told.get("report"):
        console.say(f"report   {short_path(told['report'])}")


def _commands(told: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    where = ("-w", told["warehouse"])
    if "version" not in told:
        yield ("publish", told["recipe"], *where)
        return
    yield ("show", told["dataset"], *where)
    funnel = f"SELECT stage, outcome, reason, rows FROM funnel WHERE run_id = '{told['run_id']}'"  # noqa: S608 - our id
    yield ("sql", funnel, *where)
    if told.get("dropped_example"):
        yield ("why", told["dropped_example"], *where)
    yield ("export", told["dataset"], "--to", "verl-rl", *where)
