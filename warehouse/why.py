"""Why a record is in a dataset or is not: its source, every stage's decision with the evidence, and where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from schemas.derive.duckdb import identifier
from schemas.enums import Verdict
from schemas.errors import UsageError
from schemas.registry import contracts
from warehouse.explore import connected
from warehouse.house import Warehouse
from warehouse.stories import Fate, Why

__all__ = ["why"]

_READ = "read"
_OUT = {Verdict.DROP.value: "dropped", Verdict.FAIL.value: "failed"}
_IDS = """
    SELECT record_id AS id FROM decisions UNION SELECT output FROM lineage WHERE output_kind = 'record'
    UNION SELECT rollout_id FROM rollouts UNION SELECT problem_id FROM problems
    UNION SELECT source || '/' || source_id FROM problems UNION SELECT file || ':' || line FROM rejections
"""
_FAR = 8


def why(warehouse: Warehouse, record_id: str) -> Why:
    """Tell the story of a record, kept or dropped.

    Parameters
    ----------
    record_id
        Id of a problem, of a published row, of a rollout, of a source record (``source/id`` or the bare id), or
        ``file:line`` of a row that became no problem.

    Raises
    ------
    UsageError
        If nothing of that id was ever seen, with the nearest id that was; if several source records carry it; or if it
        is of a minimized record.
    """
    published = {
        f"{name}@{version.version}": version.contract
        for name in warehouse.datasets()
        for version in warehouse.versions(name)
    }
    with connected(warehouse, _problem_files(warehouse)) as connection:
        _gather_problems(connection, [name for name, of in published.items() if _holds_problems(of)])
        rows = [name for name, of in published.items() if of == "prompt_set"]
        _refuse_minimized(connection, record_id)
        kind, problem_id = _identified(connection, record_id, rows)
        if kind == "rejection":
            return Why(record_id, kind, None, _rejection(connection, record_id)[0])
        return _story(connection, record_id, kind, str(problem_id), rows)


def _problem_files(warehouse: Warehouse) -> dict[str, Sequence[Path]]:
    """Return the problems as they were read, which hold the dropped ones too."""
    found = sorted((warehouse.root / "work" / _READ).glob("*/rows/*.parquet"))
    return {"problems read": found} if found else {}


def _holds_problems(of: str) -> bool:
    known = contracts().get(of)
    return known is not None and {"problem_id", "source", "source_id"} <= set(known.names)


def _refuse_minimized(connection: duckdb.DuckDBPyConnection, record_id: str) -> None:
    """Refuse ids of rows that keep nothing of where they came from: no problem, and so no story."""
    tables = """
        SELECT table_name FROM duckdb_columns() WHERE column_name IN ('row_id', 'problem_id') AND table_name LIKE '%@%'
        GROUP BY ALL HAVING list_distinct(list(column_name)) = ['row_id'] ORDER BY ALL
    """
    for (name,) in connection.execute(tables).fetchall():
        held = f"SELECT 1 AS found FROM {identifier(name)} WHERE row_id = ?"  # noqa: S608 - quoted name
        if _rows(connection, held, record_id):
            raise UsageError(
                f"{record_id!r} is a minimized record of {name}: from whom it came is kept nowhere.",
                hint=f"`sluice sql` shows its dataset, `sluice audit {name}` holds it against its policy.",
            )


def _gather_problems(connection: duckdb.DuckDBPyConnection, published: Sequence[str]) -> None:
    columns = "problem_id, source, source_id, source_revision, license"
    there = connection.execute("SELECT view_name FROM duckdb_views() WHERE view_name = 'problems read'").fetchall()
    tables = [*(name for (name,) in there), *published]
    parts = [f"SELECT {columns} FROM {identifier(name)}" for name in tables]  # noqa: S608 - quoted names
    nothing = "SELECT '' AS problem_id, '' AS source, '' AS source_id, '' AS source_revision, '' AS license WHERE false"
    connection.execute(f"CREATE TEMP VIEW problems AS {' UNION '.join(parts) or nothing}")


def _identified(connection: duckdb.DuckDBPyConnection, record_id: str, rows: Sequence[str]) -> tuple[str, str | None]:
    """Return what kind of id it is, and the problem it belongs to."""
    seen = (
        "SELECT problem_id FROM problems UNION SELECT record_id FROM decisions UNION SELECT problem_id FROM pass_rates"
    )
    if _rows(connection, f"SELECT 1 AS found FROM ({seen}) WHERE problem_id = ?", record_id):  # noqa: S608 - constant
        return "problem", record_id
    for name in rows:
        held = f"SELECT problem_id FROM {identifier(name)} WHERE row_id = ?"  # noqa: S608 - quoted name
        if found := _rows(connection, held, record_id):
            return "row", found[0]["problem_id"]
    if found := _rows(connection, "SELECT problem_id FROM rollouts WHERE rollout_id = ?", record_id):
        return "rollout", found[0]["problem_id"]
    query = (
        "SELECT DISTINCT source, source_id, problem_id FROM problems WHERE ? IN (source_id, source || '/' || source_id)"
    )
    if found := _rows(connection, f"{query} ORDER BY ALL LIMIT 5", record_id):
        if len(found) > 1:
            named = ", ".join(f"{row['source']}/{row['source_id']} ({row['problem_id']})" for row in found)
            raise UsageError(f"{record_id!r} names several records: {named}.", hint="ask for one of the problem ids.")
        return "source", found[0]["problem_id"]
    if _rejection(connection, record_id):
        return "rejection", None
    raise _unknown(connection, record_id)


def _unknown(connection: duckdb.DuckDBPyConnection, record_id: str) -> UsageError:
    close = _rows(
        connection,
        f"""
        SELECT id FROM (SELECT id, levenshtein(id, $1) AS far, starts_with(id, $1) AS begins FROM ({_IDS}))
        WHERE begins OR far <= {_FAR} ORDER BY begins DESC, far, id LIMIT 1
        """,  # noqa: S608 - constants
        record_id,
    )
    return UsageError(
        f"nothing called {record_id!r} was ever read, made or published here.",
        hint=f"did you mean {close[0]['id']!r}?" if close else "ids are those of problems, rows, rollouts or sources.",
    )


def _story(
    connection: duckdb.DuckDBPyConnection,
    record_id: str,
    kind: str,
    problem_id: str,
    rows: Sequence[str],
) -> Why:
    rollout = _rows(
        connection,
        """
        SELECT policy, policy_revision, sample_index, status, passed, total, truncated, verifier_version, isolation,
               detail FROM rollouts WHERE rollout_id = ?
        """,
        record_id,
    )
    rates = """
        SELECT policy, policy_revision, verifier_version, n, c, faults, rate, wilson_low, wilson_high
        FROM pass_rate WHERE problem_id = ? ORDER BY ALL
    """
    quality = "SELECT * EXCLUDE (problem_id) FROM test_quality WHERE problem_id = ?"
    published = _published(connection, problem_id, rows)
    return Why(
        record_id=record_id,
        kind=kind,
        problem_id=problem_id,
        source=_source(connection, problem_id),
        rollout=rollout[0] if rollout else None,
        fates=_fates(connection, problem_id, published),
        pass_rates=tuple(_rows(connection, rates, problem_id)),
        test_quality=tuple(_rows(connection, quality, problem_id)),
        published=tuple(published),
    )


def _source(connection: duckdb.DuckDBPyConnection, problem_id: str) -> dict[str, Any]:
    """Return where the problem came from, with the files of its source as the runs recorded them."""
    found = _rows(connection, "SELECT DISTINCT * FROM problems WHERE problem_id = ? ORDER BY ALL LIMIT 1", problem_id)
    if not found:
        return {}
    origin = {name: value for name, value in found[0].items() if name != "problem_id"}
    recorded = [json.loads(row["inputs"]) for row in _rows(connection, "SELECT DISTINCT inputs FROM runs")]
    files = {
        (file["file"], file["digest"])
        for inputs in recorded
        for file in inputs
        if isinstance(file, dict) and file.get("source") == origin["source"]
    }
    revision = origin["source_revision"] or ""
    exact = {file for file in files if revision.endswith(file[1])}
    return origin | {"files": [f"{name}@{digest}" for name, digest in sorted(exact or files)]}


def _published(connection: duckdb.DuckDBPyConnection, problem_id: str, rows: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for name in rows:
        query = f"""
            SELECT curriculum, phase, order_index, dup_index, band, flags, row_id FROM {identifier(name)}
            WHERE problem_id = ? ORDER BY curriculum, phase, order_index
        """  # noqa: S608 - quoted name
        dataset, _, version = name.rpartition("@")
        found += [{"dataset": dataset, "version": version, **row} for row in _rows(connection, query, problem_id)]
    return found


def _fates(
    connection: duckdb.DuckDBPyConnection,
    problem_id: str,
    published: Sequence[Mapping[str, Any]],
) -> tuple[Fate, ...]:
    """Return what each run that met the problem made of it, newest first."""
    decided = _rows(
        connection,
        """
        SELECT run_id, stage, verdict, reason, measured, threshold, witness, detail FROM decisions
        WHERE record_id = ? ORDER BY ALL
        """,
        problem_id,
    )
    places = {(row["dataset"], row["version"]) for row in published}
    runs = _rows(
        connection, "SELECT run_id, dataset, dataset_version, started_at, counts FROM runs ORDER BY started_at DESC"
    )
    met = {row["run_id"] for row in decided} | _read_by(connection, problem_id)
    return tuple(
        _fate(run, [row for row in decided if row["run_id"] == run["run_id"]], places)
        for run in runs
        if run["run_id"] in met or (run["dataset"], run["dataset_version"]) in places
    )


def _read_by(connection: duckdb.DuckDBPyConnection, problem_id: str) -> set[str]:
    """Return the runs whose reader brought the problem, told by the reader's table."""
    there = connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = 'problems read'").fetchall()
    if not there:
        return set()
    tables = """
        SELECT DISTINCT run_id FROM lineage
        WHERE output IN (SELECT 'read@' || parse_path(filename)[-3] FROM "problems read" WHERE problem_id = ?)
    """
    return {row["run_id"] for row in _rows(connection, tables, problem_id)}


