"""Running stages: once per content key, with every row accounted for.

This is the one place where rows are dropped; the dropped side is written next to the kept one. A finished stage is a
folder named by the hash of the stage's version, its inputs' content hashes and its configuration, moved into place in
one rename: a kill leaves either nothing or all of it, and an unchanged re-run reads instead of works.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from pydantic import BaseModel

from schemas.books import DECISION
from schemas.contracts import Contract
from schemas.enums import Verdict
from schemas.errors import StageError, WarehouseError
from schemas.ids import digest
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.fingerprint import content_hash
from warehouse.stages import Services, Stage, StageResult, StageRun, Workspace

__all__ = ["finished", "run_stage", "stage_key"]

_OUT = (Verdict.DROP.value, Verdict.FAIL.value)
_GROUP_ROWS = 8_192
"""Rows that a writer or reader of a table holds together: few, for a problem's tests may be megabytes."""
_UNWRITTEN = ("transport error", "underlying IO error")
"""What polars says where a full disk takes no more of a Parquet file."""
_FAULTS = (OSError, sqlite3.Error, duckdb.Error, pl.exceptions.PolarsError)


def stage_key(stage: Stage, inputs: Mapping[str, TableRef], config: BaseModel | None) -> str:
    """Return the content key of a stage's work: its version, its inputs' hashes and its configuration."""
    return digest(
        [
            stage.name,
            stage.version,
            contract(stage.contract).schema_digest,
            {name: contract(of).schema_digest for name, of in stage.outputs.items()},
            {name: ref.content_hash for name, ref in inputs.items()},
            config.model_dump(mode="json") if config is not None else None,
        ],
    )


