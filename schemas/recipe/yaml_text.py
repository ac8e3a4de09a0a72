"""YAML that anybody may have written: one small plain tree, or an error with its line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import yaml

from schemas.errors import RecipeError

__all__ = ["read_yaml"]

_MOST_VALUES = 1_000_000
"""Values that a file may stand for: aliases of aliases make a few lines stand for billions."""


def read_yaml(text: str, name: str, loader: type[yaml.SafeLoader]) -> tuple[yaml.Node | None, Any]:
    """Return the nodes of a document, which know their lines, and its data.

    Parameters
    ----------
    name
        Stands in error messages before the line.
    loader
        Makes the data.

    Raises
    ------
    RecipeError
        If the text is not one YAML document, nests too deeply, stands for more than a million values or holds itself,
        gives a key twice, or has a value that is not of its type, such as the 30th of February.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None and _size(root, {}) > _MOST_VALUES:
            raise RecipeError(
                [f"{name}: its aliases stand for more than {_MOST_VALUES:,} values."], hint="write the values out."
            )
        if repeated := list(_repeated_keys(root)):
            raise RecipeError(f"{name}:{line}: {key}: given twice; keep one." for key, line in repeated)
        return root, yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise RecipeError([_told(error, text, name)]) from error
    except RecursionError as error:
        raise RecipeError([f"{name}: not valid YAML: it nests too deeply."]) from error
    except (ValueError, OverflowError) as error:
        raise RecipeError([f"{name}{_line_of_fault(root, loader)}: not valid YAML: {error}."]) from error


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Return how many values a node stands for with its aliases written out; infinite where it holds itself."""
    if id(node) not in known:
        known[id(node)] = math.inf
        known[id(node)] = 1 + sum(_size(below, known) for below in _below(node))
    return known[id(node)]


def _below(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (part for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _repeated_keys(node: yaml.Node | None, path: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = f"{path}.{key.value}".lstrip(".")
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                yield here, key.start_mark.line + 1
            seen.add(str(key.value))
            yield from _repeated_keys(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _repeated_keys(value, f"{path}.{index}")


def _told(error: yaml.YAMLError, text: str, name: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"{name}:{line}: not valid YAML: character U+{ord(text[error.position]):04X} is not allowed."
    mark = getattr(error, "problem_mark", None)
    line_told = f":{mark.line + 1}" if mark else ""
    return f"{name}{line_told}: not valid YAML: {getattr(error, 'problem', error)}."


def _line_of_fault(root: yaml.Node, loader: type[yaml.SafeLoader]) -> str:
    """Return the line of the first value that cannot be made, as it stands in a message."""
    for node in _scalars(root):
        reader = loader("")
        try:
            with suppress(yaml.YAMLError):
                reader.construct_object(node)
        except (ValueError, OverflowError):
            return f":{node.start_mark.line + 1}"
    return ""


def _scalars(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    for below in _below(node):
        yield from _scalars(below)
