"""CSV: how a file is written, and its records as columns of text.

Records follow RFC 4180: fields may be quoted, quoted fields may hold separators and line ends. An empty field is null,
a quoted empty one is the empty text. Every record must have as many fields as the first; blank lines are no records,
except between the records of a single column, where they are nulls.

The first record names the columns, unless it reads like the records that follow: it holds a number that is no year,
and in no column does it stand as a number above words or as a word above numbers. What pandas writes for columns
without names are names too: three numbers or more that count from 0 or 1, or nothing above an index.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import IO, Any

import numpy as np
import polars as pl

from dedup.lake.files.faults import NotATable
from dedup.lake.files.scripts import Script, texts

__all__ = [
    "Dialect",
    "blank_end",
    "blocks",
    "first_record",
    "parse_together",
    "sniff",
]

_SEPARATORS = ",;\t|"
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_SAMPLE = 50
_HEAD = 1 << 16
_LONGEST = 1 << 26
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_YEAR = re.compile(r"[12]\d{3}")
_MISSING = re.compile(r"\s*(na|n/a|nan|null|none|[-.?])?\s*", re.IGNORECASE)
_COUNTED = 3


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written.

    Parameters
    ----------
    header
        Whether the first record names the columns; they are called ``column_1``, ... otherwise.
    encoding, newline
        As `Script` has them.
    """

    separator: str
    names: tuple[str, ...]
    header: bool = True
    encoding: str = "utf-8"
    newline: str = "\n"

    def told(self) -> dict[str, Any]:
        """Return the dialect as a JSON object, without the names."""
        return {name: value for name, value in asdict(self).items() if name != "names"}


def first_record(text: bytes) -> bytes:
    """Return the bytes of the first record, line end included."""
    end = text.find(b"\n") + 1
    while end and text.count(b'"', 0, end) % 2:
        end = text.find(b"\n", end) + 1
    return text[: end or len(text)]


def sniff(text: bytes, script: Script) -> Dialect:
    """Find out how a file is written from its first records.

    Raises
    ------
    NotATable
        ``duplicate_columns``, ``malformed`` or ``quotes``.
    """
    record = first_record(text)
    first = record.decode().strip("\r\n")
    if first.count('"') % 2:
        raise NotATable("quotes", "the first record opens a quotation that is never closed")
    dialect = _plain(first) or _from_body(first, text[len(record) :][:_HEAD].decode(errors="ignore"))
    if len(set(dialect.names)) < len(dialect.names):
        twice = next(name for name in dialect.names if dialect.names.count(name) > 1)
        raise NotATable("duplicate_columns", f"{twice!r} names {dialect.names.count(twice)} columns")
    return replace(dialect, encoding=script.encoding, newline=script.newline)


@lru_cache(maxsize=1024)
def _plain(first: str) -> Dialect | None:
    """Return the dialect if the first record alone tells it: one candidate for the separator, and no numbers."""
    candidates = [separator for separator in _SEPARATORS if separator in first]
    if len(candidates) > 1:
        return None
    separator = (candidates or [_SEPARATORS[0]])[0]
    names = _fields(first, separator)
    return None if not names or any(map(_is_value, names)) else Dialect(separator, _named(names))


def _from_body(first: str, body: str) -> Dialect:
    names = {separator: fields for separator in _SEPARATORS if (fields := _fields(first, separator))}
    if not names:
        told = f"the first record, {first[:40]!r}..., goes on after a carriage return: lines end in different ways"
        raise NotATable("malformed", told)
    fitting = {
        separator: [record for record in _split(body, separator) if len(record) == len(fields)]
        for separator, fields in names.items()
    }

    def fit(separator: str) -> tuple[int, int]:
        width = len(names[separator])
        return len(fitting[separator]) if width > 1 else 0, width

    separator = max(names, key=fit)
    if _is_record(names[separator], fitting[separator]):
        return Dialect(separator, _named([""] * len(names[separator])), header=False)
    return Dialect(separator, _named(names[separator]))


def _is_record(first: list[str], body: list[list[str]]) -> bool:
    """Tell whether a first record is one of data, given some that follow."""
    if not body or not any(map(_is_value, first)) or _counts(first, body):
        return False
    for name, values in zip(first, zip(*body, strict=True), strict=True):
        below = {bool(_NUMBER.fullmatch(value)) for value in values if not _MISSING.fullmatch(value)}
        if below == {not _NUMBER.fullmatch(name)} and not _MISSING.fullmatch(name):
            return False
    return True


def _counts(first: list[str], body: list[list[str]]) -> bool:
    """Tell whether a first record counts the columns, or leaves an index without a name."""
    numbers = [name for name in first if _NUMBER.fullmatch(name)]
    counted = any(numbers == [str(start + place) for place in range(len(numbers))] for start in (0, 1))
    return (counted and len(numbers) >= _COUNTED) or (not first[0] and body[0][0] in {"0", "1"})


def _named(names: list[str]) -> tuple[str, ...]:
    """Call a column without a name by its place."""
    return tuple(name or f"column_{place}" for place, name in enumerate(names, start=1))


def _is_value(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and not _YEAR.fullmatch(text)


def _fields(record: str, separator: str) -> list[str]:
    """Return the fields of one record; none if it falls apart into several."""
    fields, *more = list(_split(record, separator)) or [[""]]
    return [] if more else fields


def _split(text: str, separator: str) -> Iterator[list[str]]:
    """Yield the fields of the first records of a text."""
    try:
        yield from islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), _SAMPLE)
    except csv.Error as error:
        raise NotATable("malformed", f"the record {text[:40]!r}... cannot be split: {error}") from error


