"""What counting alone tells of a release: one SQL script, run by DuckDB, out of core where the table is large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from privacy.minimize.evaluate.encoding import CONTINUOUS_FROM, STEPS
from privacy.minimize.evaluate.table_adversary import FEWEST
from schemas.derive.duckdb import identifier, literal
from warehouse.report.pages import environment

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Layout", "count", "relation_of", "script"]

_FLOATS = ("FLOAT", "DOUBLE")
_ORDERED = (*_FLOATS, "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "DATE", "TIMESTAMP")


@dataclass(frozen=True)
class Layout:
    """Which columns of a relation are what; names come without their prefix ``raw.`` or ``out.``.

    Parameters
    ----------
    raw
        Columns at full resolution that an attacker may know, personal ones among them.
    released
        Columns that are stored in their place.
    personal
        Attributes under attack.
    own
        For each personal attribute the released columns that hold its own buckets; none of them if it is dropped or
        stored as part of a cell.
    client
        Column of the relation that says whose record it is: people are then counted instead of records.
    threshold
        Risk above which a record counts as at risk: 0.2 means that fewer than 5 people share what is stored.
    """

    raw: tuple[str, ...]
    released: tuple[str, ...]
    personal: tuple[str, ...]
    own: Mapping[str, Sequence[str]] = field(default_factory=dict)
    client: str | None = None
    threshold: float = 0.2


@dataclass(frozen=True)
class _Attribute:
    """An attribute as the script's template wants it: its columns, and, where its values are ordered, their places."""

    number: int
    attribute: str
    raw: str
    own: list[str]
    value: str
    continuous: bool = False
    positions: tuple[int, ...] = ()
    low: str = ""
    high: str = ""

    @property
    def comment(self) -> str:
        return repr(self.attribute)

    @property
    def window(self) -> int:
        return 2 if self.continuous else 1

    @property
    def attacks(self) -> tuple[tuple[str, str, str], ...]:
        return (
            ("reconstruction", "cell", "trusted_cell"),
            ("non_personal_knowledge", "background", "trusted_background"),
            ("leave_one_out", f"xor(everything, truth_{self.number})", "trusted_others"),
        )


def relation_of(
    raw: pl.DataFrame, released: pl.DataFrame, test: pl.Series, clients: pl.Series | None = None
) -> pl.DataFrame:
    """Return frames of the same rows side by side, as the script wants them."""
    sides = [
        raw.select(pl.all().name.prefix("raw.")).with_columns(pl.col(pl.Int128).cast(pl.Decimal(38, 0))),
        released.select(pl.all().cast(pl.String).name.prefix("out.")),
        test.alias("test").to_frame(),
    ]
    return pl.concat([*sides, *([] if clients is None else [clients.alias("client").to_frame()])], how="horizontal")


def count(
    connection: duckdb.DuckDBPyConnection, relation: str, layout: Layout, population: str | None = None
) -> pl.DataFrame:
    """Run the script and return what it measured.

    Parameters
    ----------
    connection
        Its temporary tables are used; ``memory_limit`` and ``temp_directory`` decide what it keeps in memory.
    relation
        Name or table function of a relation with columns ``raw.NAME``, ``out.NAME``, ``test`` and, where the layout
        names one, the client.
    population
        Relation with columns ``out.NAME`` of everybody whom the records could be of, for journalist and marketer
        risk; by default the records themselves.

    Returns
    -------
    polars.DataFrame
        Columns attribute (null for the whole release), measure, part, whole: the figure is part / whole.
    """
    connection.execute(script(connection, relation, layout, population))
    measured = connection.sql("SELECT * FROM measured ORDER BY attribute NULLS FIRST, measure")
    return pl.DataFrame(measured.to_arrow_table())


def script(connection: duckdb.DuckDBPyConnection, relation: str, layout: Layout, population: str | None = None) -> str:
    """Return the SQL script for a relation: it leaves its figures in the temporary table ``measured``."""
    personal = set(layout.personal)
    people = "count(*)" if layout.client is None else "count(DISTINCT client)"
    return _template().render(
        relation=relation,
        population=population,
        client=layout.client,
        people=people,
        population_people=people.replace("client", identifier(layout.client or "")),
        threshold=layout.threshold,
        steps=STEPS,
        fewest=FEWEST,
        raw=[f"raw.{name}" for name in layout.raw],
        impersonal=[f"raw.{name}" for name in layout.raw if name not in personal],
        released=[f"out.{name}" for name in layout.released],
        attributes=_attributes(connection, relation, layout),
    )


def _attributes(connection: duckdb.DuckDBPyConnection, relation: str, layout: Layout) -> list[_Attribute]:
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}  # noqa: S608 - the caller's own relation
    attributes = []
    for number, name in enumerate(layout.personal):
        raw, own = f"raw.{name}", [f"out.{column}" for column in layout.own.get(name, ())]
        plain = _Attribute(number, name, raw, own, _value(identifier(raw), types[raw]))
        ordered = types[raw].removeprefix("U").startswith(_ORDERED)
        attributes.append(_with_order(connection, relation, plain, types[raw]) if ordered else plain)
    return attributes


def _value(column: str, of: str) -> str:
    return f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END" if of in _FLOATS else column


def _with_order(connection: duckdb.DuckDBPyConnection, relation: str, plain: _Attribute, of: str) -> _Attribute:
    """Return an attribute with the places of its values, as `privacy.minimize.evaluate.encoding` numbers them."""
    number = _as_number(plain.value, of)
    finite = f"isfinite({number})"
    query = f"""
        SELECT count(DISTINCT {plain.value}), count(*) > count({plain.value}),
               min({number}) FILTER ({finite}), max({number}) FILTER ({finite}) FROM {relation}
    """  # noqa: S608 - quoted names
    distinct, holes, low, high = connection.execute(query).fetchone()  # type: ignore[misc]
    if distinct < CONTINUOUS_FROM:
        return replace(plain, positions=tuple(range(distinct + holes)))
    return replace(
        plain,
        value=number,
        continuous=True,
        positions=(*range(STEPS), *([STEPS + 1] * holes)),
        low=f"{low!r}::DOUBLE",
        high=f"{high!r}::DOUBLE",
    )


def _as_number(value: str, of: str) -> str:
    if of == "DATE":
        return f"({value} - DATE '1970-01-01')::DOUBLE"
    return f"epoch_us({value})::DOUBLE" if of.startswith("TIMESTAMP") else f"({value})::DOUBLE"


@cache
def _template() -> Template:
    return environment("privacy.minimize.audit", escape=False, name=identifier, text=literal).get_template("tables.sql")
