"""The gate before publication: every check of a contract, and the invariants of a build, or nothing is published.

Small tables are read by Great Expectations row by row, as Arrow-backed pandas batches. Large ones are reduced by
DuckDB to one row holding how many rows break each check, and the expectations read that row: memory stays flat and
the outcomes are the same. An exception while measuring says nothing about the data: it is `GateBroken`, never a
failed check.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.contracts import Contract
from schemas.derive.duckdb import identifier
from schemas.derive.expectations import Check, checks, count_expectation, is_json, measures, row_expectation
from schemas.errors import GateBroken
from warehouse.audits import AuditResult, Outcome
from warehouse.fingerprint import read_parquet_sql
from warehouse.invariants import Build, table_invariants
from warehouse.parquet import duck
from warehouse.spill import spill_folder

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations.expectation import Expectation

__all__ = ["EXAMPLES", "ROWS_READ", "audit"]

ROWS_READ = 50_000
"""Largest number of rows that are read one by one."""

BYTES_READ = 64 * 2**20
"""Largest table, in uncompressed bytes, that is read row by row."""

EXAMPLES = 5
"""Failing rows kept per check."""

_SHOWN = 200


@dataclass(frozen=True)
class _Table:
    connection: duckdb.DuckDBPyConnection
    source: str
    contract: Contract
    rows: int


def audit(
    paths: Sequence[Path],
    contract: Contract,
    *,
    context: Build | None = None,
    rows_read: int = ROWS_READ,
) -> AuditResult:
    """Hold Parquet files against their contract and, where a build is given, against its invariants.

    Parameters
    ----------
    paths
        Files with the table's rows; none is an empty table.
    context
        What the run knows about these rows: its stages and the content hash it means to publish.
    rows_read
        Above this many rows the expectations read counts instead of rows.

    Returns
    -------
    AuditResult
        Every outcome, failed or not; nothing is raised for bad data.

    Raises
    ------
    GateBroken
        If the files cannot be read or a metric raised an exception.

    Examples
    --------
    >>> from schemas.registry import contract
    >>> audit([], contract("pass_rate")).success
    True
    """
    with _broken_if_unreadable(contract), _connection(context) as connection, _without_spark():
        rows = sum(pq.read_metadata(path).num_rows for path in paths)
        shape = _shape(paths, contract)
        if not all(outcome.success for outcome in shape):
            return AuditResult(contract.name, contract.version, rows, "schema", shape)
        if not paths:
            return AuditResult(contract.name, contract.version, 0, "schema", shape)
        table = _Table(connection, _source(paths, contract), contract, rows)
        by_row = rows <= rows_read and _bytes(paths) <= BYTES_READ
        measure = _by_row if by_row else _by_counts
        outcomes = [*shape, *measure(table), *table_invariants(paths, contract, context)]
        return AuditResult(contract.name, contract.version, rows, "rows" if by_row else "counts", tuple(outcomes))


@contextmanager
def _broken_if_unreadable(contract: Contract) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError, duckdb.Error) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise GateBroken(
            f"the audit of {contract.name!r} could not read what it was given: {reason}",
            hint="this says nothing about the rows; check that the files are whole, then run again.",
        ) from error


@contextmanager
def _connection(context: Build | None) -> Iterator[duckdb.DuckDBPyConnection]:
    with spill_folder(context.workspace if context else None) as spill, duck(spill) as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.create_function("is_json", _are_json, ["VARCHAR"], "BOOLEAN", type="arrow")
        try:
            yield connection
        finally:
            connection.remove_function("is_json")


def _are_json(texts: pa.ChunkedArray) -> pa.Array:
    return pa.array((is_json(text) for text in texts.to_pylist()), pa.bool_())


def _shape(paths: Sequence[Path], contract: Contract) -> tuple[Outcome, ...]:
    """Return the outcomes that need the files' schemas only: column names in order, and types."""
    found = [pl.scan_parquet(path, glob=False).collect_schema() for path in paths]
    names = sorted({remark for schema in found for remark in _names_off(list(schema), contract.names)})
    types = sorted(
        {
            f"{name} is {schema[name]} instead of {of}"
            for schema in found
            for name, of in pl.Schema(contract.arrow).items()
            if name in schema and schema[name] != of
        }
    )
    promised = "as the contract lists them"
    return (
        Outcome("columns", "", not names, "; ".join(names) or promised, promised, len(names)),
        Outcome("types", "", not types, "; ".join(types) or promised, promised, len(types)),
    )


def _names_off(names: list[str], promised: list[str]) -> Iterator[str]:
    yield from (f"{name} is missing" for name in promised if name not in names)
    yield from (f"{name} is not in the contract" for name in names if name not in promised)
    if names != promised and sorted(names) == sorted(promised):
        yield f"the order is {', '.join(names)}"


def _bytes(paths: Iterable[Path]) -> int:
    metadata = (pq.read_metadata(path) for path in paths)
    return sum(of.row_group(group).total_byte_size for of in metadata for group in range(of.num_row_groups))


