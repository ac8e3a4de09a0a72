"""Which policy an edge needs, told from the types of its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dedup.lake.files.tables import Column, Table

__all__ = ["needed"]


def needed(child: Table, parent: Table, columns: Iterable[str], lossless: Callable[[], bool]) -> str:
    """Return the strictest policy under which an edge that was found holds.

    Two values of one type are equal under all policies or none, and so are two numbers as values and as text, but for
    a decimal that no float equals: 0.1 is spelled like the float that is nearest to it. There rows decide.

    Parameters
    ----------
    columns
        The columns compared.
    lossless
        Tells whether the edge holds under the policy lossless, asked only where types cannot tell.
    """
    if child.columns == parent.columns:
        return "strict"
    ours, theirs = ({column.name: column for column in table.columns} for table in (child, parent))
    pairs = [(ours[name], theirs[name]) for name in columns]
    if all(a.type == b.type for a, b in pairs):
        return "strict"
    if any(a.family != b.family for a, b in pairs):
        return "text"
    if any(_decimal(a) != _decimal(b) for a, b in pairs):
        return "lossless" if lossless() else "text"
    return "lossless"


def _decimal(column: Column) -> bool:
    return "Decimal" in column.type
