"""Parquet as polars, pyarrow or DuckDB of the same version would write it; what others wrote is not reproduced."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dedup.lake.files.types import column
from schemas.derive.duckdb import literal

__all__ = ["layouts", "write"]

_WRITERS = {"Polars": "polars", "parquet-cpp-arrow": "pyarrow", "DuckDB": "duckdb"}


def layouts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the layout of a Parquet file if one of the known writers made it: schema, codec and row groups."""
    footer = pq.read_metadata(path)
    writer = next((of for name, of in _WRITERS.items() if (footer.created_by or "").startswith(name)), None)
    if writer is None or not footer.num_row_groups or not footer.num_columns:
        return
    sizes = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    even = {*sizes[:-1], max(sizes)} == {sizes[0]}
    layout = {
        "writer": writer,
        "format": footer.format_version,
        "codec": footer.row_group(0).column(0).compression.lower(),
        "group": max(1, *sizes),
        "groups": footer.num_row_groups,
        "schema": base64.b64encode(pq.read_schema(path).serialize()).decode(),
    }
    yield layout if even else {**layout, "sizes": sizes}


def write(rows: pl.LazyFrame, layout: Mapping[str, Any], path: Path) -> None:
    """Write rows with the layout's writer."""
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(layout["schema"])))
    {"polars": _polars, "pyarrow": _pyarrow, "duckdb": _duckdb}[layout["writer"]](_nested(rows, schema), layout, path)


def _nested(rows: pl.LazyFrame, schema: pa.Schema) -> pl.LazyFrame:
    """Return rows in the types of a schema, with structs put together from their leaves."""
    return rows.select(_column(of, name).alias(name) for name, of in pl.Schema(schema).items())


def _column(of: pl.DataType, path: str) -> pl.Expr:
    if isinstance(of, pl.Struct):
        return pl.struct(_column(field.dtype, f"{path}.{field.name}").alias(field.name) for field in of.fields)
    return column(path).cast(of)


def _polars(rows: pl.LazyFrame, layout: Mapping[str, Any], path: Path) -> None:
    size = layout["group"] if layout["groups"] > 1 else None
    rows.sink_parquet(path, compression=layout["codec"], row_group_size=size, maintain_order=True)


def _pyarrow(rows: pl.LazyFrame, layout: Mapping[str, Any], path: Path) -> None:
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(layout["schema"])))
    codec = "none" if layout["codec"] == "uncompressed" else layout["codec"]
    with pq.ParquetWriter(path, schema, compression=codec, version=layout["format"]) as writer:
        start = 0
        for size in layout.get("sizes") or [layout["group"]] * layout["groups"]:
            batch = rows.slice(start, size).collect(engine="streaming")
            writer.write_table(batch.to_arrow().cast(schema).combine_chunks(), row_group_size=layout["group"])
            start += size


def _duckdb(rows: pl.LazyFrame, layout: Mapping[str, Any], path: Path) -> None:
    staging = path.with_suffix(".rows")
    rows.sink_parquet(staging, row_group_size=layout["group"], maintain_order=True)
    codec = "lz4_raw" if layout["codec"] == "lz4" else layout["codec"]
    try:
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (FROM read_parquet({literal(escape(str(staging)))})) TO {literal(str(path))} "
                f"(FORMAT parquet, COMPRESSION {codec}, ROW_GROUP_SIZE {layout['group']})"
            )
    finally:
        staging.unlink()
