"""Rows of a prompt set: a problem, its place in a curriculum, and the evidence that put it there."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from curation.columns import count_tests
from schemas.enums import Verdict
from schemas.ids import record_id
from schemas.records import PROBLEM, PROMPT_SET

__all__ = ["MEASURED", "assemble", "flags", "row_ids", "tests_known"]

MEASURED = ("policy", "policy_revision", "sampler", "n", "c", "tests_passed", "tests_total")
_PLACED = ("problem_id", "curriculum", "phase", "order_index", "dup_index", "band", *MEASURED[:5])


def row_ids() -> pl.Expr:
    """Return the id of each row, from problem, curriculum, phase and duplicate index."""

    def name(rows: pl.Series) -> pl.Series:
        return pl.Series([record_id("s", *row.values()) for row in rows], dtype=pl.String)

    placed = pl.struct("problem_id", "curriculum", "phase", "dup_index")
    return placed.map_batches(name, return_dtype=pl.String, is_elementwise=True)


def tests_known(inputs: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return ``n_tests``, ``mutants`` and ``mutants_killed`` per problem; tests counted where quality is unknown."""
    quality = inputs["test_quality"].select("problem_id", "n_tests", "mutants", "mutants_killed")
    joined = inputs["rows"].select("problem_id", "tests").join(quality, on="problem_id", how="left")
    counted = pl.when(pl.col("n_tests").is_null()).then(count_tests()).otherwise("n_tests")
    return joined.select("problem_id", "mutants", "mutants_killed", n_tests=counted)


def flags(inputs: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Return per problem the sorted reasons of the ``flag`` decisions in input ``decisions``, if there is one."""
    if "decisions" not in inputs:
        return pl.LazyFrame(schema={"problem_id": pl.String, "flags": pl.List(pl.String)})
    flagged = inputs["decisions"].filter(verdict=Verdict.FLAG.value)
    return flagged.group_by(problem_id="record_id").agg(flags=pl.col("reason").unique().sort())


def assemble(inputs: Mapping[str, pl.LazyFrame], placed: pl.LazyFrame) -> pl.LazyFrame:
    """Return the prompt set of placed problems.

    Parameters
    ----------
    inputs
        ``rows``, ``test_quality`` and, where known, ``decisions``.
    placed
        One row per exposure: ``problem_id``, its place, ``band`` and the counts that decided.

    Returns
    -------
    LazyFrame
        Rows of the ``prompt_set`` contract.
    """
    evidence = placed.select(_PLACED).join(tests_known(inputs), on="problem_id", how="left")
    places = evidence.join(flags(inputs), on="problem_id", how="left").with_columns(
        row_id=row_ids(),
        flags=pl.col("flags").fill_null([]),
    )
    # Kept in the rows' order so that the narrow side is held in memory, not the problems' texts.
    whole = inputs["rows"].select(PROBLEM.names).join(places, on="problem_id", how="left", maintain_order="left")
    return whole.filter(pl.col("row_id").is_not_null()).select(PROMPT_SET.names)
