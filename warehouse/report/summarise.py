"""A build's summary, from the warehouse's books and what its stages left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from schemas.derive.duckdb import identifier
from schemas.errors import UsageError, did_you_mean
from warehouse.audits import AuditResult
from warehouse.explore import connected
from warehouse.house import Warehouse
from warehouse.report.charts import Bar
from warehouse.report.html import report_path
from warehouse.report.summary import BuildSummary, Example, Hit, Phase, StageSummary, Suspect, VersionLink

__all__ = ["summarise"]

_PER_REASON = 3
_LISTED = 50
_TEXT = 600


def summarise(warehouse: Warehouse, run_id: str, audit: AuditResult | None = None) -> BuildSummary:
    """Return the summary of a run.

    Parameters
    ----------
    audit
        What the gate found; by default what `warehouse.report.write` stored beside the run's report.

    Raises
    ------
    UsageError
        If there is no such run; the nearest is suggested.
    """
    run = _run(warehouse, run_id)
    work = _work_of(warehouse, run_id)
    with connected(warehouse, work) as connection:
        version = run["dataset_version"]
        view = f"{run['dataset']}@{version}" if version else None
        hits, all_hits = _hits(connection, run_id)
        suspects, all_suspects = _suspects(connection, run_id)
        return BuildSummary(
            dataset=run["dataset"],
            run_id=run_id,
            status=run["status"],
            version=version,
            started_at=run["started_at"],
            finished_at=run["finished_at"],
            rows=warehouse.version(run["dataset"], version).rows if version else None,
            content_hash=run["content_hash"],
            code_version=run["code_version"],
            recipe=json.dumps(json.loads(run["recipe"]), indent=2, ensure_ascii=False),
            recipe_hash=run["recipe_hash"],
            inputs=[_input(file) for file in json.loads(run["inputs"])],
            stages=_stages(run),
            pass_rates=_histogram(connection, "run pass_rates" if "run pass_rates" in work else "pass_rates"),
            phases=_phases(connection, view) if view else (),
            examples=_examples(connection, run_id, work),
            hits=hits,
            suspects=suspects,
            totals={"hits": all_hits, "suspects": all_suspects},
            versions=_versions(warehouse, run["dataset"]),
            audit=audit or _stored(warehouse, run["dataset"], version or run_id),
        )


def _run(warehouse: Warehouse, run_id: str) -> dict[str, Any]:
    runs = warehouse.book("runs").collect()
    found = runs.filter(run_id=run_id).to_dicts()
    if found:
        return found[0]
    raise UsageError(
        f"no run is called {run_id!r}.",
        hint=did_you_mean(run_id, runs["run_id"].to_list())
        or 'sluice sql "SELECT run_id, status FROM runs" lists them.',
    )


def _work_of(warehouse: Warehouse, run_id: str) -> dict[str, Sequence[Path]]:
    """Return what is left of the run's stages: rows dropped, and the counts it took."""
    edges = warehouse.book("lineage").filter(run_id=run_id, output_kind="table").select("output").unique().collect()
    found = {}
    for stage, _, key in sorted(name.partition("@") for name in edges["output"]):
        folder = warehouse.root / "work" / stage / key
        for view, table in ((f"dropped {stage}", "dropped"), (f"run {stage}", stage)):
            if paths := sorted((folder / table).glob("*.parquet")):
                found[view] = paths
    return found


def _input(file: Mapping[str, Any]) -> str:
    return f"{file.get('source', '')}: {file.get('file', '')} ({file.get('digest', '')[:12]})"


def _stages(run: Mapping[str, Any]) -> list[StageSummary]:
    costs = json.loads(run["cost"])
    return [
        StageSummary(
            name=entry["stage"],
            given=entry["in"],
            kept=entry["kept"],
            dropped=entry["dropped"],
            failed=entry["failed"],
            rejected=entry.get("rejected", 0),
            cost=costs.get(entry["stage"], {}),
        )
        for entry in json.loads(run["counts"])
    ]


def _histogram(connection: duckdb.DuckDBPyConnection, view: str) -> list[Bar]:
    """Return the number of problems with no correct answer, in each tenth, and with nothing but correct ones."""
    query = f"""
        SELECT CASE WHEN c = 0 THEN -1 WHEN c = n THEN 10 ELSE least(9, (10 * c) // n)::INT END AS bin, count(*)
        FROM (SELECT problem_id, sum(c)::BIGINT AS c, sum(n)::BIGINT AS n FROM {identifier(view)} GROUP BY problem_id)
        WHERE n > 0 GROUP BY bin
    """  # noqa: S608 - quoted name
    counts = dict(connection.execute(query).fetchall())
    labels = {-1: "0", 0: ">0", 10: "1"} | {tenth: f"{tenth / 10:.1f}+" for tenth in range(1, 10)}
    return [Bar(labels[tenth], counts.get(tenth, 0)) for tenth in range(-1, 11)] if counts else []


