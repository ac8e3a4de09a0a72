"""Containment of all tables of a lake, stage by stage, each stage with its ledger."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from dedup.lake.files.tables import rejection_frame, table_frame
from dedup.lake.fingerprints.equality import column_key
from dedup.lake.fingerprints.projections import Projector
from dedup.lake.proving.edges import edge_frame
from dedup.lake.proving.exact import Context, Solved, Task, solve
from dedup.lake.proving.min_max import Pairs, Statistics, prune
from dedup.lake.proving.near import measured
from dedup.lake.proving.paper import content_pruned, min_max, schema_edges, survival_bound
from dedup.lake.proving.samples import SAMPLE_ROWS
from dedup.lake.proving.schema_graph import Group, schema_groups
from dedup.lake.proving.suggestions import suggestions
from dedup.lake.survey import Survey, engine_of, store_of
from schemas.errors import Unreadable
from schemas.lake import COLUMN_SUGGESTION, NEAR_CONTAINMENT, STAGE_LEDGER
from schemas.recipe.lake import Lake
from warehouse.engines import Engine
from warehouse.stages import Services

__all__ = ["Containment", "contain"]

_MIB = 1 << 20
_MOST_PAIRS = 1 << 16
"""A group of more pairs than this is left to the samples, which never write pairs down."""
_TASK = "compare tables"
_GROUPS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Containment:
    """What is contained in what; each frame follows the contract of its name in `schemas.lake`.

    Parameters
    ----------
    tables, rejections
        `lake_table` and `lake_rejection`: every file of the lake is in one of them.
    edges
        `containment`.
    near
        `near_containment`.
    suggestions
        `column_suggestion`.
    ledger
        `stage_ledger`, in the order of the stages.
    """

    survey: Survey
    tables: pl.DataFrame
    rejections: pl.DataFrame
    edges: pl.DataFrame
    near: pl.DataFrame
    suggestions: pl.DataFrame
    ledger: pl.DataFrame


def contain(lake: Survey, config: Lake, services: Services) -> Containment:
    """Find all containment among the tables of a lake.

    Parameters
    ----------
    lake
        What `dedup.lake.survey.survey` found under the same ``config``.
    config
        Under ``method: exact`` every edge is proved and none is missed; ``method: paper`` runs the published stages.

    A large file that turns out to be damaged, or to have changed since the survey, is rejected with its table.
    """
    with engine_of(config, services) as engine:
        while True:
            try:
                run = _Run(lake, config, services, engine)
                return run.by_paper() if config.method == "paper" else run.exactly()
            except Unreadable as fault:
                lake = lake.without(fault)


class _Run:
    """One run over one lake."""

    def __init__(self, lake: Survey, config: Lake, services: Services, engine: Engine) -> None:
        self.lake = lake
        self.config = config
        self.services = services
        self.engine = engine
        self.schemas = [
            frozenset(column_key(column.name, column.type, column.family, config.policy) for column in table.columns)
            for table in lake.tables
        ]
        self.ledger = _Ledger(lake)
        memory = config.memory_mb * _MIB // 2
        store = store_of(config, services)
        self.context = Context(lake.storage, store, lake.tables, memory, config.semantics, config.near)
        self.projector = Projector(lake.storage, store, lake.tables, memory)

    def exactly(self) -> Containment:
        with self.ledger.stage("schema") as stage:
            groups = schema_groups(self.schemas)
            stage.edges_out = sum(group.edges for group in groups)
        with self.ledger.stage("min_max") as stage:
            tasks = self._bounded(groups, stage)
        with self.ledger.stage("sample") as stage:
            stage.bytes_read = self._sort_large(tasks)
            solved = self._solved(tasks)
            stage.edges_out = sum(one.candidates for one in solved)
            stage.detail = {"rows": SAMPLE_ROWS}
            stage.pruned = {"sampled_row_missing": stage.edges_in - stage.edges_out}
            stage.seconds = sum(one.sampling for one in solved)
        with self.ledger.stage("exact") as stage:
            stage.edges_out = sum(len(one.edges) for one in solved)
            reason = "row_missing" if self.config.semantics == "set" else "row_missing_or_too_rare"
            stage.pruned = {reason: stage.edges_in - stage.edges_out}
            stage.seconds = sum(one.proving for one in solved)
        return self._told(_edges(solved), np.concatenate([_YES, *(one.multiset for one in solved)]), solved)

    def by_paper(self) -> Containment:
        with self.ledger.stage("schema") as stage:
            pairs, count = schema_edges(self.schemas)
            stage.edges_out, stage.detail = len(pairs), {"clusters": count}
        with self.ledger.stage("min_max") as stage:
            pairs, counts = min_max(pairs, self.lake.tables, self.schemas)
            stage.edges_out, stage.pruned = len(pairs), dict(counts)
        with self.ledger.stage("sample") as stage:
            before = len(pairs)
            pairs = content_pruned(self.projector, pairs, self.config.sample)
            stage.edges_out, stage.pruned = len(pairs), {"sampled_row_missing": before - len(pairs)}
            sample = self.config.sample
            bound = survival_bound(sample)
            stage.detail = {"rows": sample.rows, "columns": sample.columns, "survival_by_share_missing": bound}
        return self._told(pairs, None, [])

    def _bounded(self, groups: Sequence[Group], stage: _Stage) -> list[Task]:
        """Refute pairs by statistics in all groups that are small enough to write their pairs down."""
        known, tasks, counts = Statistics(self.lake.tables), [], Counter[str]()
        for group in groups:
            if group.edges > _MOST_PAIRS:
                tasks.append(Task(group, None))
                continue
            pairs, refuted = prune(group, self.lake.tables, known, self.config.semantics)
            counts += refuted
            tasks.append(Task(group, pairs))
        stage.edges_out, stage.pruned = sum(task.edges for task in tasks), dict(counts)
        stage.detail = {"left_to_samples": sum(task.edges for task in tasks if task.pairs is None)}
        return tasks

    def _sort_large(self, tasks: Iterable[Task]) -> int:
        """Sort the rows of large tables that some open pair needs; return the bytes read."""
        wanted: dict[int, list[tuple[str, ...]]] = {}
        for task in tasks:
            numbers = task.group.parents if task.pairs is None else np.unique(_members(task.pairs)).tolist()
            for number in numbers:
                if not self.projector.has_cells(number):
                    wanted.setdefault(number, []).append(task.group.columns)
        read = 0
        for found in self.engine.map_chunks(partial(_sort, self.context), sorted(wanted.items()), 1):
            if isinstance(found, Unreadable):
                raise found
            read += found
        return read

    def _solved(self, tasks: Sequence[Task]) -> list[Solved]:
        progress, solved = self.services.progress, []
        progress.start(_TASK, sum(task.edges for task in tasks), "pairs")
        for one in self.engine.map_chunks(partial(solve, self.context), tasks, _GROUPS_AT_ONCE):
            solved.append(one)
            progress.advance(_TASK, one.pairs)
        progress.finish(_TASK, f"{sum(len(one.edges) for one in solved):,} pairs hold")
        return solved

    def _told(self, pairs: Pairs, multiset: np.ndarray | None, solved: Sequence[Solved]) -> Containment:
        lake, config = self.lake, self.config
        near = pl.DataFrame(schema=pl.Schema(NEAR_CONTAINMENT.arrow))
        renamed = pl.DataFrame(schema=pl.Schema(COLUMN_SUGGESTION.arrow))
        edges = edge_frame(self.projector, pairs, multiset, config)
        if config.near is not None and solved:
            near = measured(self.projector, solved, config.near, config.near_parents)
        if config.suggest_columns:
            renamed = suggestions(self.projector, self.schemas)
        rejections = rejection_frame(lake.rejections)
        return Containment(lake, table_frame(lake.tables), rejections, edges, near, renamed, self.ledger.frame())


_YES = np.zeros(0, bool)


def _sort(context: Context, jobs: list[tuple[int, list[tuple[str, ...]]]]) -> Iterator[int | Unreadable]:
    projector = Projector(context.storage, context.store, context.tables, context.memory)
    for table, projections in jobs:
        try:
            yield projector.sort_large(table, projections)
        except Unreadable as fault:
            yield fault


def _members(pairs: Pairs) -> np.ndarray:
    return np.concatenate([pairs.children, pairs.parents])


def _edges(solved: Iterable[Solved]) -> Pairs:
    parts = [one.edges for one in solved]
    empty = np.zeros(0, np.int64)
    return Pairs(
        *(np.concatenate([empty, *(getattr(part, side) for part in parts)]) for side in ("children", "parents"))
    )


@dataclass(slots=True)
class _Stage:
    """A ledger's line while its stage runs."""

    name: str
    edges_in: int
    edges_out: int
    pruned: Mapping[str, int]
    detail: Mapping[str, Any]
    bytes_read: int = 0
    seconds: float | None = None


