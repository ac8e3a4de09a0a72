"""The gate of minimized data: a contract and a Great Expectations suite that follow from the policy.

The contract lists the policy's columns and no other, and every value that each may hold. Raw columns, values outside
the buckets, and groups smaller than asked for are refused before anything is published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from privacy.minimize.policy import Policy
from privacy.minimize.rules import TypeName
from schemas.contracts import Column, Contract, InSet, Matches
from schemas.derive.duckdb import identifier
from schemas.derive.expectations import checks, row_expectation
from schemas.errors import UsageError
from schemas.ids import digest
from schemas.registry import register
from warehouse.audits import AuditResult, Outcome
from warehouse.fingerprint import read_parquet_sql
from warehouse.gate import audit
from warehouse.invariants import Build

__all__ = ["ROW_ID", "auditor", "contract_of", "numbered", "smallest_group", "suite"]

ROW_ID = "row_id"
"""Key of minimized tables: it follows from what is stored of a record, and tells nothing else."""
_ARROW: dict[TypeName, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "decimal": pa.string(),
    "date": pa.date32(),
    "datetime": pa.string(),
    "instant": pa.timestamp("us", tz="UTC"),
    "str": pa.string(),
    "bool": pa.bool_(),
}


def contract_of(policy: Policy) -> Contract:
    """Return the contract of tables minimized by a policy, and make it known by its name.

    Raises
    ------
    UsageError
        If a column's name cannot stand in a warehouse.
    """
    stored = (*policy.stored, *policy.passthrough)
    if faulty := [name for name in stored if '"' in name or name == ROW_ID]:
        raise UsageError(
            f"column {faulty[0]!r} cannot be published: names hold no quote, and {ROW_ID!r} is the table's key.",
            hint="rename the column in the raw data and in the policy.",
        )
    columns = [Column(ROW_ID, pa.string(), "Digest of what is stored of the record, and its number among equals.")]
    columns += [Column(name, pa.string(), _doc(policy, name)) for name in policy.stored]
    columns += [
        Column(name, _ARROW[kind], f"Stored as it comes ({kind}).", nullable=True)
        for name, kind in policy.passthrough.items()
    ]
    return register(
        Contract(
            name=f"minimized_{policy.id}_{policy.digest[:8]}",
            version=f"{policy.version}.0.0",
            doc=f"Records minimized by policy {policy.id!r}, version {policy.version}, for: {policy.purpose}",
            columns=tuple(columns),
            key=(ROW_ID,),
            rules=(
                Matches(ROW_ID, r"m_[0-9a-f]{24}_[0-9]+"),
                *(InSet(name, values) for name, values in policy.stored.items()),
            ),
        ),
    )


def numbered(frame: pl.LazyFrame, of: Contract) -> pl.LazyFrame:
    """Return minimized rows in the columns of their contract, in an order that tells nothing of the raw one."""
    schema = pl.Schema(of.arrow)
    names = [name for name in of.names if name != ROW_ID]
    typed = frame.select(pl.col(name).cast(schema[name]) for name in names)
    groups = typed.group_by(names).agg(pl.len())
    keyed = groups.with_columns(pl.struct(names).struct.json_encode().map_batches(_digests, pl.String).alias("key"))
    rows = keyed.with_columns(pl.int_ranges(pl.col("len")).alias("number")).explode("number")
    named = rows.with_columns(pl.concat_str(pl.lit("m_"), "key", pl.lit("_"), "number").alias(ROW_ID))
    return named.select(of.names).sort(ROW_ID)


def auditor(
    policy: Policy,
    *,
    smallest: int = 1,
    context: Build | None = None,
) -> Callable[[Sequence[Path], Contract], AuditResult]:
    """Return the audit of tables minimized by a policy.

    Parameters
    ----------
    smallest
        Fewest rows that may be alike in what is stored of them by rule.
    context
        What the run knows of the rows.
    """

    def audited(paths: Sequence[Path], of: Contract) -> AuditResult:
        found = audit(paths, of, context=context)
        sound = found.success and paths
        group = (_group_outcome(policy, paths, smallest),) if sound else ()
        return AuditResult(found.contract, found.version, found.rows, found.method, (*found.checks, *group))

    return audited


def smallest_group(policy: Policy, paths: Sequence[Path]) -> tuple[int, int]:
    """Return the size of the smallest group of rows alike in what is stored by rule, and how many groups have it."""
    columns = ", ".join(map(identifier, policy.stored)) or "()"
    query = f"""
        WITH sizes AS (SELECT count(*) AS n FROM {read_parquet_sql(paths)} GROUP BY {columns})
        SELECT min(n), count(*) FILTER (n = (SELECT min(n) FROM sizes)) FROM sizes
    """  # noqa: S608 - quoted
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()[0]


def suite(policy: Policy) -> dict[str, Any]:
    """Return the Great Expectations suite of tables minimized by a policy, as its JSON document.

    The suite is what the gate holds small tables against; regular expressions and uniqueness of keys are left to the
    warehouse, which knows the key.
    """
    of = contract_of(policy)
    rows = [check for check in checks(of) if ROW_ID not in check.column]
    expectations = [row_expectation(check) for check in rows]
    columns = {
        "type": "expect_table_columns_to_match_set",
        "kwargs": {"column_set": [name for name in of.names if name != ROW_ID], "exact_match": True},
        "meta": {"check": "columns"},
    }
    listed = [
        {"type": one.configuration.type, "kwargs": one.configuration.kwargs, "meta": one.configuration.meta}
        for one in expectations
    ]
    return {"name": of.name, "expectations": [columns, *listed], "meta": {"policy": policy.digest}}


def _doc(policy: Policy, name: str) -> str:
    if policy.cells is not None:
        return "Cell of the policy's tree that the record falls into."
    return "; ".join(f"{bucket}: {label}" for bucket, label in policy.labels(name).items())


def _digests(texts: pl.Series) -> pl.Series:
    return pl.Series([digest(text)[:24] for text in texts], dtype=pl.String)


def _group_outcome(policy: Policy, paths: Sequence[Path], smallest: int) -> Outcome:
    size, groups = smallest_group(policy, paths)
    return Outcome(
        "smallest_group",
        ", ".join(policy.stored),
        size >= smallest,
        f"{groups:,} group{'s' if groups != 1 else ''} of {size:,} row{'s' if size != 1 else ''}",
        f"groups of at least {smallest:,} rows",
        0 if size >= smallest else groups,
    )
