"""CSV and its relatives: separator, quotes, line ends, byte order mark, and which columns are always quoted."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

__all__ = ["layouts", "write"]

_BOM = b"\xef\xbb\xbf"
_SEEN = 1 << 16
_LINES = 50
_QUOTE = '"'


def layouts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the layout of a CSV file, from its first lines and its last bytes."""
    with path.open("rb") as file:
        head = file.read(_SEEN)
        file.seek(max(0, path.stat().st_size - 2))
        tail = file.read()
    text = head.removeprefix(_BOM).decode("utf-8", errors="replace")
    first = text.split("\n", 1)[0]
    separator = max(",;\t|", key=first.count)
    newline = "\r\n" if first.endswith("\r") else "\n"
    lines = text.split(newline)[: -1 if len(head) == _SEEN else None]
    found = {
        "separator": separator,
        "newline": newline,
        "bom": head.startswith(_BOM),
        "ends": tail.endswith(b"\n"),
        "header": lines[0],
        "quoted": _quoted(lines[1:_LINES], separator),
    }
    yield found
    if not found["quoted"]:
        yield found | {"quoted": list(range(len(next(csv.reader([lines[0]], delimiter=separator), []))))}


def _quoted(lines: list[str], separator: str) -> list[int]:
    """Return the places of the columns in which every cell of some lines stands in quotes."""
    always: list[bool] | None = None
    for line in islice((line for line in lines if line), _LINES):
        cells = next(csv.reader([line], delimiter=separator, quoting=csv.QUOTE_NONE), [])
        marks = [cell.startswith(_QUOTE) and cell.endswith(_QUOTE) and len(cell) > 1 for cell in cells]
        if always is None:
            always = marks
        if len(marks) == len(always):
            always = [one and other for one, other in zip(always, marks, strict=True)]
    return [place for place, one in enumerate(always or []) if one]


def write(rows: pl.LazyFrame, layout: Mapping[str, Any], path: Path) -> None:
    """Write rows as lines under the header that the layout names."""
    separator, newline = layout["separator"], layout["newline"]
    names = rows.collect_schema().names()
    always = set(layout["quoted"])
    cells = [_cell(name, separator, always=place in always) for place, name in enumerate(names)]
    line = pl.concat_str(cells, separator=separator).alias(layout["header"])
    rows.select(line).sink_csv(
        path,
        include_bom=layout["bom"],
        quote_style="never",
        line_terminator=newline,
        maintain_order=True,
    )
    if not layout["ends"]:
        with path.open("rb+") as file:
            file.truncate(max(0, path.stat().st_size - len(newline)))


def _cell(name: str, separator: str, *, always: bool) -> pl.Expr:
    """Return a column's cells as they stand between separators: null as nothing, quotes where they must be."""
    text = pl.col(name).cast(pl.String)
    within = _QUOTE + text.str.replace_all(_QUOTE, _QUOTE * 2, literal=True) + _QUOTE
    if always:
        return within.fill_null("")
    needed = text.str.contains_any([separator, _QUOTE, "\n", "\r"]) | (text == "")
    return pl.when(needed).then(within).otherwise(text).fill_null("")
