"""Checking an export as its trainer would read it, without the trainer: columns, types, roles, names, places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.errors import ExportRefused, InputError
from warehouse.exports.files import holds_rows, read_tables
from warehouse.exports.findings import Findings
from warehouse.exports.registry import target as named
from warehouse.exports.row import ROW
from warehouse.exports.target import Finding, Target
from warehouse.fingerprint import file_sha256

__all__ = ["check"]


def check(folder: Path) -> list[Finding]:
    """Hold an export folder against the contract of its target.

    Returns
    -------
    list of Finding
        Empty if the trainer will read exactly what was published.

    Raises
    ------
    InputError
        If the folder is not an export.
    """
    written = _written(folder)
    try:
        return _findings(folder, written)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{folder / 'export.json'} lacks what an export says of itself: {error!r}.", hint="export again."
        ) from error


def _findings(folder: Path, written: dict[str, Any]) -> list[Finding]:
    target = named(written["target"])
    findings = Findings(target)
    findings.place(folder.resolve() / "data")
    problems = list(_strangers(folder, written))
    for part in written["parts"]:
        problems += _part(folder, part, target, findings)
    return [*problems, *findings.all()]


def _written(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "export.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is not an export: {error}.", hint="`sluice export` writes one.") from error


def _strangers(folder: Path, written: dict[str, Any]) -> Iterator[Finding]:
    known = {file["path"] for part in written["parts"] for file in part["files"]}
    found = {path.relative_to(folder).as_posix() for path in (folder / "data").rglob("*") if path.is_file()}
    for path in sorted(found - known):
        yield Finding("stranger", f"{path} would be read as data", "keep other files out of data/.", 0, ())
    for path in sorted(known - found):
        yield Finding("missing_file", f"{path} is gone", "export again.", 0, ())


def _part(folder: Path, part: dict[str, Any], target: Target, findings: Findings) -> list[Finding]:
    rows = 0
    try:
        for file in part["files"]:
            path = folder / file["path"]
            if not holds_rows(file["path"]):
                _beside(path, file["sha256"])
                continue
            for table in read_tables(path, _schema(path, target)):
                findings.look(table)
                rows += table.num_rows
    except FileNotFoundError:
        return []
    except ExportRefused as refused:
        return [Finding("columns", refused.message, refused.hint or "export again.", 0, ())]
    if rows != part["loader_rows"]:
        harm = f"{part['path']} holds {rows} rows, {part['loader_rows']} were written"
        return [Finding("row_count", harm, "export again.", 0, ())]
    return []


def _beside(path: Path, expected: str) -> None:
    """Hold a file that describes rows against what was written: the reader believes it."""
    if file_sha256(path) != expected:
        raise ExportRefused(f"{path.name} is not what was written; the reader believes it.", hint="export again.")


def _schema(path: Path, target: Target) -> pa.Schema:
    """Return the target's schema with the extra columns that the file carries, if it may."""
    if not target.is_open:
        return target.schema
    lazy = pl.scan_parquet(path, glob=False) if path.suffix == ".parquet" else pl.scan_ndjson(escape(str(path)))
    carried = [name for name in lazy.collect_schema().names() if name not in target.schema.names]
    for name in carried:
        if name in target.reserved:
            raise ExportRefused(
                f"{path.name} has a column {name!r}, a name that the trainer uses itself.", hint="rename it."
            )
        if name not in ROW.names:
            raise ExportRefused(f"{path.name} has a column {name!r} that no export writes.", hint="export again.")
    return pa.schema([*target.schema, *(pa.field(name, ROW.column(name).type) for name in carried)])
