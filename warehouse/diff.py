"""What changed between two versions: records added, removed and changed, column by column, keyed by the contract."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table import Table

from schemas.derive.duckdb import identifier
from warehouse.catalog import data_files
from warehouse.parquet import duck, quoted, scan_parts, view
from warehouse.versions import Bump, Version

__all__ = ["Diff", "Side", "compare", "release_notes", "side"]

_SHOWN = 200


@dataclass(frozen=True)
class Side:
    """One of the two tables compared.

    Parameters
    ----------
    columns
        Its Arrow schema.
    key
        Columns that name a record.
    version
        What it is published as, or about to be.
    """

    paths: tuple[Path, ...]
    columns: pa.Schema
    key: tuple[str, ...]
    version: Version

    def scan(self) -> pl.LazyFrame:
        """Return its rows lazily."""
        return scan_parts(self.paths, self.columns)


def side(table: Table, version: Version) -> Side:
    """Return a version of a table as one side of a comparison."""
    schema = table.metadata.schema_by_id(table.metadata.snapshot_by_id(version.snapshot_id).schema_id)
    columns = schema_to_pyarrow(schema, include_field_ids=False)
    key = tuple(sorted(schema.identifier_field_names(), key=columns.names.index))
    return Side(tuple(data_files(table, version.snapshot_id)), columns, key, version)


@dataclass(frozen=True)
class Diff:
    """The difference between two tables of one key.

    Parameters
    ----------
    added, removed, changed, unchanged
        Numbers of records.
    columns
        For each column that both sides have with one type: in how many records it differs.
    new_columns, gone_columns, retyped_columns
        How the schema changed.
    bump
        What the change means for the version number.
    """

    before: Side
    after: Side
    added: int
    removed: int
    changed: int
    unchanged: int
    columns: Mapping[str, int]
    new_columns: tuple[str, ...]
    gone_columns: tuple[str, ...]
    retyped_columns: tuple[str, ...]
    bump: Bump

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that name a record of the later side."""
        return self.after.key

    def added_records(self) -> pl.LazyFrame:
        """Return the records that only the later side has."""
        return self._only(self.after, self.before)

    def removed_records(self) -> pl.LazyFrame:
        """Return the records that only the earlier side has."""
        return self._only(self.before, self.after)

    def _only(self, one: Side, other: Side) -> pl.LazyFrame:
        if one.key != other.key or set(self.retyped_columns) & set(one.key):
            return one.scan()
        return one.scan().join(other.scan().select(one.key), on=one.key, how="anti")

    def changed_records(self, column: str) -> pl.LazyFrame:
        """Return, for the records in which ``column`` differs, the key with ``before`` and ``after``."""
        before = self.before.scan().select(*self.key, pl.col(column).alias("before"))
        after = self.after.scan().select(*self.key, pl.col(column).alias("after"))
        both = before.join(after, on=self.key, how="inner")
        return both.filter(pl.col("before").ne_missing(pl.col("after")))

    def sample(self, limit: int = 10) -> pl.DataFrame:
        """Return a few records of each kind, the first in key order, values shortened to 200 characters.

        Parameters
        ----------
        limit
            Most records per kind, and most per changed column.

        Returns
        -------
        polars.DataFrame
            Text columns ``kind``, the key's, ``column``, ``before``, ``after``.
        """
        frames = [
            self._shown("added", self.added_records().select(self.key), limit),
            self._shown("removed", self.removed_records().select(self.key), limit),
        ]
        frames += [
            self._shown("changed", self.changed_records(column), limit, column)
            for column, count in self.columns.items()
            if count
        ]
        return pl.concat(frames)

    def _shown(self, kind: str, frame: pl.LazyFrame, limit: int, column: str | None = None) -> pl.DataFrame:
        first = frame.sort(self.key).head(limit).collect(engine="streaming")
        values = {
            side: [_short(value) for value in first[side]] if side in first.columns else [None] * first.height
            for side in ("before", "after")
        }
        return first.select(
            pl.lit(kind).alias("kind"),
            *(pl.col(name).cast(pl.String) for name in self.key),
            pl.lit(column, dtype=pl.String).alias("column"),
            *(pl.Series(side, shown, dtype=pl.String) for side, shown in values.items()),
        )


