"""Bytes, money and shares as a person reads them; machines get the exact numbers."""

from __future__ import annotations

__all__ = ["beside", "money", "share", "size"]

_THOUSAND = 1000
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_CENT = 0.01
_ROUNDING = 1e-9


def size(value: float) -> str:
    """Return a number of bytes in the decimal unit that suits it.

    Examples
    --------
    >>> size(1), size(543), size(20_960), size(999_960), size(1.5e12)
    ('1 byte', '543 bytes', '21.0 kB', '1.0 MB', '1.5 TB')
    """
    if round(value) < _THOUSAND:
        return f"{value:,.0f} {'byte' if round(value) == 1 else 'bytes'}"
    unit = 0
    while round(value, 1) >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:,.1f} {_UNITS[unit]}"


def money(value: float, currency: str) -> str:
    """Return an amount to the cent; what is less than one is said to be that.

    Examples
    --------
    >>> money(1234.5, "USD"), money(5.75e-07, "USD"), money(0, "EUR")
    ('1,234.50 USD', 'less than 0.01 USD', '0 EUR')
    """
    if value < _CENT:
        return f"less than {_CENT} {currency}" if value > 0 else f"0 {currency}"
    return f"{value:,.2f} {currency}"


def share(part: float, whole: float) -> str:
    """Return what part of a whole something is, in percent.

    Examples
    --------
    >>> share(1, 3), share(2, 100_000), share(0, 0)
    ('33.3 %', 'less than 0.1 %', '0 %')
    """
    percent = 100 * part / whole if whole else 0.0
    if percent <= 0:
        return "0 %"
    return f"{percent:.1f} %" if percent >= 0.1 else "less than 0.1 %"  # noqa: PLR2004 - the digit shown


def beside(value: float, best: float) -> str:
    """Return how an amount compares with the best that can be had.

    Examples
    --------
    >>> beside(3, 3), beside(3, 4), beside(3.9999, 4)
    ('as much', '25.0 % less', 'less than 0.1 % less')
    """
    less = best - value
    return "as much" if less <= _ROUNDING * best else f"{share(less, best)} less"