class _Ledger:
    """What each stage was given, let pass and cost."""

    def __init__(self, lake: Survey) -> None:
        count = len(lake.tables)
        self._lake = lake
        self._open = count * (count - 1)
        self._lines: list[_Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[_Stage]:
        """Measure a stage; what it leaves open is what the next is given."""
        began, line = time.monotonic(), _Stage(name, self._open, self._open, {}, {})
        if not self._lines:
            line.bytes_read = self._lake.bytes_read
            began -= self._lake.seconds
        yield line
        line.seconds = time.monotonic() - began if line.seconds is None else line.seconds
        if name == "schema":
            line.pruned = {"columns_missing": line.edges_in - line.edges_out}
        self._open = line.edges_out
        self._lines.append(line)

    def frame(self) -> pl.DataFrame:
        """Return the ledger as the contract `stage_ledger` has it."""
        rows = [
            {
                "place": place,
                "stage": line.name,
                "edges_in": line.edges_in,
                "edges_out": line.edges_out,
                "pruned": json.dumps({reason: count for reason, count in sorted(line.pruned.items()) if count}),
                "detail": json.dumps(line.detail),
                "seconds": line.seconds,
                "bytes_read": line.bytes_read,
            }
            for place, line in enumerate(self._lines)
        ]
        return pl.DataFrame(rows, schema=pl.Schema(STAGE_LEDGER.arrow))
