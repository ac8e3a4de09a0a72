"""The page of a lake: self-contained, without scripts, every value escaped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dedup.retention.options import Reason
from dedup.retention.report.graph import HEIGHT, WIDTH, drawings
from schemas.errors import WarehouseError

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
    path = root / "reports" / told["lake"] / "lake.html"
    staging = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging.write_text(render(told, frames), encoding="utf-8", errors="backslashreplace")
        staging.replace(path)
    except OSError as error:
        raise WarehouseError(
            f"the report {path} cannot be written: {error}.",
            hint="check free space and permissions; what was published stays published.",
        ) from error
    return path


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
    from jinja2 import DictLoader, Environment, StrictUndefined

    sources = {
        "report.css": files("warehouse.report").joinpath("report.css").read_text(encoding="utf-8"),
        "lake.css": files("dedup.retention.report").joinpath("lake.css").read_text(encoding="utf-8"),
        "lake.html": files("dedup.retention.report").joinpath("lake.html").read_text(encoding="utf-8"),
    }
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": "{:,}".format, "size": _size, "money": _money, "share": "{:.1%}".format}
    return environment.get_template("lake.html")


def _size(value: float) -> str:
    """Return bytes in the unit that suits them."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000 or unit == "GB":  # noqa: PLR2004 - decimal units
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1000
    raise AssertionError


def _money(value: float) -> str:
    return f"{value:,.2f}" if value >= 1 else f"{value:.3g}"