def compare(before: Side, after: Side, *, volatile: Collection[str] = (), spill: Path) -> Diff:
    """Compare two tables record by record, out of core.

    Tables of different keys have no records in common.

    Parameters
    ----------
    volatile
        Columns whose differences mean nothing.
    spill
        Folder for what does not fit into memory.
    """
    shared = [name for name in after.columns.names if name in before.columns.names]
    retyped = tuple(name for name in shared if before.columns.field(name).type != after.columns.field(name).type)
    comparable = before.key == after.key and not set(retyped) & set(after.key)
    values = [name for name in shared if comparable and name not in {*after.key, *retyped, *volatile}]
    with duck(spill) as connection:
        view(connection, "before", before.paths, before.columns)
        view(connection, "after", after.paths, after.columns)
        hashes = [_hash(after.columns.field(name)) for name in values]
        counts = (_joined if comparable else _replaced)(connection, after.key, hashes)
    added, removed, changed, unchanged, *by_column = counts
    new = tuple(name for name in after.columns.names if name not in shared)
    gone = tuple(name for name in before.columns.names if name not in shared)
    major = new or gone or retyped or before.version.promise != after.version.promise
    minor = added or removed or changed
    return Diff(
        before=before,
        after=after,
        added=added,
        removed=removed,
        changed=changed,
        unchanged=unchanged,
        columns=dict(zip(values, by_column, strict=True)),
        new_columns=new,
        gone_columns=gone,
        retyped_columns=retyped,
        bump=Bump.MAJOR if major else Bump.MINOR if minor else Bump.PATCH,
    )


def _hash(field: pa.Field) -> str:
    """Return the SQL hash of a column; DuckDB's own takes a list that is null for an empty one."""
    name = identifier(field.name)
    return f"hash(to_json({name})::VARCHAR)" if pa.types.is_nested(field.type) else f"hash({name})"


def _joined(connection: duckdb.DuckDBPyConnection, key: Sequence[str], hashes: Sequence[str]) -> list[int]:
    """Count by joining keys and 64-bit hashes of values, so that the join stays small however wide the rows are."""
    hashed = "".join(f', {value} AS "h{number}"' for number, value in enumerate(hashes))
    rows = f"SELECT {quoted(key)}, true AS here{hashed}"
    differ = [f'(b.here AND a.here AND b."h{number}" <> a."h{number}")' for number in range(len(hashes))]
    any_differ = " OR ".join(differ) or "false"
    row = connection.execute(
        f"""
        SELECT count(*) FILTER (b.here IS NULL), count(*) FILTER (a.here IS NULL),
               count(*) FILTER ({any_differ}),
               count(*) FILTER (b.here AND a.here AND NOT ({any_differ}))
               {"".join(f", count(*) FILTER ({one})" for one in differ)}
        FROM ({rows} FROM "before") b FULL OUTER JOIN ({rows} FROM "after") a USING ({quoted(key)})
        """,  # noqa: S608 - names come from contracts and are quoted
    ).fetchall()[0]
    return list(row)


def _replaced(connection: duckdb.DuckDBPyConnection, *_: Sequence[str]) -> list[int]:
    query = 'SELECT (SELECT count(*) FROM "after"), (SELECT count(*) FROM "before"), 0, 0'
    return list(connection.execute(query).fetchall()[0])


def release_notes(diff: Diff, notes: str = "") -> str:
    """Return the text that goes with a new version: the author's words, then what changed in figures."""
    lines = [notes.strip()] if notes.strip() else []
    lines.append(
        f"{diff.added} added, {diff.removed} removed, {diff.changed} changed, {diff.unchanged} unchanged.",
    )
    touched = [f"{name} ({count})" for name, count in diff.columns.items() if count]
    for title, names in (
        ("Changed values", touched),
        ("New columns", diff.new_columns),
        ("Columns gone", diff.gone_columns),
        ("Columns of another type", diff.retyped_columns),
    ):
        if names:
            lines.append(f"{title}: {', '.join(names)}.")
    return "\n".join(lines)


def _short(value: object) -> str | None:
    if value is None:
        return None
    text = str(value.to_list() if isinstance(value, pl.Series) else value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