def _source(paths: Sequence[Path], contract: Contract) -> str:
    taken = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in measures(contract).items())
    return f"(SELECT {taken} FROM {read_parquet_sql(paths)})"  # noqa: S608 - names come from contracts


def _by_row(table: _Table) -> Iterator[Outcome]:
    import pandas as pd

    batch = table.connection.sql(f"SELECT * FROM {table.source}").to_arrow_table()  # noqa: S608 - from a contract
    wanted = checks(table.contract)
    results = _validate(batch.to_pandas(types_mapper=pd.ArrowDtype), [row_expectation(check) for check in wanted])
    for check in wanted:
        yield _outcome(table, check, results[check.name].result["unexpected_count"])


def _by_counts(table: _Table) -> Iterator[Outcome]:
    wanted = checks(table.contract)
    counts = _counts(table)
    results = _validate(counts, [count_expectation(check) for check in wanted])
    for check in wanted:
        broken = int(counts.loc[0, check.name])
        if results[check.name].success != (broken == 0):
            raise GateBroken(f"the expectation on {check.name!r} disagrees with its own count, {broken}.")
        yield _outcome(table, check, broken)


def _counts(table: _Table) -> pd.DataFrame:
    """Return one row: per check, the number of rows that break it."""
    wanted = checks(table.contract)
    filters = [
        f"count(*) FILTER (WHERE {check.violation}) AS {identifier(check.name)}" for check in wanted if not check.unique
    ]
    query = f"SELECT {', '.join(filters) or '0'} FROM {table.source}"  # noqa: S608 - built from a contract
    counts = table.connection.execute(query).df()
    for check in wanted:
        if check.unique:
            counts[check.name] = _repeated(table, check)
    return counts


def _repeated(table: _Table, check: Check) -> int:
    key = ", ".join(map(identifier, check.unique))
    missing = " AND ".join(f"{identifier(name)} IS NULL" for name in check.unique)
    query = f"""
        SELECT coalesce(sum(n), 0)
        FROM (SELECT count(*) AS n FROM {table.source} WHERE NOT ({missing}) GROUP BY {key} HAVING count(*) > 1)
    """  # noqa: S608 - names come from contracts
    return int(table.connection.execute(query).fetchall()[0][0])


@contextmanager
def _without_spark() -> Iterator[None]:
    """Hide Spark from Great Expectations, which only looks whether it is there.

    It costs seconds, and where ``__main__`` is no file, pyspark without grpc ends the process with exit status 0.
    """
    there = {name: sys.modules.get(name) for name in ("pyspark", "pyspark.sql.connect")}
    sys.modules.update(dict.fromkeys(there))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in there.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _validate(frame: pd.DataFrame, expectations: Sequence[Expectation]) -> dict[str, Any]:
    """Run a suite over one pandas batch, offline and silent, and return its results by check name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(enable=False)
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas("gate").add_dataframe_asset("rows")
        suite = context.suites.add(gx.ExpectationSuite("contract", expectations=list(expectations)))
        definition = gx.ValidationDefinition(
            name="gate",
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=suite,
        )
        ran = definition.run(batch_parameters={"dataframe": frame}, result_format="BASIC")
    results = {result.expectation_config.meta["check"]: result for result in ran.results}
    for name, result in results.items():
        if raised := _exception(result.exception_info):
            raise GateBroken(
                f"the check {name!r} raised an exception instead of measuring: {raised}",
                hint="this says nothing about the rows: the rule does not fit the column, or the auditor has a fault.",
            )
    return results


def _exception(info: dict[str, Any]) -> str | None:
    """Return the message of an exception that a metric raised; the information is flat or keyed by metric."""
    details = [info] if "raised_exception" in info else list(info.values())
    return next((str(detail["exception_message"]) for detail in details if detail["raised_exception"]), None)


def _outcome(table: _Table, check: Check, broken: int) -> Outcome:
    return Outcome(
        name=check.name,
        column=check.column,
        success=broken == 0,
        observed=f"{broken} of {table.rows} rows break it" if broken else f"all {table.rows} rows keep it",
        expected=check.expected,
        broken=broken,
        examples=_examples(table, check) if broken else (),
        expectation=check.expectation,
    )


def _examples(table: _Table, check: Check) -> tuple[dict[str, Any], ...]:
    """Return the keys and values of a few failing rows, lowest key first."""
    # coalesce keeps DuckDB from pruning by Parquet statistics, which leave NaN out
    breaks = f"coalesce({check.violation}, false)"
    shown = dict.fromkeys([*table.contract.key, *check.column.split(", ")])
    columns = ", ".join(f"left({identifier(name)}::VARCHAR, {_SHOWN}) AS {identifier(name)}" for name in shown)
    query = f"""
        SELECT {columns} FROM (SELECT *, {breaks} AS "breaks" FROM {table.source}) WHERE "breaks"
        ORDER BY ALL LIMIT {EXAMPLES}
    """  # noqa: S608 - names come from contracts
    found = table.connection.execute(query)
    names = [column[0] for column in found.description]
    return tuple(dict(zip(names, row, strict=True)) for row in found.fetchall())
