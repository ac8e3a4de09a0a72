"""A contract in DuckDB's terms: quoted names, and the comments that document a view."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import duckdb

from schemas.contracts import Contract

__all__ = ["comments", "empty_query", "identifier", "literal"]


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


def comments(
    view: str,
    contract: Contract,
    *,
    note: str = "",
    columns: Collection[str] | None = None,
) -> Iterator[str]:
    """Yield the statements that document a view and each of its columns.

    Parameters
    ----------
    view
        Name of the view, unquoted.
    note
        What is particular to this view, added after the contract's own sentence.
    columns
        Columns that the view has, where an older version may lack some; None for all of the contract's.
    """
    about = f"{contract.doc} {note}".strip()
    yield f"COMMENT ON VIEW {identifier(view)} IS {literal(about)}"
    for column in contract.columns:
        if columns is not None and column.name not in columns:
            continue
        target = f"{identifier(view)}.{identifier(column.name)}"
        yield f"COMMENT ON COLUMN {target} IS {literal(column.doc)}"


def empty_query(contract: Contract) -> str:
    """Return a query with the contract's columns and no rows."""
    with duckdb.connect() as connection:
        empty = connection.from_arrow(contract.arrow.empty_table())
        columns = [f"NULL::{of} AS {identifier(name)}" for name, of in zip(empty.columns, empty.types, strict=True)]
    return f"SELECT {', '.join(columns)} WHERE false"
