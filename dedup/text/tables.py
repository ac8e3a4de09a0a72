"""Tables of documents: Parquet, CSV or JSON lines, or a published version, as ids and texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

import polars as pl

from dedup.text.problems import said
from schemas.errors import InputError, UsageError, did_you_mean
from schemas.recipe.sources import SourceFile
from schemas.recipe.texts import TextTable
from warehouse.fingerprint import input_sha256
from warehouse.house import Warehouse
from warehouse.stages import Workspace

__all__ = ["FORMATS", "documents_of", "files_at", "named", "readable", "scan", "texts_of"]

FORMATS = (".parquet", ".csv", ".jsonl", ".ndjson")
"""Suffixes of the files that are read."""

_TEXTS = (pl.String, pl.Categorical, pl.Enum, pl.Null)
_REPEATED = "_duplicated_0"
"""What polars adds to the second of two columns of one name in a CSV file."""


def files_at(pattern: str) -> tuple[SourceFile, ...]:
    """Return the files that a path, a folder or a glob pattern names, with digests of their bytes, in name order.

    Raises
    ------
    InputError
        If one of them cannot be read, or has no known format.
    """
    place = Path(pattern)
    if place.is_file():
        return (_named(place),)
    if place.is_dir():
        found = [file for file in place.rglob("*") if _known(file)]
    else:
        start = Path(place.anchor)
        found = [file for file in start.glob(str(place.relative_to(start))) if file.is_file()]
    return tuple(_named(file) for file in sorted(found))


def _known(path: Path) -> bool:
    return path.is_file() and path.suffix in FORMATS


def _named(path: Path) -> SourceFile:
    if not _known(path):
        raise InputError(f"{path} has no known format.", hint=f"known are {', '.join(FORMATS)}.")
    return SourceFile(name=str(path), digest=input_sha256(path)[:32], location=path.absolute())


@contextmanager
def readable(table: TextTable) -> Iterator[None]:
    """Turn what a broken file throws into an `InputError` that names the table."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(
            f"{named(table)} cannot be read: {reason}",
            hint=f"files are read by their suffix ({', '.join(FORMATS)}) as UTF-8; all must have the columns named.",
        ) from error


def named(table: TextTable) -> str:
    """Return what a person calls a table: its file, the first and the last of them, or its version."""
    if table.dataset is not None:
        return f"{table.dataset.dataset}@{table.dataset.version}"
    return table.files[0].name if len(table.files) == 1 else f"{table.files[0].name} to {table.files[-1].name}"


def scan(table: TextTable, workspace: Workspace, columns: list[str] | None = None) -> pl.LazyFrame:
    """Return the rows of a table, in the order of its files.

    Parameters
    ----------
    columns
        Columns to read, which every file must have; None for all columns that any file has.
    """
    if table.dataset is not None:
        house = Warehouse.open(workspace.root, read_only=True)
        rows = house.scan(table.dataset.dataset, table.dataset.version)
        return rows if columns is None else rows.select(columns)
    parts = [_scanned(file.location) for file in table.files]
    if columns is None:
        return pl.concat(parts, how="diagonal_relaxed")
    return pl.concat([part.select(columns) for part in parts], how="vertical_relaxed")


def _scanned(path: Path) -> pl.LazyFrame:
    if not path.stat().st_size:
        raise InputError(f"{path} is empty.", hint="leave it out; a table without rows still names its columns.")
    if path.suffix == ".parquet":
        return pl.scan_parquet(path, glob=False)
    if path.suffix == ".csv":
        # polars finds a line of too many fields only where it reads all columns
        whole = pl.scan_csv(path, glob=False, infer_schema=False)
        return whole.map_batches(lambda rows: rows, projection_pushdown=False, streamable=True)
    return pl.scan_ndjson(escape(str(path)), infer_schema_length=None)


def documents_of(table: TextTable, workspace: Workspace) -> pl.LazyFrame:
    """Return ``id`` and ``text`` (null where a row has none) of a table's rows; rows of one id have one text.

    Raises
    ------
    UsageError
        If a column is not there, or holds no text.
    InputError
        If an id is missing, or names several texts.
    """
    rows = _documents(table, workspace)
    if table.id is not None:
        _check_ids(rows, table)
    return rows


def texts_of(table: TextTable, workspace: Workspace, ids: Iterable[str]) -> dict[str, str]:
    """Return the texts of a few documents by id; those without a text are left out."""
    rows = _documents(table, workspace).select(pl.col("id").cast(pl.String), "text")
    asked = pl.Series(sorted(ids), dtype=pl.String)
    found = rows.filter(pl.col("id").is_in(asked.implode()), pl.col("text").is_not_null()).collect(engine="streaming")
    return dict(found.iter_rows())


def _documents(table: TextTable, workspace: Workspace) -> pl.LazyFrame:
    wanted = list(dict.fromkeys([*table.text, *([table.id] if table.id else [])]))
    for part in [scan(table, workspace)] if table.dataset else [_scanned(file.location) for file in table.files]:
        _require(wanted, part.collect_schema(), named(table))
    rows = scan(table, workspace, wanted)
    types = rows.collect_schema()
    texts = [_text(name, types[name]) for name in table.text]
    # a text may be empty: only a row that is null in all columns has none
    text = pl.when(~pl.all_horizontal(one.is_null() for one in texts)).then(
        pl.concat_str(texts, separator="\n\n", ignore_nulls=True)
    )
    if table.id is None:
        return rows.select(text=text).with_row_index("id").select("id", "text")
    if types[table.id].is_nested() or types[table.id] == pl.Binary:
        raise UsageError(
            f"column {table.id!r} holds {types[table.id]}, which names no document.",
            hint="ids are text or numbers; leave --id out to number the rows.",
        )
    return rows.select(id=pl.col(table.id), text=text)


def _require(wanted: list[str], there: pl.Schema, table: str) -> None:
    for name in wanted:
        if name not in there:
            raise UsageError(
                f"{table} has no column {name!r}; it has {', '.join(there)}.",
                hint=did_you_mean(name, there) or "--text and --id name columns.",
            )
        if f"{name}{_REPEATED}" in there:
            raise InputError(f"{table} has several columns called {name!r}.", hint="give each a name of its own.")


def _text(name: str, of: pl.DataType) -> pl.Expr:
    if of in _TEXTS:
        return pl.col(name).cast(pl.String)
    inner = of.inner if isinstance(of, pl.List) else None
    if isinstance(inner, pl.Struct) and {"role", "content"} <= {field.name for field in inner.fields}:
        return said(name)
    raise UsageError(
        f"column {name!r} holds {of}, which is no text.",
        hint="documents are text, or lists of messages with role and content.",
    )


def _check_ids(rows: pl.LazyFrame, table: TextTable) -> None:
    hashed = pl.col("text").hash()
    facts = rows.group_by("id").agg(low=hashed.min(), high=hashed.max())
    bad = facts.filter(pl.col("id").is_null() | (pl.col("low") != pl.col("high"))).head(1).collect(engine="streaming")
    if bad.height:
        found = bad["id"][0]
        told = "no id" if found is None else f"several texts under the id {found!r}"
        raise InputError(
            f"{named(table)} has rows with {told} in the column {table.id!r}.",
            hint="an id names one document; leave --id out to number the rows.",
        )
