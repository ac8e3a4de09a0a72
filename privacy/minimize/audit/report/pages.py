"""An audit as pages: one HTML file without script or outside reference, one Markdown file, and JSON."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from privacy.minimize.audit.report.view import View
from privacy.minimize.audit.result import AuditResult
from schemas.audit_tables import ATTACKS
from warehouse.report.pages import environment, write_page, writing

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["html", "markdown", "write"]

_SMALLEST = 0.0005
"""Share below which one digit would say that there is none."""
_NAMES = {
    "non_personal_knowledge": "non-personal knowledge",
    "leave_one_out": "leave-one-out",
    "multi_breach": "multi-breach",
}


def html(result: AuditResult, pareto: str | None = None) -> str:
    """Return an audit as an HTML page.

    Parameters
    ----------
    pareto
        Drawing of the alternatives, as an SVG element made by this library; it is not escaped.
    """
    return _pages(escape=True).get_template("audit.html").render(_told(result), pareto=pareto)


def markdown(result: AuditResult) -> str:
    """Return an audit as Markdown."""
    return _pages(escape=False).get_template("report.md.txt").render(_told(result))


def write(result: AuditResult, folder: Path, name: str = "audit", pareto: str | None = None) -> dict[str, Path]:
    """Write an audit as HTML, Markdown, JSON and one Parquet file per table of the warehouse.

    Parameters
    ----------
    folder
        Made where it is not there.
    name
        Name of the files.
    pareto
        As for `html`.

    Returns
    -------
    dict
        Paths by ``html``, ``md``, ``json`` and the names of the contracts.

    Raises
    ------
    WarehouseError
        If a file cannot be written.
    """
    texts = {
        "html": html(result, pareto),
        "md": markdown(result),
        "json": json.dumps(result.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    paths = {kind: write_page(folder / f"{name}.{kind}", text) for kind, text in texts.items()}
    for table, frame in result.tables().items():
        paths[table] = folder / f"{name}-{table}.parquet"
        with writing(paths[table]):
            frame.write_parquet(paths[table])
    return paths


def _told(result: AuditResult) -> dict[str, object]:
    return {"v": View(result), "r": result, "p": result.policy, "descriptions": ATTACKS}


@cache
def _pages(*, escape: bool) -> Environment:
    return environment(
        "privacy.minimize.audit.report",
        escape=escape,
        percent=_percent,
        count="{:,}".format,
        whole="{:,.0f}".format,
        words=_words,
        cell=_cell,
    )


def _percent(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.1 %" if 0 < value < _SMALLEST else f"{100 * value:.1f} %"


def _words(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " "))


def _cell(text: object) -> str:
    """Return text that stays in its cell of a Markdown table."""
    safe = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
    return " ".join(safe.splitlines())
