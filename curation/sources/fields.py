"""Reading fields of a row: each says what it wanted when it is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from curation.sources.drafts import Reason, Reject

__all__ = ["as_date", "as_list", "as_texts", "from_json", "listed", "lookup", "need", "text"]


def lookup(row: Mapping[str, Any], path: str | None) -> Any:
    """Return the value at ``path``, whose dots reach into objects (and JSON text of objects); None if not there."""
    if path is None:
        return None
    if path in row:
        return row[path]
    head, dot, rest = path.partition(".")
    inner = row.get(head)
    if dot and isinstance(inner, str) and inner.lstrip().startswith("{"):
        inner = from_json(inner, head)
    return lookup(inner, rest) if dot and isinstance(inner, Mapping) else None


def need(row: Mapping[str, Any], name: str) -> Any:
    """Return a field that the layout promises.

    Raises
    ------
    Reject
        If the row lacks it.
    """
    if name not in row:
        raise Reject(Reason.MISSING_FIELD, f"no field {name!r}; found {', '.join(sorted(map(str, row))[:20])}")
    return row[name]


def text(row: Mapping[str, Any], name: str) -> str:
    """Return a field that must hold text.

    Raises
    ------
    Reject
        If the row lacks it or it is something else.
    """
    value = need(row, name)
    if not isinstance(value, str):
        raise Reject(Reason.WRONG_TYPE, f"{name} is {_kind(value)}; text is needed")
    return value


def listed(value: Any, name: str) -> list[Any]:
    """Return ``value`` as a list; null is none."""
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise Reject(Reason.WRONG_TYPE, f"{name} is {_kind(value)}; a list is needed")
    return list(value)


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, text that is a JSON array as its elements, another value as the only element."""
    if value is None or value == "":
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    return list(value) if isinstance(value, list | tuple) else [value]


def as_texts(value: Any, name: str) -> list[str]:
    """Return a list of texts, leaving out nulls."""
    found = [item for item in as_list(value) if item is not None]
    if wrong := next((item for item in found if not isinstance(item, str)), None):
        raise Reject(Reason.WRONG_TYPE, f"{name} holds {_kind(wrong)}; texts are needed")
    return found


def from_json(value: str, name: str) -> Any:
    """Return what JSON text holds.

    Raises
    ------
    Reject
        If it does not parse.
    """
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Reject(Reason.NOT_JSON, f"{name} is not JSON: {error}") from error


def as_date(value: Any) -> date | None:
    """Return the day that a date, a timestamp or ISO 8601 text names; None where there is none."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value).strip()).date()
    except ValueError:
        return None


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
