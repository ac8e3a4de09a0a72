"""Graders that other packages bring, found by the entry point group ``sluice.graders``.

The entry point's name is the verifier kind it judges. It refers to a function
``grade(spec: dict, test: dict, answer: str) -> bool``, which is imported before the sandbox closes and called inside.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points

__all__ = ["graders"]


@lru_cache(maxsize=1)
def graders() -> dict[str, str]:
    """Return the installed graders: ``module:function`` by verifier kind."""
    return {entry.name: entry.value for entry in entry_points(group="sluice.graders")}
