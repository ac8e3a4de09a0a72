"""A table of documents freed of repetitions: found, published, and written where a person asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from dedup.text.against import pinned, pinned_version, published_texts
from dedup.text.report.page import write as write_page
from dedup.text.report.view import View
from dedup.text.table_stage import TEXT_DUPLICATES
from dedup.text.tables import FORMATS, files_at, named, readable, scan, texts_of
from schemas.errors import InputError, SluiceError, UsageError
from schemas.ids import canonical_json, digest
from schemas.recipe.dedup import Dedup
from schemas.recipe.texts import TextTable
from schemas.texts import STEPS
from warehouse import explore
from warehouse.gate import audit
from warehouse.house import Warehouse
from warehouse.invariants import Build as AuditedBuild
from warehouse.publish import Published
from warehouse.runner import run_stage
from warehouse.stages import Services, StageRun

__all__ = [
    "TextDuplicates",
    "default_name",
    "find",
    "finish",
    "summary",
    "table_of",
    "write_kept",
    "write_removed",
]

_SUFFIXES = (".parquet", ".csv", ".jsonl")


@dataclass(frozen=True)
class TextDuplicates:
    """What was found in a table.

    Parameters
    ----------
    table
        What was read, and how.
    run
        The finished stage.
    published
        The version of the removals.
    page
        What its page is called: the version, or the run if the version was published by another.
    """

    table: TextTable
    run: StageRun
    published: Published
    page: str

    @property
    def name(self) -> str:
        """The removals' version, ``NAME@VERSION``."""
        return f"{self.published.version.name}@{self.published.version.version}"


def table_of(table: str, warehouse: Warehouse, text: tuple[str, ...], identity: str | None, alike: Dedup) -> TextTable:
    """Return what ``table`` names: files by path, folder or pattern, or else a dataset; its columns are the person's.

    Of a dataset with prompts, ``prompt`` is the text and ``problem_id`` the id unless columns are named.

    Raises
    ------
    InputError
        If there is neither a file nor a dataset of that name, or a file cannot be read.
    UsageError
        If there is no such version, or no column of a file is named.
    """
    certain = pinned(alike, warehouse)
    if files := files_at(table):
        if not text:
            raise UsageError("no column is named.", hint="--text COLUMN says what is compared; give it several times.")
        return TextTable(files=files, text=text, id=identity, alike=certain)
    if table.partition("@")[0] not in warehouse.datasets():
        raise InputError(
            f"{table} is neither a file nor a dataset of {warehouse.root}.",
            hint=f"give a file, a folder or a quoted pattern of {', '.join(FORMATS)}, or NAME or NAME@VERSION.",
        )
    dataset = pinned_version(table, warehouse)
    if text:
        return TextTable(dataset=dataset, text=text, id=identity, alike=certain)
    return TextTable(dataset=dataset, text=("prompt",), id=identity or "problem_id", alike=certain)


def default_name(table: str) -> str:
    """Return the name of the dataset that the removals of a table become.

    Examples
    --------
    >>> default_name("data/my prompts.jsonl"), default_name("prompts@1.0.0")
    ('my_prompts_duplicates', 'prompts_duplicates')
    """
    stem = re.sub(r"[^A-Za-z0-9]+", "_", Path(table.partition("@")[0]).stem).strip("_").lower()
    return f"{stem or 'texts'}_duplicates"[-100:]


def find(table: TextTable, name: str, warehouse: Warehouse, services: Services) -> TextDuplicates:
    """Find the removals of a table, or read them where that was done before, and publish them as dataset ``name``.

    Raises
    ------
    InputError, UsageError
        If the table cannot be read as asked.
    GateFailed, GateBroken, PublishConflict, WarehouseError
        As `Warehouse.publish`.
    """
    began = datetime.now(UTC)
    run = run_stage(TEXT_DUPLICATES, {}, table, services)
    run_id = f"run_{digest([run.key, name, version('sluice')])[:16]}"
    counts = [_counted(step) for step in _steps(run, warehouse).to_dicts()]
    entry = _entry(table, name, run, began) | {"run_id": run_id, "counts": canonical_json(counts)}
    context = AuditedBuild(warehouse.workspace, content_hash=run.rows.content_hash)
    warehouse.upsert_run({**entry, "status": "running"})
    try:
        published = warehouse.publish(
            name,
            "text_removal",
            run.rows,
            run_id=run_id,
            audit=lambda paths, of: audit(paths, of, context=context),
        )
    except SluiceError:
        warehouse.upsert_run({**entry, "status": "failed", "finished_at": datetime.now(UTC)})
        raise
    ours = published.version.run_id == run_id
    status = "published" if ours else "unchanged"
    told = {"status": status, "finished_at": datetime.now(UTC), "dataset_version": published.version.version}
    warehouse.upsert_run(entry | told)
    return TextDuplicates(table, run, published, published.version.version if ours else run_id)


