"""Raw tables as a policy reads them: its columns in its types, or a named difference and no row at all."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from privacy.minimize.compile.python_target import TEXTS
from privacy.minimize.policy import Policy
from privacy.minimize.rules import TypeName, type_name
from schemas.errors import InputError, SchemaDrift, UsageError

__all__ = ["FORMATS", "Typed", "checked", "from_text", "read_typed", "scan", "scan_typed", "suffix_of"]

FORMATS = (".csv", ".csv.gz", ".jsonl", ".parquet")
_BROKEN = (OSError, EOFError, zlib.error, csv.Error, pl.exceptions.PolarsError)
"""What libraries raise over a file that is damaged, or not in its format."""
_QUOTED = re.compile("`[^`]*`?")
_LAST_EMPTY = (pl.last().cast(pl.String).fill_null("") == "").any()
_SHAPE = pl.struct(pl.struct(pl.all().null_count()).alias("cells"), _LAST_EMPTY.alias("last empty")).alias("")
"""Looks at every cell of a CSV file: where columns are left out, polars does not see that a row has too many cells.
A row of too few cells ends in missing ones."""
_SCALE = 18
"""Digits after the point of decimals that are passed through."""


class Typed(NamedTuple):
    """The type of a raw column.

    Parameters
    ----------
    scale
        Digits after the point that decimals of a rule have at most.
    stored
        True for what is passed through: whole numbers of it must fit into 64 bits.
    """

    kind: TypeName
    scale: int | None = None
    stored: bool = False


def suffix_of(path: Path) -> str:
    """Return which of `FORMATS` a file is in.

    Raises
    ------
    UsageError
        If it is in none.
    """
    found = next((suffix for suffix in FORMATS if path.name.endswith(suffix)), None)
    if found is None:
        raise UsageError(f"{str(path)!r} is in no known format.", hint=f"known are {', '.join(FORMATS)}.")
    return found


def scan(path: Path, missing: Iterable[str] = ("",)) -> pl.LazyFrame:
    """Return a table of client records lazily, its types found from all of its values.

    Parameters
    ----------
    path
        File in one of `FORMATS`.
    missing
        Texts that stand for a missing value in CSV files.

    Raises
    ------
    InputError
        If the file cannot be read, or is empty.
    UsageError
        If it is in no known format.
    """
    kind = suffix_of(path)
    try:
        if kind == ".parquet":
            found = pl.scan_parquet(path, glob=False)
        elif kind == ".jsonl":
            found = pl.scan_ndjson(escape(str(path)), infer_schema_length=None)
        else:
            found = _scan_csv(path, missing, infer_schema_length=None, try_parse_dates=True)
            _refuse_short(path, found.select(_SHAPE).collect(engine="streaming").item())
        found.collect_schema()
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    return found


def scan_typed(path: Path, policy: Policy) -> pl.LazyFrame:
    """Return a table lazily, with the columns and types that a policy was made for, and no other.

    Parameters
    ----------
    path
        CSV (also gzipped) or Parquet file. Cells of a CSV file are text; each must read as a value of its type.

    Raises
    ------
    SchemaDrift
        If a column is missing, unknown or of another type; for CSV files with the first row to blame.
    InputError
        If the file cannot be read.
    """
    try:
        if suffix_of(path) == ".parquet":
            return checked(pl.scan_parquet(path, glob=False), policy, str(path))
        texts = _scan_csv(path, policy.missing, infer_schema=False)
        _refuse(str(path), _names_off(texts.collect_schema().names(), policy))
        _refuse_texts(texts, policy, path)
        return texts.with_columns(from_text(name, of) for name, of in _types(policy).items())
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def read_typed(path: Path, policy: Policy) -> pl.DataFrame:
    """Return a table at full resolution in memory, with the columns that a policy was made for.

    Whole numbers are as narrow as they fit; columns of which the policy stores nothing have the types that their
    values show.

    Parameters
    ----------
    path
        File in one of `FORMATS`.

    Raises
    ------
    SchemaDrift, InputError
        As `scan_typed`.
    """
    if suffix_of(path) in (".jsonl", ".parquet"):
        return checked(scan(path, policy.missing), policy, str(path)).collect()
    found = scan_typed(path, policy).collect()
    wide = [name for name, of in found.schema.items() if of == pl.Int128 and _narrow(found[name])]
    unstored = [name for name in found.columns if name not in _types(policy)]
    shown = scan(path, policy.missing).select(unstored).collect()
    return found.with_columns(*shown, *(found[name].cast(pl.Int64) for name in wide))


def _narrow(values: pl.Series) -> bool:
    return values.cast(pl.Int64, strict=False).null_count() == values.null_count()


def checked(frame: pl.LazyFrame, policy: Policy, place: str) -> pl.LazyFrame:
    """Return ``frame`` if it has the columns and types that a policy was made for.

    Raises
    ------
    SchemaDrift
        Otherwise, with every difference; ``place`` stands before each.
    """
    schema = frame.collect_schema()
    _refuse(place, [*_names_off(schema.names(), policy), *_types_off(schema, policy)])
    return frame


def from_text(name: str, of: Typed) -> pl.Expr:
    """Return the expression that reads a column of texts; what is no value of the type becomes null."""
    text = pl.col(name)
    readable = pl.when(text.str.contains(f"^(?:{_pattern(of)})$")).then(text)
    return _READ[of.kind](readable, of).alias(name)


def _scan_csv(path: Path, missing: Iterable[str], **reading: Any) -> pl.LazyFrame:
    """Scan a CSV file; its header is read by the standard library, for polars keeps doubled quotes in names."""
    texts, names = list(missing), _header(path)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SchemaDrift(str(path), [f"column {name!r} is there twice" for name in twice])
    return pl.scan_csv(
        path,
        null_values=texts,
        empty_string_is_null="" in texts,
        glob=False,
        with_column_names=lambda found: names if len(found) == len(names) else found,
        **reading,
    )


def _header(path: Path) -> list[str]:
    return next(_csv_rows(path), [])


def _csv_rows(path: Path) -> Iterator[list[str]]:
    opened = gzip.open if path.suffix == ".gz" else Path.open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:  # type: ignore[operator]
        try:
            yield from csv.reader(file)
        except UnicodeDecodeError as error:
            raise InputError(f"{str(path)!r} is not UTF-8 text: {error.reason} at byte {error.start}.") from error


def _refuse_short(path: Path, shape: Mapping[str, Any]) -> None:
    """Refuse a row of fewer cells than the header, and a blank line: polars fills both with missing values."""
    if not shape["last empty"] or len(shape["cells"]) == 1:
        return
    for number, row in enumerate(_csv_rows(path)):
        if len(row) < len(shape["cells"]):
            raise InputError(
                f"{str(path)!r} cannot be read: row {number:,} has {len(row)} of {len(shape['cells'])} cells.",
                hint=_SHAPES[suffix_of(path)],
            )


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{str(path)!r} is not there.", hint="name a file, as seen from the folder that you are in.")
    said = _QUOTED.sub("a value", str(error))  # polars quotes the cell, which may be anybody's
    lines = said.strip().splitlines() or [type(error).__name__]
    return InputError(f"{str(path)!r} cannot be read: {lines[0]}", hint=_SHAPES[suffix_of(path)])


_SHAPES = {
    ".csv": "a CSV file has a header and as many cells in each row; text is UTF-8.",
    ".csv.gz": "it should be a whole CSV file, gzipped, with a header and as many cells in each row; text is UTF-8.",
    ".jsonl": "JSON lines are one object per line, in UTF-8 without a byte order mark.",
    ".parquet": "it should be a whole Parquet file.",
}


def _types(policy: Policy) -> dict[str, Typed]:
    rules = {name: Typed(rule.type, getattr(rule, "scale", None)) for name, rule in policy.kept.items()}
    return rules | {name: Typed(kind, stored=True) for name, kind in policy.passthrough.items()}


def _refuse(place: str, faults: Iterable[str]) -> None:
    if found := list(faults):
        raise SchemaDrift(place, found)


def _names_off(names: list[str], policy: Policy) -> Iterator[str]:
    for name in policy.inputs:
        if name not in names:
            known = name in policy.targets
            yield f"column {name!r} is missing" + (", a target: `--without-targets` does without it" if known else "")
    yield from (f"column {name!r} is not in the policy" for name in names if name not in policy.inputs)


def _types_off(schema: Mapping[str, pl.DataType], policy: Policy) -> Iterator[str]:
    for name, wanted in _types(policy).items():
        if name not in schema:
            continue
        of = schema[name]
        if type_name(of) != wanted.kind:
            yield f"column {name!r} is {of}; the policy was made for type {wanted.kind}"
        elif isinstance(of, pl.Decimal) and wanted.scale is not None and not _has_room(of, wanted.scale):
            yield f"column {name!r} is {of}; the policy was made for {wanted.scale} digits after the point"


def _has_room(of: pl.Decimal, scale: int) -> bool:
    return of.scale <= scale and of.precision - of.scale + scale <= 38  # noqa: PLR2004 - digits of the widest decimal


def _refuse_texts(texts: pl.LazyFrame, policy: Policy, path: Path) -> None:
    types = _types(policy)
    off = {name: _is_off(name, of) for name, of in types.items() if of.kind != "str"}
    sums = [broken.sum().alias(name) for name, broken in off.items()]
    counts = texts.select(*sums, _SHAPE).collect(engine="streaming").row(0, named=True)
    _refuse_short(path, counts[""])
    broken = {name: counts[name] for name in off if counts[name]}
    _refuse(str(path), [_told(texts, name, off[name], count, types[name].kind) for name, count in broken.items()])


def _is_off(name: str, of: Typed) -> pl.Expr:
    return pl.col(name).is_not_null() & from_text(name, of).is_null()


def _told(texts: pl.LazyFrame, name: str, off: pl.Expr, count: int, kind: str) -> str:
    """Tell the first row to blame, not what stands in it: it may be anybody's."""
    row = texts.with_row_index("", 1).filter(off).select("").head(1).collect(engine="streaming").item()
    others = f", and in {count - 1:,} more rows" if count > 1 else ""
    return f"row {row:,}: column {name!r}: a value is not of type {kind}{others}"


