"""Paths in recipes: relative to the recipe, with settings of the machine by name."""

from __future__ import annotations

import os
import re
from pathlib import Path

from schemas.errors import InputError

__all__ = ["located"]

_SETTING = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def located(path: str, folder: Path) -> Path:
    """Return where a recipe's path leads on this machine; the recipe itself keeps the name of the setting.

    Parameters
    ----------
    path
        Path that may hold ``${NAME}`` of environment variables.
    folder
        Folder of the recipe: where relative paths begin.

    Raises
    ------
    InputError
        If a variable is not set.

    Examples
    --------
    >>> str(located("data/a.jsonl", Path("recipes")))
    'recipes/data/a.jsonl'
    """

    def value(match: re.Match[str]) -> str:
        if found := os.environ.get(match[1]):
            return str(Path(found).absolute())
        raise InputError(
            f"the path {path!r} names the setting {match[1]}, which is not set.",
            hint=f"export {match[1]}=FOLDER, or write the path itself.",
        )

    return folder / _SETTING.sub(value, path)