def _counted(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step as the book of runs counts stages."""
    gone = {step["step"]: step["removed"]} if step["removed"] else {}
    if step["step"] == "read" and step["aside"]:
        gone = {"no_text_or_repeated_id": step["aside"]}
    kept = step["documents"] - sum(gone.values())
    return {"stage": step["step"], "in": step["documents"], "kept": kept, "dropped": gone, "failed": 0}


def _entry(table: TextTable, name: str, run: StageRun, began: datetime) -> dict[str, Any]:
    asked = table.model_dump(mode="json")
    inputs = [file.model_dump(mode="json") for file in table.files] or [asked["dataset"]]
    return {
        "dataset": name,
        "recipe": canonical_json(asked),
        "recipe_hash": digest(asked),
        "code_version": version("sluice"),
        "inputs": canonical_json(inputs),
        "cost": canonical_json({run.name: {"seconds": run.seconds}}),
        "content_hash": run.rows.content_hash,
        "started_at": began,
    }


def write_removed(found: TextDuplicates, path: Path, warehouse: Warehouse) -> None:
    """Write the removals (``removed_id``, ``witness_id``, ``similarity``, ...) as Parquet, CSV or JSON lines."""
    _write(warehouse.workspace.scan(found.run.rows), path)


def write_kept(found: TextDuplicates, path: Path, warehouse: Warehouse) -> None:
    """Write the rows of the table that stay, with all their columns and in their order."""
    gone = warehouse.workspace.scan(found.run.rows).select("removed_id").collect().to_series()
    with readable(found.table):
        rows = scan(found.table, warehouse.workspace)
        if found.table.id is not None:
            _write(rows.filter(~pl.col(found.table.id).cast(pl.String).is_in(gone.implode())), path)
        else:
            numbers = gone.cast(pl.UInt32).implode()
            number = max(rows.collect_schema().names(), key=len) + "#"  # longer than any name that is there
            _write(rows.with_row_index(number).filter(~pl.col(number).is_in(numbers)).drop(number), path)


def _write(rows: pl.LazyFrame, path: Path) -> None:
    """Write a file whole or not at all."""
    if path.suffix not in _SUFFIXES:
        raise UsageError(f"{path} has no known format.", hint=f"known are {', '.join(_SUFFIXES)}.")
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    sink = {".parquet": rows.sink_parquet, ".csv": rows.sink_csv, ".jsonl": rows.sink_ndjson}[path.suffix]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sink(staging)
        staging.replace(path)
    except (OSError, pl.exceptions.ComputeError) as error:
        raise InputError(
            f"{path} cannot be written: {error}.",
            hint="check free space and permissions; nested columns need .parquet or .jsonl.",
        ) from error
    finally:
        staging.unlink(missing_ok=True)


def _steps(run: StageRun, warehouse: Warehouse) -> pl.DataFrame:
    steps = warehouse.workspace.scan(run.tables["steps"]).collect()
    return steps.sort(pl.col("step").replace_strict(list(STEPS), range(len(STEPS))))


def finish(found: TextDuplicates, warehouse: Warehouse, examples: int) -> dict[str, Any]:
    """Write the page and the views for DuckDB, and return `summary` with where they are.

    Raises
    ------
    InputError
        If the table cannot be read any more.
    WarehouseError
        If one of them cannot be written.
    """
    told = summary(found, warehouse, examples)
    removals = warehouse.workspace.scan(found.run.rows).collect()
    with readable(found.table):
        view = View(removals, told["steps"], found.table.alike, partial(_texts, found.table, warehouse))
        told["report"] = str(write_page(warehouse.root, told, view))
    told["duckdb"] = str(explore.write(warehouse))
    return told


def _texts(table: TextTable, warehouse: Warehouse, ids: Iterable[str], published: bool) -> dict[str, str]:  # noqa: FBT001 - as `View` calls it
    if published:
        return published_texts(table.alike, warehouse.workspace, ids)
    return texts_of(table, warehouse.workspace, ids)


def summary(found: TextDuplicates, warehouse: Warehouse, examples: int) -> dict[str, Any]:
    """Return what was found as a JSON object, with the removals that are the least alike."""
    steps = _steps(found.run, warehouse)
    removals = warehouse.workspace.scan(found.run.rows)
    near = removals.filter(kind="near").sort("similarity", "removed_id").head(examples).collect()
    read, removed = steps.row(by_predicate=pl.col("step") == "read", named=True), int(steps["removed"].sum())
    documents = read["documents"] - read["aside"]
    return {
        "source": named(found.table),
        "table": found.table.model_dump(mode="json", include={"files", "dataset", "text", "id"}),
        "steps": steps.to_dicts(),
        "removed": removed,
        "documents": documents,
        "kept": documents - removed,
        "dataset": found.name,
        "page": found.page,
        "unchanged": found.published.unchanged,
        "examples": near.to_dicts(),
        "seconds": found.run.seconds,
        "cached": found.run.cached,
    }
