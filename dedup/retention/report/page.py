"""The page of a lake: self-contained, without scripts, every value escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dedup.retention.planning.options import Reason
from dedup.retention.report.graph import HEIGHT, WIDTH, drawings
from warehouse.figures import beside, money, share, size
from warehouse.report.pages import environment, write_page

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["render", "write"]

_MOST_DRAWINGS = 24
_LISTED = 50


def write(root: Path, told: Mapping[str, Any], frames: Mapping[str, pl.DataFrame]) -> Path:
    """Write the page of a lake to ``reports/LAKE/lake.html`` in the warehouse, replacing an older one in one step.

    Parameters
    ----------
    told
        The lake in figures, as `flows.lake_steps.summary` gives them.
    frames
        ``containment``, ``near``, ``rejections`` and ``columns``, by their contracts.

    Raises
    ------
    WarehouseError
        If it cannot be written.
    """
    return write_page(root / "reports" / told["lake"] / "lake.html", render(told, frames))


def render(told: Mapping[str, Any], frames: Mapping[str, pl.DataFrame]) -> str:
    """Return the page of a lake as HTML."""
    plan = told.get("plan")
    gone = [one["table"] for one in plan["deletions"]] if plan else []
    parts = drawings(frames["containment"], gone)
    near = frames["near"].sort("fraction", "child", descending=[True, False])
    return _template().render(
        t=told,
        plan=plan,
        stages=_funnel(told["stages"]),
        parts=parts[:_MOST_DRAWINGS],
        parts_left=len(parts) - _MOST_DRAWINGS,
        deletions=sorted(plan["deletions"], key=lambda one: -one["bytes"])[:_LISTED] if plan else [],
        near=near.head(_LISTED).to_dicts(),
        rejections=frames["rejections"].sort("reason", "path").head(_LISTED).to_dicts(),
        columns=frames["columns"].sort("overlap", descending=True).head(_LISTED).to_dicts(),
        totals={name: frame.height for name, frame in frames.items()},
        box={"width": WIDTH, "height": HEIGHT},
        meanings={reason.value: reason.meaning for reason in Reason},
    )


def _funnel(stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the stages with the share of pairs, on a logarithmic scale, that each let pass."""
    most = max((len(str(stage["edges_in"])) for stage in stages), default=1)
    return [
        {
            **stage,
            "pruned": json.loads(stage["pruned"]),
            "given": round(100 * len(str(stage["edges_in"])) / most, 1) if stage["edges_in"] else 0,
            "passed": round(100 * len(str(stage["edges_out"])) / most, 1) if stage["edges_out"] else 0,
        }
        for stage in stages
    ]


@cache
def _template() -> Template:
    filters = {"count": "{:,}".format, "size": size, "money": money, "share": share, "beside": beside}
    return environment("dedup.retention.report", **filters).get_template("lake.html")
