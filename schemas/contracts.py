"""Contracts: the Arrow schema of a table, a line of documentation per column, its key and its rules.

Everything else that describes a table (polars and Iceberg schemas, DuckDB comments, `datasets` features, the
audit suite, the ODCS file) is derived from its contract, never written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from schemas.ids import digest

__all__ = [
    "AtMost",
    "Between",
    "Column",
    "Contract",
    "InSet",
    "JsonText",
    "Matches",
    "NotBlank",
    "Rule",
]


@dataclass(frozen=True, slots=True)
class InSet:
    """``column`` holds only ``values`` (or null, where the column allows it)."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """``low <= column <= high``; None leaves that side open."""

    column: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Matches:
    """Every value of ``column`` matches the regular expression from start to end."""

    column: str
    pattern: str


@dataclass(frozen=True, slots=True)
class NotBlank:
    """``column`` holds more than white space (text) or at least one element (list)."""

    column: str


@dataclass(frozen=True, slots=True)
class JsonText:
    """Every value of ``column`` parses as JSON."""

    column: str


@dataclass(frozen=True, slots=True)
class AtMost:
    """``column <= other``, row by row."""

    column: str
    other: str


Rule = InSet | Between | Matches | NotBlank | JsonText | AtMost


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its canonical Arrow type and what it means.

    Parameters
    ----------
    volatile
        True for what differs from run to run without meaning anything (timings); kept out of content hashes.
    """

    name: str
    type: pa.DataType
    doc: str
    nullable: bool = False
    volatile: bool = False


@dataclass(frozen=True)
class Contract:
    """What a table promises to hold.

    Parameters
    ----------
    key
        Columns that together are unique and never null.
    rules
        Conditions on every row.
    """

    name: str
    version: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        names = set(self.names)
        used = {*self.key, *(rule.column for rule in self.rules)}
        used |= {rule.other for rule in self.rules if isinstance(rule, AtMost)}
        if unknown := used - names:
            raise ValueError(f"contract {self.name!r} speaks of columns it does not have: {sorted(unknown)}")

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return [column.name for column in self.columns]

    @property
    def volatile(self) -> list[str]:
        """Names of the columns that are kept out of content hashes."""
        return [column.name for column in self.columns if column.volatile]

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, with the documentation as field metadata."""
        return pa.schema(
            [pa.field(column.name, column.type, column.nullable, {"doc": column.doc}) for column in self.columns],
            metadata={"contract": self.name, "version": self.version},
        )

    @property
    def schema_digest(self) -> str:
        """Digest of names, types, nullability and key: what makes two versions' rows comparable."""
        return digest([[c.name, str(c.type), c.nullable] for c in self.columns] + [list(self.key)])

    def column(self, name: str) -> Column:
        """Return the column called ``name``."""
        return next(column for column in self.columns if column.name == name)

    def with_columns(self, name: str, doc: str, columns: Iterable[Column], **changes: Any) -> Contract:
        """Return a wider contract of another name; ``changes`` are further parameters of a contract."""
        return replace(self, name=name, doc=doc, columns=(*self.columns, *columns), **changes)
