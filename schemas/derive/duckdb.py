"""A contract in DuckDB's terms: quoted names, and the comments that document a view."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.contracts import Contract

__all__ = ["comments", "identifier", "literal"]


def identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier.

    Examples
    --------
    >>> identifier("prompts@1.0.0")
    '"prompts@1.0.0"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return ``text`` as a quoted SQL string.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def comments(view: str, contract: Contract, *, note: str = "") -> Iterator[str]:
    """Yield the statements that document a view and each of its columns.

    Parameters
    ----------
    view
        Name of the view, unquoted.
    note
        What is particular to this view, added after the contract's own sentence.
    """
    about = f"{contract.doc} {note}".strip()
    yield f"COMMENT ON VIEW {identifier(view)} IS {literal(about)}"
    for column in contract.columns:
        target = f"{identifier(view)}.{identifier(column.name)}"
        yield f"COMMENT ON COLUMN {target} IS {literal(column.doc)}"
