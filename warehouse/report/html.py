"""A build's summary as one self-contained HTML file: no script, no outside reference, every value escaped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import WarehouseError
from warehouse.report.summary import BuildSummary, Example, StageSummary

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["render", "report_path", "write"]

_MINUTE = 60
_LARGE = 10_000


def report_path(root: Path, dataset: str, name: str) -> Path:
    """Return where the report of a version (or of a run that published none) lies: ``reports/DATASET/NAME.html``."""
    return root / "reports" / dataset / f"{name}.html"


def write(root: Path, summary: BuildSummary) -> Path:
    """Write a build's report, and beside it what the gate found as JSON.

    Parameters
    ----------
    root
        Folder of the warehouse.

    Returns
    -------
    Path
        The HTML file, named by the version or, where none was published, by the run.

    Raises
    ------
    WarehouseError
        If it cannot be written.
    """
    path = report_path(root, summary.dataset, summary.version or summary.run_id)
    staging = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if summary.audit:
            summary.audit.save(path.with_suffix(".json"))
        staging.write_text(render(summary), encoding="utf-8", errors="backslashreplace")
        staging.replace(path)
    except OSError as error:
        raise WarehouseError(
            f"the report {path} cannot be written: {error}.",
            hint="check free space and permissions; what was published stays published.",
        ) from error
    return path


def render(summary: BuildSummary) -> str:
    """Return a build's report as HTML.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> page = render(BuildSummary("prompts", "run_1", "failed", datetime(2026, 1, 1, tzinfo=UTC)))
    >>> page.startswith("<!doctype html>")
    True
    """
    return _template().render(
        s=summary,
        costs=_cost_names(summary.stages),
        bands=_bands(summary.stages),
        groups=_groups(summary.examples),
    )


@cache
def _template() -> Template:
    from jinja2 import DictLoader, Environment, StrictUndefined

    folder = files("warehouse.report")
    sources = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.html", "report.css")}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "figure": _figure, "seconds": _seconds, "moment": _moment}
    return environment.get_template("report.html")


def _cost_names(stages: Sequence[StageSummary]) -> list[str]:
    """Return the names of the figures that stages cost besides time."""
    return sorted({name for stage in stages for name in stage.cost} - {"seconds"})


def _bands(stages: Sequence[StageSummary]) -> list[dict[str, Any]]:
    """Return per stage the parts of its funnel bar, as percentages of the widest stage."""
    widest = max((stage.given for stage in stages), default=0) or 1
    bands = []
    for stage in stages:
        parts = (("kept", stage.kept), ("dropped", sum(stage.dropped.values())), ("failed", stage.failed),
                 ("rejected", stage.rejected))  # fmt: skip
        start, drawn = 0.0, []
        for kind, rows in parts:
            width = 100 * rows / widest
            drawn += [{"kind": kind, "rows": rows, "start": round(start, 3), "width": round(width, 3)}] if rows else []
            start += width
        bands.append({"stage": stage, "parts": drawn})
    return bands


def _groups(examples: Sequence[Example]) -> list[tuple[str, str, list[Example]]]:
    """Return the examples by stage and reason, in the order they come."""
    grouped: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        grouped.setdefault((example.stage, example.reason), []).append(example)
    return [(stage, reason, found) for (stage, reason), found in grouped.items()]


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= _LARGE else f"{value:.4g}"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f} s" if value < _MINUTE else f"{int(value // _MINUTE)} min {int(value % _MINUTE)} s"


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else ""
