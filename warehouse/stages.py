"""Stages: pure functions from tables to tables, run once per content key, with every row accounted for.

A stage never deletes. It returns its rows and the decisions it took; `run_stage` is the one place where rows are
dropped, and it writes the dropped side next to the kept one. A finished stage is a folder named by the hash of the
stage's version, its inputs' content hashes and its configuration, moved into place in one rename: a kill leaves
either nothing or all of it, and an unchanged re-run reads instead of works.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import BaseModel

from schemas.books import DECISION
from schemas.contracts import Contract
from schemas.enums import Verdict
from schemas.errors import StageError, WarehouseError
from schemas.ids import digest
from schemas.registry import contract
from schemas.tables import TableRef
from warehouse.cache import KeyedCache
from warehouse.fingerprint import content_hash, parts
from warehouse.progress import Progress, Silent

if TYPE_CHECKING:
    from warehouse.engines import Engine

__all__ = [
    "Services",
    "Stage",
    "StageResult",
    "StageRun",
    "Workspace",
    "finished",
    "no_decisions",
    "run_stage",
    "stage_key",
]

_OUT = (Verdict.DROP.value, Verdict.FAIL.value)
_GROUP_ROWS = 8_192
"""Rows that a writer or reader of a table holds together: few, for a problem's tests may be megabytes."""
_UNWRITTEN = ("transport error", "underlying IO error")
"""What polars says where a full disk takes no more of a Parquet file."""
_DECISIONS = {name: of for name, of in pl.Schema(DECISION.arrow).items() if name not in ("run_id", "stage")}


@dataclass(frozen=True)
class Workspace:
    """The folder in which a warehouse keeps its working state.

    Parameters
    ----------
    root
        Folder of the warehouse; ``work/`` holds finished stages, ``cache/`` answers and verdicts.
    """

    root: Path

    def folder(self, ref: TableRef) -> Path:
        """Return the folder of a table's parts."""
        return self.root / ref.path

    def scan(self, ref: TableRef) -> pl.LazyFrame:
        """Return a table lazily, with the columns of its contract."""
        return pl.scan_parquet(parts(self.folder(ref)))

    def cache(self, name: str) -> KeyedCache:
        """Return the cache called ``name``, such as ``requests`` or ``verdicts``."""
        return KeyedCache(self.root / "cache" / f"{name}.sqlite")

    @contextmanager
    def lock(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold an exclusive lock; another process asking for the same name waits, a dead one lets go.

        Parameters
        ----------
        wait
            False to go on without the lock if another holds it.

        Yields
        ------
        bool
            True if the lock is held.
        """
        path = self.root / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with path.open("a") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
                # a lock file swept away while this one waited for it protects nothing any more
                if path.exists() and path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
                    yield True
                    return


@dataclass(frozen=True)
class Services:
    """What a stage may use besides its inputs; nothing here may change its result.

    Parameters
    ----------
    scratch
        Folder for `aside`; `run_stage` makes and removes it.
    """

    workspace: Workspace
    engine: Engine | None = None
    progress: Progress = field(default_factory=Silent)
    scratch: Path | None = None

    def aside(self) -> Path:
        """Return a new empty folder for what a stage must put aside until its tables are written."""
        return Path(tempfile.mkdtemp(dir=self.scratch))


@dataclass(frozen=True)
class StageResult:
    """What a stage returns.

    Parameters
    ----------
    decisions
        Columns of the decision contract except ``run_id`` and ``stage``. ``drop`` and ``fail`` take a record out.
    rows
        All rows of the stage's main input, changed or widened; None if they are as they came.
    outputs
        Further tables by name.
    """

    decisions: pl.LazyFrame
    rows: pl.LazyFrame | None = None
    outputs: Mapping[str, pl.LazyFrame] = field(default_factory=dict)


StageFunction = Callable[[Mapping[str, pl.LazyFrame], Any, Services], StageResult]


@dataclass(frozen=True)
class Stage:
    """A stage's name, version and meaning.

    Parameters
    ----------
    version
        Changes whenever the function's results may; finished work of another version is not reused.
    function
        ``(inputs, config, services) -> StageResult``. ``inputs["rows"]`` is the main input; a stage without one
        makes rows instead of judging them.
    contract
        Name of the contract of its rows.
    outputs
        Names of the contracts of its further tables.
    """

    name: str
    version: str
    function: StageFunction
    contract: str = "problem"
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRun:
    """A finished stage.

    Parameters
    ----------
    counts
        ``in``, ``kept``, ``failed``, and ``dropped`` by reason.
    tables
        ``rows``, ``dropped``, ``decisions``, and the stage's own outputs.
    cached
        True if the work had been done before.
    """

    name: str
    key: str
    counts: Mapping[str, Any]
    tables: Mapping[str, TableRef]
    seconds: float
    cached: bool = False

    @property
    def rows(self) -> TableRef:
        """The rows kept."""
        return self.tables["rows"]


def no_decisions() -> pl.LazyFrame:
    """Return an empty table of decisions."""
    return pl.LazyFrame(schema=_DECISIONS)


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
    """Return the stage's finished work for ``key``, or None if it has yet to be done."""
    record = workspace.root / "work" / stage.name / key / "stage.json"
    if not record.exists():
        return None
    saved = json.loads(record.read_text())
    tables = {name: TableRef(**ref) for name, ref in saved["tables"].items()}
    return StageRun(stage.name, key, saved["counts"], tables, saved["seconds"], cached=True)


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
        If the work cannot be written.
    """
    workspace = services.workspace
    key = stage_key(stage, inputs, config)
    try:
        with workspace.lock(f"{stage.name}-{key}"):
            return finished(workspace, stage, key) or _work(stage, key, inputs, config, services)
    except (OSError, pl.exceptions.ComputeError) as error:
        if isinstance(error, pl.exceptions.ComputeError) and not any(said in str(error) for said in _UNWRITTEN):
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
        return pl.scan_parquet(path)

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
