"""Writing rows as the files they once were: the layout of a file is read off it, and used to write its like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dedup.retention.recipes.render import delimited, objects, parquet

__all__ = ["layouts", "write"]

_KINDS = {"csv": delimited, "jsonl": objects, "parquet": parquet}


def layouts(path: Path, of: str) -> Iterator[dict[str, Any]]:
    """Yield layouts in which a file may have been written, the likeliest first.

    Parameters
    ----------
    of
        Its format: csv, jsonl or parquet.
    """
    for layout in _KINDS[of].layouts(path):
        yield {"kind": of, **layout}


def write(rows: pl.LazyFrame, layout: Mapping[str, Any], path: Path) -> None:
    """Write rows in a layout. The result is a guess, to be held against the file's digest.

    Parameters
    ----------
    rows
        Columns by their dotted names.
    """
    _KINDS[layout["kind"]].write(rows, layout, path)