def _pattern(of: Typed) -> str:
    return TEXTS[of.kind] if of.scale is None else rf"[+-]?[0-9]+(?:\.[0-9]{{0,{of.scale}}}0*)?"


def _int(text: pl.Expr, of: Typed) -> pl.Expr:
    return text.cast(pl.Int64 if of.stored else pl.Int128, strict=False)


def _decimal(text: pl.Expr, of: Typed) -> pl.Expr:
    return text.cast(pl.Decimal(38, _SCALE if of.scale is None else of.scale), strict=False)


def _moment(text: pl.Expr, _: Typed) -> pl.Expr:
    """Read a date and time; a moment between two microseconds becomes the later one."""
    spaced = text.str.replace("T", " ", literal=True)
    whole = spaced.str.replace(r"^(.{16})$", "$1:00").str.replace(r"(\.[0-9]{6})[0-9]+$", "$1")
    read = whole.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    between = text.str.contains(r"\.[0-9]{6}0*[1-9]")
    return read + pl.when(between).then(pl.duration(microseconds=1)).otherwise(pl.duration(microseconds=0))


def _instant(text: pl.Expr, of: Typed) -> pl.Expr:
    offset = text.str.extract_groups(r"(?:(Z)|([+-])([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?)$")
    hours, minutes, seconds = (offset.struct[place].cast(pl.Int64).fill_null(0) for place in (2, 3, 4))
    ahead = pl.duration(hours=hours, minutes=minutes, seconds=seconds)
    local = _moment(text.str.replace(r"(?:Z|[+-][0-9:]+)$", ""), of)
    return pl.when(offset.struct[1] == "-").then(local + ahead).otherwise(local - ahead).dt.replace_time_zone("UTC")


_READ: dict[TypeName, Callable[[pl.Expr, Typed], pl.Expr]] = {
    "int": _int,
    "float": lambda text, _: text.cast(pl.Float64, strict=False),
    "decimal": _decimal,
    "date": lambda text, _: text.str.to_date("%Y-%m-%d", strict=False),
    "datetime": _moment,
    "instant": _instant,
    "bool": lambda text, _: text.str.to_lowercase() == "true",
    "str": lambda text, _: text,
}
