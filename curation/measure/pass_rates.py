"""Pass rates as counts: counted once per rollout, added up in any order, selected by who was measured how."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from pydantic import BaseModel

from schemas.enums import Verdict
from schemas.errors import UsageError
from schemas.recipe.measures import Measure
from schemas.records import PASS_RATE
from warehouse.engines import Engine
from warehouse.stages import Services, Stage, StageResult

__all__ = ["KEY", "PASS_RATES", "count", "counts", "counts_on", "merge", "select"]

KEY = PASS_RATE.key
_MEASURED_BY = KEY[1:]
_BOOK = ("rollout_id", "verifier_version")
_READ = (
    *_BOOK,
    "problem_id",
    "policy",
    "policy_revision",
    "sampler",
    "passed",
    "total",
    "all_passed",
    "truncated",
    "response_chars",
)
_ROWS_PER_PIECE = 250_000


def counts(rollouts: pl.LazyFrame) -> pl.LazyFrame:
    """Count rollouts per problem, policy, sampler and verifier version.

    A rollout that the sandbox could not judge counts as a fault and as nothing else.

    Parameters
    ----------
    rollouts
        Rows of the ``rollout`` contract, each rollout once per verifier version.

    Returns
    -------
    LazyFrame
        Rows of the ``pass_rate`` contract, in no order.
    """
    judged = pl.col("all_passed").is_not_null()
    correct = pl.col("all_passed").fill_null(value=False)
    chars = pl.col("response_chars").cast(pl.Int64)
    return rollouts.group_by(KEY).agg(
        n=judged.cast(pl.Int64).sum(),
        c=correct.cast(pl.Int64).sum(),
        faults=(~judged).cast(pl.Int64).sum(),
        tests_passed=pl.col("passed").cast(pl.Int64).filter(judged).sum(),
        tests_total=pl.col("total").cast(pl.Int64).filter(judged).sum(),
        truncated=(judged & pl.col("truncated")).cast(pl.Int64).sum(),
        chars=chars.filter(judged).sum(),
        chars_correct=chars.filter(correct).sum(),
        min_chars_correct=chars.filter(correct).min(),
    )


def _added(tables: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    sums = [name for name in PASS_RATE.names if name not in (*KEY, "min_chars_correct")]
    together = pl.concat([table.select(PASS_RATE.names) for table in tables])
    return together.group_by(KEY).agg(pl.col(sums).sum(), pl.col("min_chars_correct").min()).select(PASS_RATE.names)


def merge(old: pl.LazyFrame, counted: pl.LazyFrame, new: pl.LazyFrame) -> pl.LazyFrame:
    """Add new rollouts to counts without touching the rollouts counted before.

    Parameters
    ----------
    old
        Counts so far (``pass_rate`` contract).
    counted
        What they were counted from: any table with ``rollout_id`` and ``verifier_version``.
    new
        Rows of the ``rollout`` contract; those in ``counted``, and repetitions, are passed over.

    Returns
    -------
    LazyFrame
        Counts over everything, equal to counting all rollouts at once.
    """
    fresh = new.select(_READ).unique(subset=_BOOK).join(counted.select(_BOOK), on=_BOOK, how="anti")
    return _added([old, counts(fresh)])


def _count_pieces(pieces: list[tuple[str, int]]) -> Iterator[bytes]:
    """Count row groups, named by file and index; the counts come back as Arrow IPC, small enough to ship."""
    for path, group in pieces:
        table = pl.from_arrow(pq.ParquetFile(path).read_row_group(group, columns=list(_READ)))
        answer = io.BytesIO()
        counts(table.lazy()).collect().write_ipc(answer)  # type: ignore[union-attr]
        yield answer.getvalue()


def counts_on(engine: Engine, rollouts: pl.LazyFrame, scratch: Path) -> pl.LazyFrame:
    """Count rollouts on an engine's workers, row group by row group.

    Parameters
    ----------
    engine
        Where to count; its workers must see ``scratch``.
    scratch
        Folder for the columns that counting reads, without the answers' text.
    """
    narrow = scratch / "rollouts.parquet"
    rollouts.select(_READ).sink_parquet(narrow, row_group_size=_ROWS_PER_PIECE)
    pieces = [(str(narrow), group) for group in range(pq.ParquetFile(narrow).num_row_groups)]
    partial = [pl.read_ipc(io.BytesIO(answer)).lazy() for answer in engine.map_chunks(_count_pieces, pieces, 1)]
    return _added(partial or [counts(rollouts)])


def count(inputs: Mapping[str, pl.LazyFrame], config: BaseModel | None, services: Services) -> StageResult:  # noqa: ARG001 - counting has no settings
    """Stage ``pass_rates``: rollouts to counts, with a flag on problems nobody answered or the sandbox failed on.

    With inputs ``counted`` (earlier rollouts) and ``counts`` (what they came to), only rollouts new since then are
    counted.
    """
    aside = services.aside() / "pass_rates.parquet"
    _rates(inputs, services).sink_parquet(aside)
    rates = pl.scan_parquet(aside, glob=False)
    return StageResult(_remarks(inputs["rows"], rates), outputs={"pass_rates": rates})


def _rates(inputs: Mapping[str, pl.LazyFrame], services: Services) -> pl.LazyFrame:
    rollouts = inputs["rollouts"]
    if "counted" in inputs:
        return merge(inputs["counts"], inputs["counted"], rollouts)
    if services.engine is None or services.engine.name == "local":
        return counts(rollouts.select(_READ)).select(PASS_RATE.names)
    return counts_on(services.engine, rollouts, services.aside())


def _remarks(rows: pl.LazyFrame, rates: pl.LazyFrame) -> pl.LazyFrame:
    per_problem = rates.group_by("problem_id").agg(pl.col("n", "faults").sum())
    measured = rows.select("problem_id").join(per_problem, on="problem_id", how="left", maintain_order="left")
    n, faults = pl.col("n").fill_null(0), pl.col("faults").fill_null(0)
    remarks = [
        (n == 0, "not_measured", n, None),
        (faults > 0, "sandbox_faults", faults, 0.0),
    ]
    return pl.concat(
        measured.filter(fires).select(
            record_id="problem_id",
            verdict=pl.lit(Verdict.FLAG.value),
            reason=pl.lit(reason),
            measured=value.cast(pl.Float64),
            threshold=pl.lit(threshold, dtype=pl.Float64),
            witness=pl.lit(None, dtype=pl.String),
            detail=pl.lit(None, dtype=pl.String),
        )
        for fires, reason, value, threshold in remarks
    )


def matching(measure: Measure) -> pl.Expr:
    """Return the condition that a row of counts was measured as ``measure`` says."""
    named = measure.model_dump(exclude_none=True)
    return pl.all_horizontal(pl.lit(value=True), *(pl.col(column) == value for column, value in named.items()))


def select(rates: pl.LazyFrame, measure: Measure, *, besides: Iterable[Measure] = ()) -> pl.LazyFrame:
    """Return the counts of one measurement, at most one row per problem.

    Parameters
    ----------
    measure
        Which counts; what it leaves open must be the same in all rows it matches.
    besides
        Counts never meant (those of a guessing policy), left out first.

    Raises
    ------
    UsageError
        If nothing matches although there are counts, or more than one measurement does.
    """
    for other in besides:
        rates = rates.filter(~matching(other))
    found = rates.filter(matching(measure))
    ways = found.select(_MEASURED_BY).unique().sort(_MEASURED_BY).collect(engine="streaming")
    if ways.height > 1 or (ways.is_empty() and measure != Measure()):
        raise _unclear(measure, ways, rates)
    return found


def _unclear(measure: Measure, ways: pl.DataFrame, rates: pl.LazyFrame) -> UsageError:
    asked = ", ".join(f"{name} {value!r}" for name, value in measure.model_dump(exclude_none=True).items()) or "no name"
    known = ways if ways.height else rates.select(_MEASURED_BY).unique().sort(_MEASURED_BY).head(5).collect()
    listed = "; ".join(
        ", ".join(f"{name} {value!r}" for name, value in way.items()) for way in known.head(5).iter_rows(named=True)
    )
    found = "no counts match" if ways.is_empty() else f"{ways.height} measurements match"
    return UsageError(
        f"{found} `measure` with {asked}; measured are: {listed or 'none'}.",
        hint="name policy, policy_revision, sampler and verifier_version under `measure` until one is left.",
    )


PASS_RATES = Stage("pass_rates", "1", count, outputs={"pass_rates": "pass_rate"})
"""Inputs ``rows`` and ``rollouts``; output ``pass_rates``."""
