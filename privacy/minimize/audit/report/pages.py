"""An audit as pages: one HTML file without script or outside reference, one Markdown file, and JSON."""

from __future__ import annotations

import json
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from privacy.minimize.audit.report.view import View
from privacy.minimize.audit.result import AuditResult
from schemas.audit_tables import ATTACKS
from schemas.errors import WarehouseError

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
    return _pages(escape=True).get_template("report.html").render(_told(result), pareto=pareto)


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
    paths = {kind: folder / f"{name}.{kind}" for kind in texts}
    tables = {table: folder / f"{name}-{table}.parquet" for table in result.tables()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, text in texts.items():
            _arrive(paths[kind], text)
        for table, frame in result.tables().items():
            frame.write_parquet(tables[table])
    except OSError as error:
        raise WarehouseError(
            f"the report of the audit cannot be written to {str(folder)!r}: {error.strerror or error}.",
            hint="check free space and permissions.",
        ) from error
    return paths | tables


def _arrive(path: Path, text: str) -> None:
    staging = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    staging.write_text(text, encoding="utf-8", errors="backslashreplace")
    staging.replace(path)


def _told(result: AuditResult) -> dict[str, object]:
    return {"v": View(result), "r": result, "p": result.policy, "descriptions": ATTACKS}


@cache
def _pages(*, escape: bool) -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    ours, house = files("privacy.minimize.audit.report"), files("warehouse.report")
    sources = {
        name: folder.joinpath(name).read_text(encoding="utf-8")
        for folder, name in ((ours, "report.html"), (ours, "report.md.txt"), (ours, "audit.css"), (house, "report.css"))
    }
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=escape,  # noqa: S701 - Markdown has an escape of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "count": "{:,}".format,
        "whole": "{:,.0f}".format,
        "words": _words,
        "cell": _cell,
    }
    return environment


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
