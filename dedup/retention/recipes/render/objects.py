"""JSON lines: one object a line, in the spelling that a file's first lines show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

__all__ = ["layouts", "write"]

_LINES = 50
_BATCH = 8_192
_SPACED, _TIGHT = [", ", ": "], [",", ":"]


def layouts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the layout of a JSON lines file: spaces, escapes, and whether absent values are left out."""
    with path.open("rb") as file:
        lines = [line.decode("utf-8", errors="replace") for line in islice(file, _LINES)]
        file.seek(max(0, path.stat().st_size - 1))
        ends = file.read() == b"\n"
    text = "".join(lines)
    shared = {
        "newline": "\r\n" if lines and lines[0].endswith("\r\n") else "\n",
        "ends": ends,
        "separators": _SPACED if '": ' in text else _TIGHT,
        "ascii": text.isascii(),
    }
    for sparse in (False, True) if "null" in text else (True, False):
        yield shared | {"sparse": sparse}


def write(rows: pl.LazyFrame, layout: Mapping[str, Any], path: Path) -> None:
    """Write rows as objects; a dotted name becomes an object within."""
    newline, first = layout["newline"], True
    with path.open("w", encoding="utf-8", newline="") as file:
        for batch in rows.collect_batches(chunk_size=_BATCH, maintain_order=True):
            for row in batch.iter_rows(named=True):
                file.write(("" if first else newline) + _line(row, layout))
                first = False
        if layout["ends"] and not first:
            file.write(newline)


def _line(row: Mapping[str, Any], layout: Mapping[str, Any]) -> str:
    nested: dict[str, Any] = {}
    for name, value in row.items():
        if value is None and layout["sparse"]:
            continue
        *outer, last = name.split(".")
        place = nested
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return json.dumps(nested, ensure_ascii=layout["ascii"], separators=layout["separators"], default=str)
