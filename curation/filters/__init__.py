"""Filters by name: each decides alone, with what it measured and against what; nothing is deleted here."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from curation.draws import lot
from curation.filters.evidence import facts
from curation.filters.findings import decisions
from curation.filters.rules import findings
from schemas.enums import Verdict
from schemas.recipe.filters import Filters
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["FILTERS", "apply", "controls", "decide", "report"]


def decide(inputs: Mapping[str, pl.LazyFrame], settings: Filters) -> pl.LazyFrame:
    """Return every decision of every rule; a problem that two rules object to has two.

    Parameters
    ----------
    inputs
        ``rows``, ``pass_rates``, ``test_quality`` and ``rollouts``, by their contracts.

    Raises
    ------
    UsageError
        If `Filters.measure` leaves open which counts are meant, or a label has no order.
    """
    looked_for = findings(settings)
    return decisions(facts(inputs, settings), looked_for) if looked_for else no_decisions()


def apply(inputs: Mapping[str, pl.LazyFrame], config: Filters, services: Services) -> StageResult:  # noqa: ARG001 - filters need no services
    """Stage ``filters``: decisions of the named rules, and a control set on request."""
    decided = decide(inputs, config).collect(engine="streaming").lazy()
    drawn = inputs["rows"].head(0) if config.control is None else controls(inputs["rows"], decided, config.control.seed)
    return StageResult(decided, outputs={"controls": drawn})


def controls(rows: pl.LazyFrame, decided: pl.LazyFrame, seed: int) -> pl.LazyFrame:
    """Draw, source by source, as many problems at random as the filters kept.

    Parameters
    ----------
    rows
        The problems that went in, kept and dropped alike: the draw is from all of them.
    decided
        The filters' decisions.
    seed
        Seed of the draw; ids and sources decide the rest.
    """
    gone = decided.filter(verdict=Verdict.DROP.value).select(problem_id="record_id").unique()
    kept = rows.select("problem_id", "source").join(gone, on="problem_id", how="anti")
    shares = kept.group_by("source").agg(kept=pl.len().cast(pl.Int64))
    by_lot = rows.select("problem_id", "source", lot=lot(seed, "problem_id", purpose="control")).sort(
        "lot", "problem_id"
    )
    placed = by_lot.with_columns(place=pl.int_range(pl.len()).over("source")).join(shares, on="source")
    drawn = placed.filter(pl.col("place") < pl.col("kept")).select("problem_id")
    return rows.join(drawn, on="problem_id", how="semi")


def report(decided: pl.LazyFrame) -> pl.DataFrame:
    """Return what each rule alone would remove.

    Returns
    -------
    DataFrame
        ``reason``, ``removes`` (problems it objects to), ``only`` (of these, problems no other rule objects to)
        and ``flags``; most removing first.

    Examples
    --------
    >>> report(no_decisions()).columns
    ['reason', 'removes', 'only', 'flags']
    """
    drops = pl.col("verdict") == Verdict.DROP.value
    alone = drops & (drops.cast(pl.Int64).sum().over("record_id") == 1)
    counted = decided.with_columns(drops=drops, alone=alone).group_by("reason")
    table = counted.agg(
        removes=pl.col("drops").sum(),
        only=pl.col("alone").sum(),
        flags=(pl.col("verdict") == Verdict.FLAG.value).sum(),
    )
    return table.sort("removes", "reason", descending=[True, False]).collect()


FILTERS = Stage("filters", "1", apply, outputs={"controls": "problem"})
"""Inputs ``rows``, ``pass_rates``, ``test_quality`` and ``rollouts``; output ``controls``."""
