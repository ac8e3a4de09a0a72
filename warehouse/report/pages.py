"""Pages as the reports share them: one template environment, one style, one way to the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.errors import WarehouseError

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["environment", "write_page", "writing"]

_HOUSE = "warehouse.report"


def environment(package: str, *, escape: bool = True, **filters: Callable[..., Any]) -> Environment:
    """Return what renders the templates of a package: every value escaped, an unknown name an error.

    Its templates may include files beside them, and those of the house: ``report.css`` and ``charts.html``.

    Parameters
    ----------
    package
        Import name of the package that holds the templates.
    escape
        False for templates that are not HTML, and escape by filters of their own.
    filters
        Functions by the names that the templates call them by.

    Examples
    --------
    >>> page = environment("warehouse.report").from_string("<p>{{ text }}</p>")
    >>> page.render(text="1 < 2")
    '<p>1 &lt; 2</p>'
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(lambda name: _source(package, name)),
        autoescape=escape,  # noqa: S701 - SQL and Markdown are no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= filters
    return made


@cache
def _source(package: str, name: str) -> str | None:
    for place in (package, _HOUSE):
        file = files(place).joinpath(name)
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what keeps a file of a report from being written into a `WarehouseError` that names it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise WarehouseError(
            f"the report {path} cannot be written: {error}.",
            hint="check free space and permissions; what was published stays published.",
        ) from error


def write_page(path: Path, page: str) -> Path:
    """Write a page, replacing an older one in one step, and return its path.

    Raises
    ------
    WarehouseError
        If it cannot be written.
    """
    staging = path.with_suffix(f".{os.getpid()}.tmp")
    with writing(path):
        staging.write_text(page, encoding="utf-8", errors="backslashreplace")
        staging.replace(path)
    return path
