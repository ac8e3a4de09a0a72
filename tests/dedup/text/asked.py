"""Tables of documents, and what the stage ``text_duplicates`` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from dedup.text.table_stage import text_duplicates
from dedup.text.tables import files_at
from schemas.recipe.dedup import Dedup, PinnedDedup
from schemas.recipe.texts import TextTable
from warehouse.stages import Services

Triple = tuple[str, str, float]


def written(path: Path, rows: Any, alike: Dedup | None = None, **columns: Any) -> TextTable:
    """Write a table in the format of its suffix, and ask for its repetitions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    {".parquet": frame.write_parquet, ".csv": frame.write_csv, ".jsonl": frame.write_ndjson}[path.suffix](path)
    return asked_of(path, alike, **columns)


def asked_of(path: Path | str, alike: Dedup | None = None, **columns: Any) -> TextTable:
    """Ask for the repetitions of what is there; the column ``text`` is compared."""
    pinned = PinnedDedup(**(alike or Dedup()).model_dump())
    return TextTable(files=files_at(str(path)), **{"text": ("text",), "alike": pinned, **columns})


def triples(table: TextTable, services: Services) -> list[Triple]:
    """Return what goes, with its witness and their similarity."""
    rows = text_duplicates({}, table, services).rows
    return rows.select("removed_id", "witness_id", "similarity").collect().rows()


def numbered(texts: list[str]) -> dict[str, list[Any]]:
    """Return texts with ids of one width, in order of preference."""
    return {"id": [f"{number:03d}" for number in range(len(texts))], "text": texts}
