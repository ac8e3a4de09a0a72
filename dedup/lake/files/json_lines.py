"""JSON lines as frames: one schema for all records, and no whole number that loses digits on the way."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import polars as pl

from dedup.lake.files.faults import NotATable

__all__ = ["lines_frame", "merged_schema", "schema_of", "schema_text"]

_MARK = "."
"""Makes a name of any column one that polars takes for no pattern."""
_LONG = re.compile(rb"(?<![\w.+-])-?\d{16,}(?![\d.eE])")
"""What may be a whole number that no float equals."""


def lines_frame(text: bytes, schema: pl.Schema | None = None) -> pl.DataFrame:
    """Read records of JSON; a column that mixes whole and other numbers is one of floats.

    Raises
    ------
    NotATable
        ``inexact_numbers`` if a float does not hold all digits of a whole number.
    polars.exceptions.PolarsError
        If it is not JSON lines.
    """
    told: dict[str, Any] = {"infer_schema_length": None} if schema is None else {"schema": schema}
    frame = pl.read_ndjson(io.BytesIO(text), **told)
    if _LONG.search(text) and any("Float" in str(of) for of in frame.dtypes):
        _check(text, frame.schema)
    return frame


def _check(text: bytes, schema: pl.Schema) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        record = json.loads(line) if line.strip() else {}
        for name, of in schema.items():
            if _loses_digits(record.get(name), of):
                told = f"line {number}: {name!r} holds other numbers too, and as a float this one would lose digits"
                raise NotATable("inexact_numbers", told)


def _loses_digits(value: Any, of: pl.DataType) -> bool:
    if isinstance(of, pl.Struct) and isinstance(value, dict):
        return any(_loses_digits(value.get(field.name), field.dtype) for field in of.fields)
    if isinstance(of, pl.List) and isinstance(value, list):
        return any(_loses_digits(item, of.inner) for item in value)
    return of.is_float() and type(value) is int and (abs(value) > 1 << 1023 or int(float(value)) != value)


def merged_schema(schemas: list[pl.Schema]) -> pl.Schema:
    """Return the schema that holds the values of all ``schemas``."""
    frames = [pl.DataFrame(schema={_MARK + name: of for name, of in schema.items()}) for schema in schemas]
    merged = pl.concat(frames, how="diagonal_relaxed").schema
    return pl.Schema({name.removeprefix(_MARK): of for name, of in merged.items()})


def schema_text(schema: pl.Schema) -> str:
    """Write a schema as text; `schema_of` reads it."""
    target = io.BytesIO()
    pl.DataFrame(schema=schema).write_ipc(target)
    return base64.b64encode(target.getvalue()).decode()


def schema_of(text: str) -> pl.Schema:
    """Read a schema that `schema_text` wrote."""
    return pl.Schema(pl.read_ipc_schema(io.BytesIO(base64.b64decode(text))))
