"""CSV and its relatives: separator, quotes, line ends, byte order mark, and which columns are always quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from dedup.lake.files.types import column

__all__ = ["layouts", "write"]

_BOM = b"\xef\xbb\xbf"
_SEEN = 1 << 16
_RECORDS = 50
_QUOTE = '"'


def layouts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the layout of a CSV file, from its first records and its last bytes."""
    with path.open("rb") as file:
        head = file.read(_SEEN)
        file.seek(max(0, path.stat().st_size - 2))
        tail = file.read()
    text = head.removeprefix(_BOM).decode("utf-8", errors="replace")
    separator = max(",;\t|", key=text.partition("\n")[0].count)
    header, *body = list(islice(_records(text, separator), _RECORDS))[: None if len(head) < _SEEN else -1] or [_EMPTY]
    found = {
        "separator": separator,
        "newline": header.end or "\n",
        "bom": head.startswith(_BOM),
        "ends": tail.endswith(b"\n"),
        "header": header.text,
        "quoted": _quoted(body),
    }
    yield found
    if not found["quoted"]:
        yield found | {"quoted": list(range(len(header.quoted)))}


@dataclass(frozen=True, slots=True)
class _Record:
    """A record as it stands, the line break after it, and which of its fields stand in quotes."""

    text: str
    end: str
    quoted: tuple[bool, ...]


_EMPTY = _Record("", "", ())


def _records(text: str, separator: str) -> Iterator[_Record]:
    apart = re.escape(separator)
    field = re.compile(rf"""("(?:[^"]|"")*"|[^{apart}\r\n]*)({apart}|\r?\n|\r|$)""")
    start, quoted = 0, []
    for found in field.finditer(text):
        quoted.append(found[1].startswith(_QUOTE))
        if found[2] != separator:
            yield _Record(text[start : found.start(2)], found[2], tuple(quoted))
            start, quoted = found.end(), []


def _quoted(records: list[_Record]) -> list[int]:
    """Return the places of the fields that stand in quotes in every record."""
    marks = [record.quoted for record in records if record.text]
    return [place for place, column in enumerate(zip(*marks, strict=False)) if all(column)]


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
    text = column(name).cast(pl.String)
    within = _QUOTE + text.str.replace_all(_QUOTE, _QUOTE * 2, literal=True) + _QUOTE
    if always:
        return within.fill_null("")
    needed = text.str.contains_any([separator, _QUOTE, "\n", "\r"]) | (text == "")
    return pl.when(needed).then(within).otherwise(text).fill_null("")
