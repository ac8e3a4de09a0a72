"""Which files make up a table, and what is known of a table once its files were read."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import polars as pl

from dedup.lake.files.compression import SUFFIXES
from dedup.lake.files.faults import NotATable
from dedup.lake.files.storage import File
from schemas.ids import digest
from schemas.lake import LAKE_REJECTION, LAKE_TABLE

__all__ = ["Column", "Found", "Print", "Rejection", "Table", "grouped", "rejection_frame", "table_frame"]

_FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_PARTITION = re.compile(r"([^=]+)=(.*)")
_PART = re.compile(r"part-[^/]*")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_LOGS = {"_delta_log": "Delta", "metadata": "Iceberg", ".hoodie": "Hudi"}
_SNAPSHOT = ".metadata.json"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something in a lake that is not a table, and why."""

    path: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Column:
    """A leaf column: its dotted path, the name of its type and of the type's family."""

    name: str
    type: str
    family: str


@dataclass(frozen=True, slots=True)
class Print:
    """What was found out about the content of one file, kept by the digest of its bytes.

    Parameters
    ----------
    columns
        Leaf columns, in order.
    block
        Where its cell fingerprints lie: pack, offset in bytes, rows of the block, first row of the file; None if they
        were not kept.
    bounds
        For each column the least and greatest value and the number of nulls, as the module `bounds` writes them.
    dialect
        How a CSV file is written.
    """

    digest: str
    rows: int
    columns: tuple[Column, ...]
    block: tuple[str, int, int, int] | None = None
    bounds: tuple[Any, ...] = ()
    dialect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one file.

    Parameters
    ----------
    print
        What is in it, or why it is not a table; None if it is too large to be read whole.
    bytes_read
        How much of it had to be read.
    """

    file: File
    format: str
    print: Print | NotATable | None
    digest: str = ""
    bytes_read: int = 0


@dataclass(frozen=True)
class Table:
    """A table of a lake.

    Parameters
    ----------
    name
        Path under the lake's root; of a partitioned table, the folder.
    partitions
        For each file the values that its path gives to columns.
    prints
        For each file what was found in it; empty until it was read.
    snapshot
        The version that a warehouse gives it.
    """

    name: str
    format: str
    files: tuple[File, ...]
    partitions: tuple[tuple[tuple[str, str | None], ...], ...]
    prints: tuple[Print, ...] = ()
    columns: tuple[Column, ...] = ()
    snapshot: str | None = None

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return sum(print_.rows for print_ in self.prints)

    @cached_property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)

    @cached_property
    def content_key(self) -> str:
        """Name of the content: files' digests in order, with what their paths say."""
        return digest([[p.digest, list(map(list, keys))] for p, keys in zip(self.prints, self.partitions, strict=True)])

    @property
    def version(self) -> str:
        """What a plan pins."""
        return self.snapshot or self.content_key


