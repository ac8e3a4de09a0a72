"""Layouts by kind: the house's own, and those that installed plug-ins bring.

A plug-in is a function ``(row, source) -> Draft`` under the entry point group ``sluice.sources``; it raises `Reject`
for a row that cannot become a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from curation.sources.drafts import Draft
from curation.sources.layouts import answers, functions, programs, rllm, tables
from schemas.errors import UsageError, did_you_mean
from schemas.recipe.sources import Source

__all__ = ["GROUP", "Layout", "kinds", "layout"]

Layout = Callable[[Mapping[str, Any], Source], Draft]

GROUP = "sluice.sources"

_OWN: dict[str, Layout] = {
    "apps": programs.apps,
    "code_contests": programs.code_contests,
    "gsm8k": answers.gsm8k,
    "humaneval": functions.humaneval,
    "leetcode": functions.leetcode,
    "livecodebench": programs.livecodebench,
    "math": answers.math,
    "mbpp": functions.mbpp,
    "rllm": rllm.rllm,
    "table": tables.table,
    "taco": programs.taco,
    "verl": tables.verl,
}


def kinds() -> list[str]:
    """Return the names of all layouts that can be used here."""
    return sorted({*_OWN, *(point.name for point in entry_points(group=GROUP))})


def layout(kind: str) -> Layout:
    """Return the layout called ``kind``; a plug-in cannot take the name of the house's own.

    Raises
    ------
    UsageError
        If there is none; the nearest known name is suggested.
    """
    if kind in _OWN:
        return _OWN[kind]
    for point in entry_points(group=GROUP, name=kind):
        return point.load()
    raise UsageError(
        f"no source kind is called {kind!r}; known are {', '.join(kinds())}.",
        hint=did_you_mean(kind, kinds()),
    )
