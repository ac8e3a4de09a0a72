"""Borders of a policy's intervals: as a file writes them, and as values that compare exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, StrictStr, WithJsonSchema

__all__ = ["DIGITS", "MOST", "Border", "BorderText", "ExactFloat", "canonical", "parsed"]

DIGITS = 38
"""Decimal digits of the widest number that every engine holds."""
MOST = 10**DIGITS - 1
"""That number."""
Border = Decimal | float | date | datetime


class ExactFloat(float):
    """A float that remembers how it was written.

    Parameters
    ----------
    text
        The number, as in a file.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def _as_text(value: Any) -> Any:
    if isinstance(value, ExactFloat):
        return value.text
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


BorderText = Annotated[StrictStr, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number"]})]


def canonical(kind: str | None, given: Any) -> Any:
    """Return a border as its shortest text; what does not parse stays as it came, to be named as a fault."""
    text = _as_text(given)
    value = parsed(kind, text) if isinstance(text, str) else None
    if value is None:
        return text
    if isinstance(value, Decimal):
        return _digits(value)
    return _as_text(value)


def _digits(value: Decimal) -> str:
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or not -MOST <= value <= MOST or value.as_tuple().exponent < -DIGITS:  # type: ignore[operator]
        return None
    return value or Decimal(0)


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value + 0.0 if math.isfinite(value) else None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _moment(text: str, *, zoned: bool) -> datetime | None:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    if zoned != (value.tzinfo is not None):
        return None
    return value.astimezone(UTC) if zoned else value


_PARSE: Mapping[str, Callable[[str], Border | None]] = {
    "int": _number,
    "decimal": _number,
    "float": _float,
    "date": _date,
    "datetime": lambda text: _moment(text, zoned=False),
    "instant": lambda text: _moment(text, zoned=True),
}


def parsed(kind: str | None, text: str) -> Border | None:
    """Return a border's value, or None if the text is no finite value of that type."""
    return _PARSE[kind](text) if kind in _PARSE else None