def _fate(run: Mapping[str, Any], decided: Sequence[Mapping[str, Any]], places: set[tuple[str, str]]) -> Fate:
    stages: list[tuple[str, tuple[Mapping[str, Any], ...]]] = []
    outcome = "published" if (run["dataset"], run["dataset_version"]) in places else "kept"
    for entry in json.loads(run["counts"]):
        own = tuple(_evidence(row) for row in decided if row["stage"] == entry["stage"])
        stages.append((entry["stage"], own))
        if out := next((row["verdict"] for row in own if row["verdict"] in _OUT), None):
            outcome = _OUT[out]
            break
    return Fate(
        run["run_id"], run["dataset"], run["dataset_version"], f"{run['started_at']:%Y-%m-%d %H:%M} UTC", outcome,
        tuple(stages),
    )  # fmt: skip


def _evidence(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("run_id", "stage") and value is not None}


def _rejection(connection: duckdb.DuckDBPyConnection, record_id: str) -> list[dict[str, Any]]:
    query = """
        SELECT * FROM rejections WHERE ? IN (file || ':' || line, source || '/' || file || ':' || line)
        ORDER BY ALL LIMIT 1
    """
    return _rows(connection, query, record_id)


def _rows(connection: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> list[dict[str, Any]]:
    found = connection.execute(query, list(parameters))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
