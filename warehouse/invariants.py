"""What must hold of a build beyond its contract: sums that add up, known records, curricula without gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import duckdb

from schemas.contracts import Contract
from schemas.enums import Verdict
from warehouse.audits import Outcome
from warehouse.fingerprint import content_hash, parts, read_parquet_sql
from warehouse.stages import StageRun, Workspace

__all__ = ["Build", "table_invariants"]

_EXAMPLES = 5


@dataclass(frozen=True)
class Build:
    """What a run knows about the rows that it wants to publish.

    Parameters
    ----------
    workspace
        Where the stages' tables lie.
    stages
        The chain of stages in the order they ran; neighbours of one name (several readers) count together.
    content_hash
        Hash of the rows as the last stage wrote them.
    """

    workspace: Workspace
    stages: Sequence[StageRun] = ()
    content_hash: str | None = None


def table_invariants(paths: Sequence[Path], contract: Contract, build: Build | None) -> Iterator[Outcome]:
    """Yield the outcome of each invariant that can be told from the rows and, where given, their build."""
    if {"curriculum", "phase", "order_index"} <= set(contract.names):
        yield _counts_up(paths, "order_is_a_permutation", "order_index", ("curriculum", "phase"))
    if {"curriculum", "phase", "problem_id", "dup_index"} <= set(contract.names):
        yield _counts_up(paths, "exposures_count_up", "dup_index", ("curriculum", "phase", "problem_id"))
    if build is not None:
        yield from _build_invariants(paths, contract, build)


def _build_invariants(paths: Sequence[Path], contract: Contract, build: Build) -> Iterator[Outcome]:
    if build.content_hash is not None:
        found, _ = content_hash(paths, contract)
        yield _told("content_hash", "", found == build.content_hash, found, build.content_hash)
    if build.stages:
        yield _conservation(build.stages)
        yield _handed_on(build.stages)
        if "problem_id" in contract.names:
            yield from _records(paths, build)


def _told(name: str, column: str, success: bool, observed: str, expected: str) -> Outcome:  # noqa: FBT001 - a verdict
    return Outcome(name, column, success, observed, expected, int(not success))


def _counts_up(paths: Sequence[Path], name: str, column: str, group: tuple[str, ...]) -> Outcome:
    """Check that within each group ``column`` takes each of 0, 1, ..., size - 1 once."""
    by = ", ".join(group)
    query = f"""
        SELECT {by}, count(*) AS rows, min({column}) AS lowest, max({column}) AS highest FROM {read_parquet_sql(paths)}
        GROUP BY {by}
        HAVING min({column}) <> 0 OR max({column}) <> count(*) - 1 OR count(DISTINCT {column}) <> count(*)
    """  # noqa: S608 - names are those of the contract, paths are quoted
    return _none_found(query, name, column, f"0, 1, 2, ... once each within {by}", "groups")


def _conservation(stages: Sequence[StageRun]) -> Outcome:
    wrong = []
    for stage in stages:
        counts = stage.counts
        out = counts["kept"] + sum(counts["dropped"].values()) + counts["failed"] + counts.get("rejected", 0)
        if out != counts["in"]:
            wrong.append(f"{stage.name}: {counts['in']} in, {out} accounted for")
    observed = "; ".join(wrong) or f"{len(stages)} stages add up"
    return Outcome(
        "conservation",
        "",
        not wrong,
        observed,
        "in = kept + dropped + failed + rejected, per stage",
        len(wrong),
    )


def _handed_on(stages: Sequence[StageRun]) -> Outcome:
    """Check that each stage was given what the one before it kept."""
    sums = [
        (name, sum(run.counts["in"] for run in runs), sum(run.counts["kept"] for run in runs))
        for name, runs in ((name, list(group)) for name, group in groupby(stages, key=lambda stage: stage.name))
    ]
    wrong = [
        f"{before} kept {kept}, {after} was given {given}"
        for (before, _, kept), (after, given, _) in pairwise(sums)
        if kept != given
    ]
    observed = "; ".join(wrong) or "no row between stages lost"
    return Outcome("handed_on", "", not wrong, observed, "a stage is given what the one before kept", len(wrong))


def _records(paths: Sequence[Path], build: Build) -> Iterator[Outcome]:
    """Check that every row's problem was read by this run, and that none was decided out of it."""
    first = build.stages[0].name
    read = [
        path
        for run in build.stages
        if run.name == first
        for table in ("rows", "dropped")
        if table in run.tables
        for path in parts(build.workspace.folder(run.tables[table]))
    ]
    rows = read_parquet_sql(paths)
    if read:
        unknown = f"SELECT DISTINCT problem_id FROM {rows} row ANTI JOIN {read_parquet_sql(read)} USING (problem_id)"  # noqa: S608 - quoted paths
        yield _none_found(unknown, "known_records", "problem_id", f"every problem came through {first!r}", "problems")
    decided = [
        path
        for run in build.stages
        if "decisions" in run.tables
        for path in parts(build.workspace.folder(run.tables["decisions"]))
    ]
    if decided:
        out = f"""
            SELECT DISTINCT problem_id, stage, reason FROM {rows} JOIN {read_parquet_sql(decided)}
            ON record_id = problem_id AND verdict IN ('{Verdict.DROP}', '{Verdict.FAIL}')
        """  # noqa: S608 - quoted paths
        yield _none_found(out, "none_decided_out", "problem_id", "no published problem was dropped", "problems")


def _none_found(query: str, name: str, column: str, expected: str, unit: str) -> Outcome:
    """Run a query that must return no rows."""
    with duckdb.connect() as connection:
        broken = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]  # noqa: S608 - built above
        found = connection.execute(f"SELECT * FROM ({query}) ORDER BY ALL LIMIT {_EXAMPLES}")  # noqa: S608 - built above
        names = [column[0] for column in found.description]
        examples = tuple(dict(zip(names, row, strict=True)) for row in found.fetchall())
    observed = f"{broken} {unit} break it" if broken else f"no {unit} break it"
    return Outcome(name, column, broken == 0, observed, expected, broken, examples)
