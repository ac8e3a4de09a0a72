"""A small recipe with sources of its own, for builds that are killed, crowded or fed nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["answer", "recipe", "rows", "source", "write"]

_COLUMNS = ("id", "prompt", "answer", "reference_solutions", "wrong_solutions", "license")
_THINGS = ("apples", "books", "candles", "doors", "eggs", "flags", "gates", "hats", "inks", "jars", "kites", "lamps")


def answer(number: int, **changes: Any) -> dict[str, Any]:
    """Return a row with a mathematical problem of its own wording for each number."""
    thing, other = _THINGS[number % 12], _THINGS[(number * 5 + 3) % 12]
    total = 17 * number + 6
    return {
        "id": f"p{number}",
        "prompt": f"A shop number {number} sells {17 * number} {thing} on Monday and six {other} on Friday. "
        f"How many {thing} and {other} leave shop {number} in that week altogether?",
        "answer": str(total),
        "reference_solutions": [f"{17 * number} and 6 make {total}. \\boxed{{{total}}}"],
        "wrong_solutions": [f"\\boxed{{{total + 1}}}"],
        "license": "Apache-2.0",
        **changes,
    }


def function(number: int, **changes: Any) -> dict[str, Any]:
    """Return a row with a function to write."""
    program = f"def scale(value):\n    if value < {number}:\n        return 0\n    return value * {number + 2} - 1\n"
    return {
        "id": f"f{number}",
        "prompt": f"Write scale(value): nothing below {number}, else the value times {number + 2} less one.",
        "entry_point": "scale",
        "tests": [
            {"args": [value], "expected": 0 if value < number else value * (number + 2) - 1}
            for value in range(number + 4)
        ],
        "reference_solutions": [program],
        "wrong_solutions": ["def scale(value):\n    return 7\n"],
        "license": "Apache-2.0",
        **changes,
    }


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def source(path: Path, **changes: Any) -> dict[str, Any]:
    """Return the section of a source of answers."""
    columns = {name: name for name in _COLUMNS}
    return {"name": path.stem, "kind": "table", "verifier": "math", "path": str(path), "columns": columns, **changes}


def functions(path: Path) -> dict[str, Any]:
    """Return the section of a source of functions."""
    columns = {name: name for name in (*_COLUMNS, "tests", "entry_point") if name != "answer"}
    return source(path, verifier="calls", columns=columns)


def rows(answers: Iterable[int]) -> list[dict[str, Any]]:
    """Return a row for each number."""
    return [answer(number) for number in answers]


def recipe(folder: Path, *, name: str = "small", answers: Iterable[int] = range(8), **sections: Any) -> Path:
    """Write a recipe and its sources to ``folder``: answers, four functions, mutants as the policy, a tiny budget.

    Parameters
    ----------
    sections
        Sections in place of, or besides, those of the small recipe.
    """
    asked = {
        "name": name,
        "sources": sections["sources"]
        if "sources" in sections
        else [
            source(write(folder / "answers.jsonl", rows(answers))),
            functions(write(folder / "functions.jsonl", [function(number) for number in range(4)])),
        ],
        "verify": {"time_limit_s": 1, "memory_mb": 256, "workers": 1},
        "gold": {"mutants": 2},
        "rollouts": {
            "policies": [{"backend": "mutants", "temperature": 4.0}],
            "escalation": {"levels": [4]},
        },
        "curricula": {"plain": [{"name": "easy_to_hard"}]},
        "publish": {"exports": ["verl-rl"]},
        **sections,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(asked), encoding="utf-8")
    return path
