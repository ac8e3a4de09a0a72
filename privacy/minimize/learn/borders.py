"""Borders in raw units: the shortest value between two neighbours that is neither."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

__all__ = ["border"]

_EXACT = Context(prec=400, rounding=ROUND_HALF_EVEN)
_FINEST = 340
_STEPS = (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1), timedelta(milliseconds=1))
_TICK = timedelta(microseconds=1)


def border(kind: str, low: Any, high: Any) -> str:
    """Return a border that ``low`` does not exceed and ``high`` does, as a policy writes it.

    It is strictly between the two, so that it is nobody's value, and has as few digits as separate them. Where
    nothing lies between (neighbouring days, neighbouring floats), it is ``low``.

    Parameters
    ----------
    kind
        Type of the column, as in a policy.

    Examples
    --------
    >>> border("int", 27, 28), border("float", 5013.99, 7298.0), border("date", date(2020, 3, 1), date(2021, 2, 3))
    ('27.5', '6000', '2020-08-17')
    """
    return _WRITE[kind](low, high)


def _number(low: Any, high: Any) -> str:
    below, above = Decimal(str(low)), Decimal(str(high))
    middle = _EXACT.divide(_EXACT.add(below, above), Decimal(2))
    for exponent in range(_EXACT.subtract(above, below).adjusted() + 1, -_FINEST, -1):
        unit = Decimal(1).scaleb(exponent)
        rounded = _EXACT.multiply(_EXACT.divide(middle, unit).to_integral_value(ROUND_HALF_EVEN), unit)
        if below < rounded < above:
            return _plain(rounded)
    return _plain(below)


def _float(low: float, high: float) -> str:
    below = low if math.isfinite(low) else min(-1.0, 2 * high)
    above = high if math.isfinite(high) else max(1.0, 2 * low)
    if not (math.isfinite(below) and math.isfinite(above)):
        return repr(low if math.isfinite(low) else math.nextafter(high, -math.inf))
    text = _number(below, above)
    return text if low < float(text) < high else repr(below)


def _day(low: date, high: date) -> str:
    return (low + (high - low) // 2).isoformat()


def _moment(low: datetime, high: datetime) -> str:
    return next(_moments_between(low, high), low).isoformat()


def _moments_between(low: datetime, high: datetime) -> Iterator[datetime]:
    middle = low + (high - low) / 2
    midnight = datetime.combine(middle.date(), time(), middle.tzinfo)
    shorter = (midnight + step * ((middle - midnight) // step) for step in _STEPS)
    yield from (value for value in (midnight, *shorter, middle, low + _TICK) if low < value < high)


def _instant(low: datetime, high: datetime) -> str:
    return _moment(low.astimezone(UTC), high.astimezone(UTC)).replace("+00:00", "Z")


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_WRITE: Mapping[str, Callable[[Any, Any], str]] = {
    "int": _number,
    "decimal": _number,
    "float": _float,
    "date": _day,
    "datetime": _moment,
    "instant": _instant,
}