def _phases(connection: duckdb.DuckDBPyConnection, view: str) -> list[Phase]:
    there = {row[0] for row in connection.execute(f"DESCRIBE {identifier(view)}").fetchall()}
    if not {"curriculum", "phase", "c", "n"} <= there:
        return []
    query = f"""
        SELECT curriculum, phase, count(*), count(DISTINCT problem_id), avg(c / n) FILTER (WHERE n > 0)
        FROM {identifier(view)} GROUP BY ALL ORDER BY curriculum, phase
    """  # noqa: S608 - quoted name
    return [Phase(*row) for row in connection.execute(query).fetchall()]


def _examples(connection: duckdb.DuckDBPyConnection, run_id: str, work: Mapping[str, Any]) -> list[Example]:
    query = """
        SELECT stage, reason, record_id, verdict, measured, threshold, witness FROM decisions
        WHERE run_id = ? AND verdict IN ('drop', 'fail')
        QUALIFY row_number() OVER (PARTITION BY stage, reason ORDER BY record_id) <= ?
        ORDER BY stage, reason, record_id
    """
    found = connection.execute(query, [run_id, _PER_REASON]).fetchall()
    texts = dict(_texts(connection, [(row[0], row[2]) for row in found], work))
    return [Example(*row, text=texts.get((row[0], row[2]))) for row in found]


def _texts(
    connection: duckdb.DuckDBPyConnection,
    wanted: Sequence[tuple[str, str]],
    work: Mapping[str, Any],
) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the beginning of what each dropped problem asks, where the dropped rows are still there."""
    for stage in sorted({stage for stage, _ in wanted if f"dropped {stage}" in work}):
        ids = [record for of, record in wanted if of == stage]
        query = f"""
            SELECT problem_id, left(array_to_string(list_transform(
                list_filter(prompt, lambda m: m.role <> 'system'), lambda m: m.content), chr(10)), {_TEXT})
            FROM {identifier(f"dropped {stage}")} WHERE list_contains(?, problem_id)
        """  # noqa: S608 - quoted name
        for record, text in connection.execute(query, [ids]).fetchall():
            yield (stage, record), text


def _hits(connection: duckdb.DuckDBPyConnection, run_id: str) -> tuple[list[Hit], int]:
    query = """
        SELECT record_id, reason, measured, detail ->> 'benchmark', coalesce(detail ->> 'item_source_id', witness),
               detail ->> 'matched', count(*) OVER ()
        FROM decisions WHERE run_id = ? AND stage = 'decontaminate' AND verdict IN ('drop', 'flag')
        ORDER BY measured DESC, record_id LIMIT ?
    """
    found = connection.execute(query, [run_id, _LISTED]).fetchall()
    return [Hit(*row[:-1]) for row in found], found[0][-1] if found else 0


def _suspects(connection: duckdb.DuckDBPyConnection, run_id: str) -> tuple[list[Suspect], int]:
    query = """
        SELECT problem_id, stage, reason, measured, witness, n, c, count(*) OVER () FROM suspects
        WHERE problem_id IN (SELECT record_id FROM decisions WHERE run_id = $1 AND verdict = 'flag')
           OR problem_id IN (SELECT input FROM lineage WHERE run_id = $1 AND input_kind = 'record')
        ORDER BY reason, problem_id LIMIT $2
    """
    found = connection.execute(query, [run_id, _LISTED]).fetchall()
    return [Suspect(*row[:-1]) for row in found], found[0][-1] if found else 0


def _versions(warehouse: Warehouse, dataset: str) -> list[VersionLink]:
    if dataset not in warehouse.datasets():
        return []
    return [
        VersionLink(
            version.version,
            version.rows,
            version.published_at,
            version.notes,
            report=f"{version.version}.html"
            if report_path(warehouse.root, dataset, version.version).exists()
            else None,
            release=_release(warehouse.root, dataset, version.version),
        )
        for version in reversed(warehouse.versions(dataset))
    ]


def _release(root: Path, dataset: str, version: str) -> str | None:
    return f"../../releases/{dataset}/{version}/" if (root / "releases" / dataset / version).is_dir() else None


def _stored(warehouse: Warehouse, dataset: str, name: str) -> AuditResult | None:
    path = report_path(warehouse.root, dataset, name).with_suffix(".json")
    return AuditResult.load(path) if path.exists() else None
