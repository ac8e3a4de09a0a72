"""Reading a recipe file: every fault with its file, line and key, all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from schemas.errors import InputError, RecipeError
from schemas.recipe.base import UNKNOWN_KEY, Section
from schemas.recipe.recipe import Checkpoint, Recipe
from schemas.recipe.yaml_text import read_yaml

__all__ = ["load_checkpoint", "load_recipe", "load_section", "parse_recipe", "parse_section"]

S = TypeVar("S", bound=Section)

_HINT = "`sluice schema recipe` prints every key with its meaning."


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    InputError
        If the file cannot be read.
    RecipeError
        If it is not valid; all faults are listed, each as ``file:line: key: what is wrong``.
    """
    return load_section(path, Recipe)


def load_section(path: Path, model: type[S], **reading: Any) -> S:
    """Read and check a file that holds one section; ``reading`` is passed on to `parse_section`.

    Raises
    ------
    InputError, RecipeError
        As `load_recipe`.
    """
    what = reading.get("what", "recipe")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{what} {str(path)!r} cannot be read: {error.strerror}.",
            hint=f"name the file of a {what}, as seen from the folder that you are in.",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {str(path)!r} is not UTF-8 text: {error.reason} at byte {error.start}.") from error
    return parse_section(text, str(path), model, **reading)


def load_checkpoint(recipe: Recipe, path: Path) -> Recipe:
    """Return a recipe with its ``rollouts`` replaced by those of a file that holds this one section.

    Raises
    ------
    InputError, RecipeError
        As `load_recipe`.
    """
    found = load_section(path, Checkpoint, what="checkpoint")
    return recipe.model_copy(update={"rollouts": found.rollouts})


def parse_recipe(text: str, name: str = "recipe") -> Recipe:
    """Check the text of a recipe; ``name`` stands in error messages."""
    return parse_section(text, name, Recipe)


def parse_section(  # noqa: PLR0913 - what a file is called, how it reads
    text: str,
    name: str,
    model: type[S],
    *,
    what: str = "recipe",
    hint: str = _HINT,
    loader: type[yaml.SafeLoader] = yaml.SafeLoader,
) -> S:
    """Check the text of a file that holds one section.

    Parameters
    ----------
    name
        Stands in error messages before the line.
    what, hint
        What the file is called, and how its keys are found out.
    loader
        Reads the YAML; a subclass may keep numbers as they are written.

    Raises
    ------
    RecipeError
        If it is not valid; all faults are listed.
    """
    root, data = read_yaml(text, name, loader)
    if not isinstance(data, dict):
        found = "nothing" if data is None else "a list" if isinstance(data, list) else "one value"
        raise RecipeError([f"{name}:1: a {what} is a mapping of keys, and here is {found}."], hint=hint)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise RecipeError(_faults(error, root, name), hint=hint) from error


def _faults(error: ValidationError, root: yaml.Node, name: str) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        place: Sequence[Any] = fault["loc"]
        if fault["type"] == UNKNOWN_KEY:
            place = (*place, fault["ctx"]["name"])
        keys, line = _locate(root, place)
        given = "" if fault["type"] in (UNKNOWN_KEY, "missing") else f" (got {_short(fault['input'])})"
        yield f"{name}:{line}: {'.'.join(keys)}: {fault['msg']}{given}"


def _locate(root: yaml.Node, place: Sequence[Any]) -> tuple[list[str], int]:
    """Follow a validation error's place through the YAML nodes; parts that are no key (union tags) are passed over."""
    node, line, keys = root, root.start_mark.line + 1, []
    for part in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            keys.append(str(part))
        elif isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                if part == place[-1]:
                    keys.append(str(part))
                continue
            node = found[1]
            line = found[0].start_mark.line + 1
            keys.append(str(part))
            continue
        line = node.start_mark.line + 1
    return keys, line


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
