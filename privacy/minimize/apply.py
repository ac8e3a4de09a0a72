"""Applying a policy to tables, in flat memory: raw rows in, what may be stored out, nothing of the rest kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl

from privacy.minimize.compile import python_target, spark_target, sql_target
from privacy.minimize.compile.polars_target import minimize
from privacy.minimize.policy import Policy
from privacy.minimize.tables import Typed, checked, from_text, scan_typed, suffix_of
from schemas.derive.duckdb import literal
from schemas.errors import InputError, SchemaDrift, UsageError, did_you_mean

__all__ = ["ENGINES", "Applied", "applicable", "apply_policy", "minimized", "opened", "refuse_expired"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of applying a policy.

    Parameters
    ----------
    rows
        Rows written; as many as were read.
    """

    target: Path
    rows: int
    columns: tuple[str, ...]


def minimized(policy: Policy, frame: pl.LazyFrame | pl.DataFrame, *, place: str = "table") -> pl.LazyFrame:
    """Return what may be stored of ``frame``, as texts: a bucket per column or one cell, and what is passed through.

    Parameters
    ----------
    place
        What the frame is called in errors.

    Raises
    ------
    SchemaDrift
        If the frame's columns or types are not those that the policy was made for.

    Examples
    --------
    >>> from privacy.minimize.policy import Fitted
    >>> from privacy.minimize.rules import Interval
    >>> header = {"id": "ages", "created": date(2026, 1, 1), "purpose": "demo"}
    >>> rules = {"age": Interval(type="int", borders=["27.5"])}
    >>> policy = Policy(**header, columns=rules, fit=Fitted(method="by_hand", sample_rows=0))
    >>> minimized(policy, pl.DataFrame({"age": [27, 28, None]})).collect()["age"].to_list()
    ['b0', 'b1', '__null__']
    """
    return _as_text(minimize(checked(frame.lazy(), policy, place), policy.spec), policy)


def apply_policy(policy: Policy, source: Path, target: Path, *, engine: str = "polars") -> Applied:
    """Write what may be stored of a file; ``target`` appears when it is whole.

    Parameters
    ----------
    source
        Raw rows: CSV (also gzipped), JSON lines or Parquet.
    target
        ``.csv``, ``.jsonl`` or ``.parquet``.
    engine
        ``polars``, or ``duckdb`` or ``spark``, which read Parquet; the result is the same.

    Raises
    ------
    SchemaDrift
        If the columns or types of ``source`` are not those that the policy was made for; of texts, the first row to
        blame is named.
    InputError
        If ``source`` cannot be read, or ``target`` not be written.
    UsageError
        If a format or the engine is not known.
    """
    if engine not in ENGINES:
        raise UsageError(
            f"no engine is called {engine!r}; known are {', '.join(ENGINES)}.",
            hint=did_you_mean(engine, ENGINES),
        )
    if engine != "polars" and suffix_of(source) != ".parquet":
        raise UsageError(
            f"engine {engine!r} reads Parquet, not {source.name!r}.", hint="use the engine polars, or convert the file."
        )
    if suffix_of(target) == ".csv.gz":
        raise UsageError(f"{str(target)!r} would be written compressed.", hint="write .csv, .jsonl or .parquet.")
    with _arriving(target) as staging:
        rows = ENGINES[engine](policy, source, staging)
    return Applied(target, rows, (*policy.stored, *policy.passthrough))


def applicable(path: Path) -> Policy:
    """Read a policy that may be applied today.

    Raises
    ------
    RecipeError, PolicyChanged, InputError
        As `Policy.load`.
    UsageError
        If the policy has expired.
    """
    policy = Policy.load(path)
    refuse_expired(policy, datetime.now(UTC).date())
    return policy


def refuse_expired(policy: Policy, today: date) -> None:
    """Refuse a policy after its last day.

    Raises
    ------
    UsageError
        If ``today`` is after ``expires``.
    """
    if policy.expires is not None and today > policy.expires:
        raise UsageError(
            f"policy {policy.id!r}, version {policy.version}, expired on {policy.expires}.",
            hint="review it, and make a new version with `sluice minimize revise`.",
        )


@contextmanager
def _arriving(target: Path) -> Iterator[Path]:
    staging = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield staging
        staging.replace(target)
    except OSError as error:
        raise InputError(f"{str(target)!r} cannot be written: {error.strerror or error}.") from error
    finally:
        staging.unlink(missing_ok=True)


