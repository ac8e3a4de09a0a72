"""Types of columns: what they are called, which are of one family, and columns by name."""

from __future__ import annotations

import re

import polars as pl

__all__ = ["column", "family", "fields", "literal", "type_name"]


def literal(name: str) -> str:
    r"""Return what polars takes for the name of one column, whatever it is: ``*`` and ``^...$`` are patterns to it.

    Examples
    --------
    >>> literal("a*"), literal("*")
    ('a*', '^\\*$')
    """
    return f"^{re.escape(name)}$" if name == "*" or (name.startswith("^") and name.endswith("$")) else name


def column(name: str) -> pl.Expr:
    """Return the one column called ``name``."""
    return pl.col(literal(name))


def family(of: pl.DataType) -> str:  # noqa: PLR0911 - one per kind of type
    """Return the family of a type: types whose values can be compared without loss.

    Examples
    --------
    >>> family(pl.Int8()), family(pl.Decimal(10, 2)), family(pl.List(pl.Float32))
    ('number', 'number', 'list of number')
    """
    if of.is_numeric():
        return "number"
    if isinstance(of, (pl.String, pl.Categorical, pl.Enum)):
        return "text"
    if isinstance(of, pl.Datetime):
        return "instant" if of.time_zone else "datetime"
    if isinstance(of, (pl.List, pl.Array)):
        return f"list of {family(of.inner)}"
    if isinstance(of, pl.Map):
        return f"map of {family(of.key)} to {family(of.value)}"
    if isinstance(of, pl.Struct):
        return "{" + ", ".join(f"{field.name}: {family(field.dtype)}" for field in fields(of)) + "}"
    return type(of).__name__.lower()


def type_name(of: pl.DataType) -> str:
    """Return the name of a type; how text is stored (plain, dictionary, enumeration) is not part of it."""
    return "String" if family(of) == "text" else str(of)


def fields(of: pl.Struct) -> list[pl.Field]:
    """Return the fields of a struct in order of their names."""
    return sorted(of.fields, key=lambda field: field.name)