def grouped(files: Iterable[File]) -> tuple[list[Table], list[Rejection]]:
    """Put files together to tables, in order of their names.

    Files below folders called ``column=value`` are one table, named by the folder above the first of them; so are
    files called ``part-...`` in one folder. Every other file is a table of its own.
    """
    files = list(files)
    logged = _logged(files)
    faults = {file: fault for file in files if (fault := file.fault or _no_table(PurePosixPath(file.name), logged))}
    faults |= _aliases([file for file in files if file not in faults])
    rejected = [Rejection(file.name, *fault) for file, fault in faults.items()]
    members: dict[str, dict[str, list[File]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        if file not in faults:
            path = PurePosixPath(file.name)
            members[_owner(path)][_format(path)].append(file)
    tables = []
    for name, formats in members.items():
        if len(formats) == 1:
            tables += [_table(name, of, found) for of, found in formats.items()]
        else:
            detail = f"{name} holds {' and '.join(sorted(formats))}; keep each format in a folder of its own"
            rejected += [Rejection(file.name, "mixed_formats", detail) for found in formats.values() for file in found]
    return sorted(tables, key=lambda table: table.name), rejected


def _aliases(files: list[File]) -> dict[File, tuple[str, str]]:
    """Tell the other names of local files that have several: a link must never stand for the file it leads to."""
    names: dict[str, list[File]] = defaultdict(list)
    for file in files:
        if file.mtime_ns:
            names[file.stamp].append(file)
    found = {}
    for same in names.values():
        if len(same) > 1:
            first, *others = sorted(same, key=lambda file: (Path(file.place).is_symlink(), file.name))
            found |= dict.fromkeys(others, ("same_file", f"another name of {first.name}"))
    return found


def _no_table(path: PurePosixPath, logged: Mapping[PurePosixPath, str]) -> tuple[str, str] | None:
    """Return why a path names no file of a table, as reason and detail."""
    if folder := next((folder for folder in path.parents if folder in logged), None) if logged else None:
        return "table_format", f"{logged[folder]} keeps a log of which files of {str(folder)!r} are alive: {_HINT}"
    if any(part.startswith((".", "_")) for part in path.parts):
        return "hidden", "names that begin with . or _ are not data by convention"
    if _format(path) is None:
        return "unknown_format", f"{path.suffix or 'no suffix'}; read are {_SUFFIXES}"
    return None


_SUFFIXES = f"{', '.join(_FORMATS)}, those of text also with {', '.join(SUFFIXES)}"
_HINT = "import it into the warehouse, or point at an export"


def _logged(files: Iterable[File]) -> dict[PurePosixPath, str]:
    """Return the folders of which a log says what files are alive, and which system keeps it.

    Without the log such a folder holds rows that were deleted, and deleting a file of it breaks it.
    """
    found = {}
    for file in files:
        for folder in PurePosixPath(file.name).parents if any(f"{log}/" in file.name for log in _LOGS) else ():
            system = _LOGS.get(folder.name)
            if system and (system != "Iceberg" or file.name.endswith(_SNAPSHOT)):
                found[folder.parent] = system
    return found


def _format(path: PurePosixPath) -> str | None:
    name = path.name.lower()
    packed = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    of = _FORMATS.get(PurePosixPath(name.removesuffix(packed)).suffix)
    return None if packed and of == "parquet" else of


def _owner(path: PurePosixPath) -> str:
    for place, part in enumerate(path.parts[:-1]):
        if _PARTITION.fullmatch(part):
            return str(PurePosixPath(*path.parts[:place])) if place else "."
    return str(path.parent) if _PART.fullmatch(path.name) else str(path)


def _table(name: str, of: str, files: list[File]) -> Table:
    keys = tuple(
        tuple(
            (unquote(found[1]), None if found[2] == _NULL else unquote(found[2]))
            for part in PurePosixPath(file.name).parts[:-1]
            if (found := _PARTITION.fullmatch(part))
        )
        for file in files
    )
    return Table(name, of, tuple(files), keys)


def joined(table: Table, prints: list[Print]) -> Table | Rejection:
    """Return the table with what was read from its files, or why they are not one table."""
    if len(prints) == 1 and not table.partitions[0]:
        return replace(table, prints=tuple(prints), columns=prints[0].columns)
    if any(len(dict(keys)) < len(keys) for keys in table.partitions):
        return Rejection(table.name, "duplicate_columns", "a folder and one within it give values to one column")
    types: dict[str, set[Column]] = {}
    for found in prints:
        for column in found.columns:
            types.setdefault(column.name, set()).add(column)
    for name in dict(key for keys in table.partitions for key in keys):
        if name in types:
            return Rejection(table.name, "duplicate_columns", f"{name!r} is in the files and in their folders")
        types[name] = {Column(name, "String", "text")}
    columns = []
    for name, seen in types.items():
        families = {column.family for column in seen} - {"null"}
        if len(families) > 1:
            said = ", ".join(sorted(column.type for column in seen))
            return Rejection(table.name, "mixed_types", f"{name!r} is {said} in different files")
        named = sorted(column.type for column in seen if column.family in families) or ["Null"]
        columns.append(Column(name, "|".join(dict.fromkeys(named)), next(iter(families), "null")))
    return replace(table, prints=tuple(prints), columns=tuple(columns))


def table_frame(tables: Iterable[Table]) -> pl.DataFrame:
    """Return the tables as the contract `lake_table` has them."""
    rows = [
        {
            "table": table.name,
            "format": table.format,
            "files": json.dumps(
                [
                    {"path": file.name, "bytes": file.bytes, "mtime_ns": file.mtime_ns, "digest": found.digest}
                    for file, found in zip(table.files, table.prints, strict=True)
                ]
            ),
            "rows": table.rows,
            "bytes": table.bytes,
            "columns": json.dumps([{"name": column.name, "type": column.type} for column in table.columns]),
            "content_key": table.content_key,
            "version": table.version,
        }
        for table in tables
    ]
    return pl.DataFrame(rows, schema=pl.Schema(LAKE_TABLE.arrow)).sort("table")


def rejection_frame(rejections: Iterable[Rejection]) -> pl.DataFrame:
    """Return the rejections as the contract `lake_rejection` has them."""
    rows = [(found.path, found.reason, found.detail) for found in rejections]
    return pl.DataFrame(rows, schema=pl.Schema(LAKE_REJECTION.arrow), orient="row").sort("path")
