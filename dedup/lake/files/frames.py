"""Files as frames of leaf columns: Parquet, CSV and JSON lines, whole when small and in pieces when large."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dedup.lake.files import delimited
from dedup.lake.files.compression import unpacked
from dedup.lake.files.delimited import Dialect
from dedup.lake.files.faults import NotATable
from dedup.lake.files.json_lines import lines_frame, schema_of
from dedup.lake.files.scripts import Script, unicode
from dedup.lake.files.storage import Changed, File, Storage
from dedup.lake.files.tables import Column, Print
from dedup.lake.files.types import column, family, literal, type_name

__all__ = [
    "BLOCK",
    "columns_of",
    "content_frame",
    "footer_of",
    "leaf_expressions",
    "leaf_frame",
    "naming_faults",
    "pieces",
]

# else polars reads no instants in zones like +02:00, which pandas writes
os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
_TWICE = re.compile("duplicate|more than one occurrence", re.IGNORECASE)
_WITHIN = re.compile(r'ErrString\("(.*?)(?:\\n| Hint:|"\)|$)')
BLOCK = 1 << 23
"""Bytes of text that are parsed together."""


@contextmanager
def naming_faults() -> Iterator[None]:
    """Turn whatever a reader says of a bad file into a `NotATable`."""
    try:
        yield
    except Changed as error:
        raise NotATable("changed_while_read", f"{error}; run again when nobody writes to it") from error
    except OSError as error:
        raise NotATable("unreadable" if error.errno else "malformed", error.strerror or str(error)) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, ValueError) as error:
        said = _told(error)
        reason = "duplicate_columns" if _TWICE.search(said) else "malformed"
        raise NotATable(reason, said or type(error).__name__) from error


def _told(error: BaseException) -> str:
    """Return what a reader said, without the wrapping of what broke on the way."""
    said = str(error).split("\n")[0]
    within = _WITHIN.search(said)
    return within[1] if within else said


def leaf_expressions(schema: pl.Schema) -> dict[str, tuple[pl.Expr, pl.DataType]]:
    """Return an expression and the type of each leaf column, by dotted path.

    Raises
    ------
    NotATable
        ``zero_columns`` or ``duplicate_columns``.
    """
    found: list[tuple[str, pl.Expr, pl.DataType]] = []
    for name, of in schema.items():
        found += _leaves(name, column(name), of)
    named = {path: (expression, of) for path, expression, of in found}
    if not named:
        raise NotATable("zero_columns", "it has no column")
    if len(named) < len(found):
        twice = next(path for path in named if sum(path == other for other, _, _ in found) > 1)
        raise NotATable("duplicate_columns", f"{twice!r} names more than one column")
    return named


def _leaves(path: str, expression: pl.Expr, of: pl.DataType) -> Iterator[tuple[str, pl.Expr, pl.DataType]]:
    if isinstance(of, pl.BaseExtension):
        yield from _leaves(path, expression.ext.storage(), of.ext_storage())
        return
    if not isinstance(of, pl.Struct):
        yield path, expression, of
        return
    for place, field in enumerate(of.fields):
        yield from _leaves(f"{path}.{field.name}", _field(expression, of, place), field.dtype)


def _field(struct: pl.Expr, of: pl.Struct, place: int) -> pl.Expr:
    name = of.fields[place].name
    if literal(name) != name:
        name = str(place)
        struct = struct.struct.rename_fields(list(map(str, range(len(of.fields)))))
    return struct.struct.field(name)


def leaf_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with each struct replaced by its leaves, each extension by its storage; raises as above."""
    if frame.width and not any(isinstance(of, (pl.Struct, pl.BaseExtension)) for of in frame.dtypes):
        return frame
    leaves = leaf_expressions(frame.schema)
    return frame.select(expression.alias(path) for path, (expression, _) in leaves.items())


@lru_cache(maxsize=4096)
def _columns(items: tuple[tuple[str, pl.DataType], ...]) -> tuple[Column, ...]:
    return tuple(
        Column(path, type_name(of), family(of)) for path, (_, of) in leaf_expressions(pl.Schema(items)).items()
    )


def columns_of(schema: pl.Schema) -> tuple[Column, ...]:
    """Return the leaf columns of a schema; raises like `leaf_expressions`."""
    return _columns(tuple(schema.items()))


def footer_of(source: Path | bytes) -> pq.FileMetaData:
    """Return the footer of a Parquet file, given its path or its content.

    Raises
    ------
    NotATable
        ``malformed``, also if it holds a type that would stop the reader.
    """
    with naming_faults():
        footer = pq.read_metadata(pa.BufferReader(source) if isinstance(source, bytes) else source)
    for place in range(footer.num_columns):
        column = footer.schema.column(place)
        if column.converted_type == "INTERVAL":
            raise NotATable("malformed", f"{column.path!r} is of intervals, which are of no fixed length")
    return footer


def content_frame(of: str, content: bytes) -> pl.DataFrame:
    """Read a whole Parquet or JSON lines file; see `delimited` for CSV."""
    if of == "parquet":
        return pl.read_parquet(io.BytesIO(content))
    return lines_frame(unicode(content)[0])


def pieces(storage: Storage, of: str, file: File, found: Print) -> Iterator[pl.LazyFrame]:
    """Yield a file's rows in order as frames of its columns, without holding the file in memory.

    Raises
    ------
    NotATable
        If it cannot be read.
    """
    with naming_faults():
        if of == "parquet":
            with storage.local(file) as path:
                yield pl.scan_parquet(path, glob=False, hive_partitioning=False)
            return
        dialect = dict(found.dialect)
        with storage.open(file) as packed, unpacked(packed) as handle:
            if of == "jsonl" and "schema" not in dialect:
                yield lines_frame(unicode(handle.read())[0]).lazy()
                return
            script = Script(dialect["encoding"], dialect.get("newline", "\n"))
            texts = delimited.blocks(handle, script, BLOCK, quoted=of == "csv")
            if of == "jsonl":
                schema = schema_of(dialect["schema"])
                yield from (lines_frame(text, schema).lazy() for text in texts if text.strip())
            else:
                yield from _delimited(texts, Dialect(names=tuple(column.name for column in found.columns), **dialect))


def _delimited(texts: Iterator[bytes], dialect: Dialect) -> Iterator[pl.LazyFrame]:
    line, blank = 1, b""
    for number, text in enumerate(texts):
        body = blank + text
        if dialect.header and not number:
            body = text[len(delimited.first_record(text)) :]
            line += 1
        blank = delimited.blank_end(body) if len(dialect.names) == 1 else b""
        frame, rows, faults = delimited.parse_together([body], dialect, line)
        if faults:
            raise faults[0]
        line += rows[0]
        yield frame.lazy()


def batches(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows of a lazy frame in order, about a hundred thousand at a time; of no rows, an empty frame."""
    empty = True
    for batch in frame.collect_batches(maintain_order=True, engine="streaming"):
        empty = False
        yield batch
    if empty:
        yield frame.head(0).collect()