def finished(workspace: Workspace, stage: Stage, key: str) -> StageRun | None:
    """Return the stage's finished work for ``key``, or None if it has yet to be done.

    Raises
    ------
    WarehouseError
        If what it left cannot be read.
    """
    record = workspace.root / "work" / stage.name / key / "stage.json"
    if not record.exists():
        return None
    try:
        saved = json.loads(record.read_text())
        tables = {name: TableRef(**ref) for name, ref in saved["tables"].items()}
        return StageRun(stage.name, key, saved["counts"], tables, saved["seconds"], cached=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WarehouseError(
            f"{record} is damaged, or was written by another version of Sluice: {error!r}.",
            hint=f"delete {record.parent} and run again: that stage is done anew.",
        ) from error


def run_stage(
    stage: Stage,
    inputs: Mapping[str, TableRef],
    config: BaseModel | None,
    services: Services,
) -> StageRun:
    """Run a stage, or return its finished work if the same was done before.

    Raises
    ------
    StageError
        If rows went in that neither came out nor were decided about, or a decision names a record unknown here.
    WarehouseError
        If the work cannot be written, or what it works on was damaged.
    """
    workspace = services.workspace
    key = stage_key(stage, inputs, config)
    try:
        with workspace.lock(f"{stage.name}-{key}"):
            return finished(workspace, stage, key) or _work(stage, key, inputs, config, services)
    except _FAULTS as error:
        for ref in inputs.values():
            workspace.check(ref)
        if not isinstance(error, OSError | sqlite3.Error) and not any(said in str(error) for said in _UNWRITTEN):
            raise
        raise WarehouseError(
            f"stage {stage.name!r} cannot write to {workspace.root}: {error}.",
            hint="check free space and permissions, then run again: finished stages are kept.",
        ) from error


def _work(
    stage: Stage,
    key: str,
    inputs: Mapping[str, TableRef],
    config: BaseModel | None,
    services: Services,
) -> StageRun:
    workspace = services.workspace
    home = Path("work") / stage.name / key
    staging = workspace.root / "work" / stage.name / f".{key}.{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    began = time.monotonic()
    scratch = staging / "scratch"
    writer = _Writer(staging, home)
    try:
        scratch.mkdir(parents=True)
        tables = {name: workspace.scan(ref) for name, ref in inputs.items()}
        result = stage.function(tables, config, replace(services, scratch=scratch))
        decisions = writer.decisions(stage, result.decisions)
        main = _main_rows(stage, inputs, result, workspace, writer)
        identity = contract(stage.contract).key[0]
        out = decisions.filter(pl.col("verdict").is_in(_OUT))
        # a semi or anti join would hold rows until it knows the smaller side; membership streams
        gone = pl.col(identity).is_in(out["record_id"].unique().implode())
        for name, frame in result.outputs.items():
            writer.table(name, frame, contract(stage.outputs[name]))
        writer.table("rows", main.filter(~gone), contract(stage.contract))
        writer.table("dropped", main.filter(gone), contract(stage.contract))
        counts = _account(stage, inputs, writer.refs, out)
        writer.discard("all")
        shutil.rmtree(scratch)
        seconds = round(time.monotonic() - began, 3)
        run = StageRun(stage.name, key, counts, writer.refs, seconds)
        record = {"counts": counts, "tables": {n: r.to_json() for n, r in writer.refs.items()}, "seconds": seconds}
        (staging / "stage.json").write_text(json.dumps(record, indent=1))
        staging.rename(workspace.root / home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return run


class _Writer:
    """Writes a stage's tables to a staging folder and refers to them where they will lie."""

    def __init__(self, staging: Path, home: Path) -> None:
        self.staging = staging
        self.home = home
        self.refs: dict[str, TableRef] = {}

    def table(self, name: str, frame: pl.LazyFrame, of: Contract) -> pl.LazyFrame:
        """Write ``frame`` as table ``name`` with the contract's columns, and return a scan of what was written."""
        path = self.staging / name / "part-00000.parquet"
        path.parent.mkdir(parents=True)
        schema = pl.Schema(of.arrow)
        pinned = frame.select(pl.col(column).cast(schema[column]) for column in of.names)
        pinned.sink_parquet(path, row_group_size=_GROUP_ROWS)
        hashed, rows = content_hash([path], of)
        self.refs[name] = TableRef(str(self.home / name), of.name, hashed, rows)
        return pl.scan_parquet(path, glob=False)

    def decisions(self, stage: Stage, frame: pl.LazyFrame) -> pl.DataFrame:
        """Write the stage's decisions, sorted, and return them."""
        stamped = frame.with_columns(stage=pl.lit(stage.name), run_id=pl.lit(""))
        ordered = stamped.sort("record_id", "verdict", "reason")
        return self.table("decisions", ordered, DECISION).collect()

    def discard(self, name: str) -> None:
        """Forget a table that was needed on the way only."""
        if self.refs.pop(name, None):
            shutil.rmtree(self.staging / name)


def _main_rows(
    stage: Stage,
    inputs: Mapping[str, TableRef],
    result: StageResult,
    workspace: Workspace,
    writer: _Writer,
) -> pl.LazyFrame:
    if result.rows is None:
        return workspace.scan(inputs["rows"])
    rows = writer.table("all", result.rows, contract(stage.contract))
    if "rows" in inputs:
        identity = contract(stage.contract).key[0]
        came = workspace.scan(inputs["rows"]).select(identity)
        lost = came.join(rows.select(identity), on=identity, how="anti").collect(engine="streaming")
        if lost.height or writer.refs["all"].rows != inputs["rows"].rows:
            raise StageError(
                f"stage {stage.name!r} was given {inputs['rows'].rows} rows and returned {writer.refs['all'].rows}; "
                f"{lost.height} ids are missing, such as {lost.head(3).to_series().to_list()}.",
                hint="a stage must return every row and drop by decision.",
            )
    return rows


def _account(
    stage: Stage,
    inputs: Mapping[str, TableRef],
    refs: Mapping[str, TableRef],
    out: pl.DataFrame,
) -> dict[str, Any]:
    """Return the stage's counts, refusing any that do not add up."""
    first = out.group_by("record_id", maintain_order=True).first()
    reasons = first.filter(verdict=Verdict.DROP.value).group_by("reason").len().sort("reason")
    failed = first.filter(verdict=Verdict.FAIL.value).height
    counts = {
        "in": refs["rows"].rows + refs["dropped"].rows,
        "kept": refs["rows"].rows,
        "dropped": dict(reasons.iter_rows()),
        "failed": failed,
    }
    if "rows" in inputs:
        counts["in"] = inputs["rows"].rows
    elif "rejections" in refs:
        counts["in"] += refs["rejections"].rows
        counts["rejected"] = refs["rejections"].rows
    if first.height != refs["dropped"].rows:
        raise StageError(
            f"stage {stage.name!r} decided to take out {first.height} records and {refs['dropped'].rows} were there.",
            hint="a decision must name a record of the stage's own input.",
        )
    if counts["in"] != counts["kept"] + sum(counts["dropped"].values()) + failed + counts.get("rejected", 0):
        raise StageError(f"stage {stage.name!r} does not add up: {counts}.")
    return counts