def parse_together(
    bodies: list[bytes], dialect: Dialect, first_line: int = 2
) -> tuple[pl.DataFrame, list[int], dict[int, NotATable]]:
    """Read the records of several files of one dialect at once.

    Parameters
    ----------
    bodies
        UTF-8 text without the header.
    first_line
        Number of the record that begins each body, for what is said of faults.

    Returns
    -------
    tuple
        All records as text; the number of records of each file; what is wrong with the files that have none.
    """
    bodies = [body.rstrip(b"\r\n") for body in bodies]
    faults = {
        place: NotATable("quotes", "a quotation is opened and never closed")
        for place, body in enumerate(bodies)
        if body.count(b'"') % 2
    }
    while True:
        good = [place for place, body in enumerate(bodies) if place not in faults and body]
        together = b"\n".join(bodies[place] for place in good)
        starts, lengths, fields = _records(together, dialect.separator)
        owner = _owners(starts, [len(bodies[place]) for place in good])
        wrong = np.flatnonzero(fields != len(dialect.names))
        if not len(wrong):
            break
        blank = set(owner[wrong[lengths[wrong] == 0]].tolist())
        for record in wrong[lengths[wrong] > 0][::-1].tolist():
            line = record - int(np.searchsorted(owner, owner[record])) + first_line
            faults[good[owner[record]]] = _ragged(line, int(fields[record]), dialect)
        for number in blank:
            bodies[good[number]] = _without_blank_lines(bodies[good[number]])
    rows = np.zeros(len(bodies), np.int64)
    rows[good] = np.bincount(owner, minlength=len(good)) if good else []
    return _parsed(bodies, good, rows, dialect, faults)


def _parsed(
    bodies: list[bytes], good: list[int], rows: np.ndarray, dialect: Dialect, faults: dict[int, NotATable]
) -> tuple[pl.DataFrame, list[int], dict[int, NotATable]]:
    try:
        frame = _frame_of(b"\n".join(bodies[place] for place in good), dialect)
        if frame.height == rows.sum():
            return frame, rows.tolist(), faults
        told = f"{frame.height} records where the quotes make {rows.sum()}"
    except pl.exceptions.PolarsError as error:
        told = str(error).split("\n")[0]
    if len(good) == 1:
        faults = {**faults, good[0]: NotATable("quotes", told)}
        return _frame_of(b"", dialect), [0] * len(bodies), faults
    frames = []
    for place in good:
        frame, counted, found = parse_together([bodies[place]], dialect)
        frames.append(frame)
        rows[place] = counted[0]
        faults.update((place, fault) for fault in found.values())
    return pl.concat(frames), rows.tolist(), faults


def _frame_of(body: bytes, dialect: Dialect) -> pl.DataFrame:
    """Read well-formed records as columns of text."""
    schema = dict.fromkeys(dialect.names, pl.String)
    if not body:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(body, has_header=False, schema=schema, separator=dialect.separator, infer_schema=False)


def blocks(handle: IO[bytes], script: Script, size: int, *, quoted: bool = True) -> Iterator[bytes]:
    """Cut a file into runs of whole records of about ``size`` bytes, as UTF-8 without byte order mark, header included.

    Parameters
    ----------
    quoted
        Whether a line end between quotes is part of a record.

    Raises
    ------
    NotATable
        ``quotes`` if no record ends within 64 MiB.
    """
    rest = b""
    for text in texts(handle, script, size):
        rest += text
        end = _record_end(rest) if quoted else rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > _LONGEST:
            raise NotATable("quotes", f"no record ends within {_LONGEST} bytes")
    if rest:
        yield rest


def blank_end(body: bytes) -> bytes:
    """Return the blank lines that a run of records ends with: nulls of a single column if records follow."""
    records = body.rstrip(b"\r\n")
    return body[len(records) :].removeprefix(b"\r").removeprefix(b"\n") if records else body


def _record_end(text: bytes) -> int:
    """Return where the last whole record ends."""
    end = text.rfind(b"\n") + 1
    while end and text.count(b'"', 0, end) % 2:
        end = text.rfind(b"\n", 0, end - 1) + 1
    return end


def _records(text: bytes, separator: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where each record starts, its length without line end, and its number of fields."""
    if not text:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    codes = np.frombuffer(text, np.uint8)
    ends, separators = codes == _NEWLINE, codes == ord(separator)
    if b'"' in text:
        outside = (np.cumsum(codes == _QUOTE, dtype=np.uint8) & 1) == 0
        ends &= outside
        separators &= outside
    stops = np.append(np.flatnonzero(ends), len(codes))
    starts = np.concatenate(([0], stops[:-1] + 1))
    lengths = stops - starts
    lengths -= (lengths > 0) & (codes[np.maximum(stops - 1, 0)] == ord("\r"))
    before = np.searchsorted(np.flatnonzero(separators), np.append(starts, len(codes)))
    return starts, lengths, np.diff(before) + 1


def _owners(starts: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Return for each record the number of the body that it stands in, bodies being joined by line ends."""
    begins = np.cumsum([0, *(size + 1 for size in sizes)])
    return np.searchsorted(begins, starts, side="right") - 1


def _ragged(line: int, fields: int, dialect: Dialect) -> NotATable:
    found = f"record {line} has {fields} fields, the first has {len(dialect.names)}"
    return NotATable("ragged", f"{found} (separator {dialect.separator!r})")


def _without_blank_lines(body: bytes) -> bytes:
    starts, lengths, _ = _records(body, _SEPARATORS[0])
    kept = [body[start : start + size] for start, size in zip(starts.tolist(), lengths.tolist(), strict=True) if size]
    return b"\n".join(kept)
