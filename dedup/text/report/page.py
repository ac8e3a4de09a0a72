"""The page of a table's repetitions: self-contained, without scripts, every value escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dedup.text.report.view import View
from warehouse.figures import share
from warehouse.report.html import report_path
from warehouse.report.pages import environment, write_page

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["render", "write"]


def write(root: Path, told: Mapping[str, Any], view: View) -> Path:
    """Write the page of removals to ``reports/NAME/PAGE.html``, replacing an older one in one step.

    Parameters
    ----------
    root
        Folder of the warehouse.
    told
        The result in figures, as `flows.text_duplicates.summary` gives them.

    Raises
    ------
    WarehouseError
        If it cannot be written.
    """
    name = told["dataset"].partition("@")[0]
    return write_page(report_path(root, name, told["page"]), render(told, view, str(root)))


def render(told: Mapping[str, Any], view: View, warehouse: str) -> str:
    """Return the page of a table's repetitions as HTML."""
    return _template().render(t=told, v=view, name=told["dataset"].partition("@")[0], warehouse=warehouse)


@cache
def _template() -> Template:
    filters = {"count": "{:,}".format, "similar": "{:.3f}".format, "share": share}
    return environment("dedup.text.report", **filters).get_template("text.html")