def _as_text(frame: pl.LazyFrame, policy: Policy) -> pl.LazyFrame:
    return frame.with_columns(pl.col(name).cast(pl.String) for name in policy.stored)


def opened(policy: Policy, source: Path, folder: Path) -> pl.LazyFrame:
    """Return what may be stored of a file, lazily and as texts.

    Parameters
    ----------
    folder
        Where minimized records wait if they are not read lazily: those of JSON lines, whose numbers keep all their
        digits only one by one.

    Raises
    ------
    SchemaDrift, InputError, UsageError
        As `apply_policy`.
    """
    if suffix_of(source) != ".jsonl":
        return _as_text(minimize(scan_typed(source, policy), policy.spec), policy)
    lines = folder / "minimized.jsonl"
    with lines.open("w", encoding="utf-8") as out:
        for number, line in enumerate(_lines(source), start=1):
            if line.strip():
                out.write(json.dumps(_record(policy, line, f"{source}: row {number:,}")) + "\n")
    texts = pl.scan_ndjson(escape(str(lines)), schema=dict.fromkeys((*policy.stored, *policy.passthrough), pl.String))
    return texts.with_columns(from_text(name, Typed(kind, stored=True)) for name, kind in policy.passthrough.items())


def _with_polars(policy: Policy, source: Path, staging: Path) -> int:
    with TemporaryDirectory(prefix="sluice-minimize-") as folder:
        return _sink(opened(policy, source, Path(folder)), staging)


def _sink(frame: pl.LazyFrame, staging: Path) -> int:
    suffix = suffix_of(staging)
    if suffix == ".parquet":
        frame.sink_parquet(staging)
        return pl.scan_parquet(staging, glob=False).select(pl.len()).collect().item()
    if suffix == ".csv":
        frame.sink_csv(staging)
        return pl.scan_csv(staging, infer_schema=False, glob=False).select(pl.len()).collect().item()
    frame.sink_ndjson(staging)
    return pl.scan_ndjson(escape(str(staging))).select(pl.len()).collect().item()


def _lines(source: Path) -> Iterator[str]:
    try:
        with source.open(encoding="utf-8") as lines:
            yield from lines
    except OSError as error:
        raise InputError(f"{str(source)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{str(source)!r} is not UTF-8 text: {error.reason} at byte {error.start}.") from error


def _record(policy: Policy, line: str, place: str) -> dict[str, str | None]:
    try:
        record = json.loads(line, parse_float=Decimal)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise InputError(f"{place}: not a JSON object.", hint="give one object per line.")
    try:
        told = python_target.minimize(record, policy.spec)
    except python_target.Drift as drift:
        raise SchemaDrift(place, [str(drift)]) from drift
    return {name: _text(value) for name, value in told.items()}


def _text(value: Any) -> str | None:
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else str(value)
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _with_duckdb(policy: Policy, source: Path, staging: Path) -> int:
    types = scan_typed(source, policy).collect_schema()
    for name in policy.kept:
        of = types[name]
        if isinstance(of, pl.Datetime) and of.time_unit == "ns" and of.time_zone is not None:
            raise UsageError(
                f"column {name!r} holds nanoseconds with a time zone, which DuckDB does not compare.",
                hint="use the engine polars.",
            )
    query = sql_target.select(policy, f"read_parquet({literal(escape(str(source)))})", sql_target.DUCKDB)
    kind = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER", ".jsonl": "FORMAT json"}
    copy = f"COPY ({query}) TO {literal(str(staging))} ({kind[suffix_of(staging)]})"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(copy).fetchall()[0][0]


def _with_spark(policy: Policy, source: Path, staging: Path) -> int:
    from pyspark.sql import SparkSession

    from warehouse.engines import SparkEngine

    scan_typed(source, policy)
    with SparkEngine() as engine, TemporaryDirectory(prefix="sluice-minimize-") as folder:
        raw = SparkSession(engine.context).read.parquet(str(source))
        spark_target.minimize(raw, policy.spec).write.parquet(f"{folder}/parts")
        return _sink(pl.scan_parquet(f"{escape(folder)}/parts/*.parquet"), staging)


ENGINES: dict[str, Callable[[Policy, Path, Path], int]] = {
    "polars": _with_polars,
    "duckdb": _with_duckdb,
    "spark": _with_spark,
}
