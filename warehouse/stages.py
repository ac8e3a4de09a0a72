"""Stages: pure functions from tables to tables, and what they work with.

A stage never deletes. It returns its rows and the decisions it took; `warehouse.runner` takes out what was decided.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from schemas.books import DECISION
from schemas.errors import WarehouseError
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
    "no_decisions",
]

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
        return pl.scan_parquet(parts(self.folder(ref)), glob=False)

    def check(self, ref: TableRef) -> None:
        """Refuse a table that is no longer what it was when it was referred to.

        Raises
        ------
        WarehouseError
            If its files cannot be read, or hold other rows.
        """
        folder = self.folder(ref)
        try:
            found = content_hash(parts(folder), contract(ref.contract))
        except (OSError, duckdb.Error) as error:
            found, said = None, str(error).splitlines()[0]
        else:
            said = f"it holds {found[1]} rows with hash {found[0]} and not {ref.rows} with {ref.content_hash}"
        if found != (ref.content_hash, ref.rows):
            raise WarehouseError(
                f"the table in {folder} was damaged or changed: {said}.",
                hint=f"delete {folder.parent} and run again: that stage is done anew.",
            )

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
                if _is_at(path, handle.fileno()):
                    yield True
                    return


def _is_at(path: Path, descriptor: int) -> bool:
    """Tell whether an open file still is at its path: a lock swept away while it was waited for protects nothing."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Services:
    """What a stage may use besides its inputs; nothing here may change its result.

    Parameters
    ----------
    scratch
        Folder for `aside`; `warehouse.runner.run_stage` makes and removes it.
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
