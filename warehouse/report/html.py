"""A build's summary as one self-contained HTML file: no script, no outside reference, every value escaped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.report.charts import band
from warehouse.report.pages import environment, write_page, writing
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
        The HTML file, named by the version or, where this run published none, by the run.

    Raises
    ------
    WarehouseError
        If it cannot be written.
    """
    path = report_path(root, summary.dataset, summary.page)
    if summary.audit:
        with writing(path):
            summary.audit.save(path.with_suffix(".json"))
    return write_page(path, render(summary))


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
    filters = {"count": _count, "figure": _figure, "seconds": _seconds, "moment": _moment}
    return environment("warehouse.report", **filters).get_template("report.html")


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
        bands.append({"stage": stage, "parts": band(parts, widest)})
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
