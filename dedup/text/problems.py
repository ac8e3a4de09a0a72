"""The prompts of problems as documents, with what decides which of two alike stays."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from schemas.recipe.dedup import Dedup

__all__ = ["ranked_problems", "said", "statements"]


def said(column: str) -> pl.Expr:
    """Return the text of a column of messages, but for the system's."""
    message = pl.element().struct
    contents = message.field("content").filter(message.field("role").ne_missing("system"))
    return pl.col(column).list.eval(contents).list.join("\n\n")


def statements() -> pl.Expr:
    """Return what `schemas.ids.statement` returns, as an expression over the column ``prompt``."""
    return said("prompt").fill_null("")


def ranked_problems(rows: pl.LazyFrame, config: Dedup) -> pl.LazyFrame:
    """Return ``id`` and ``text`` of problems, and the columns that order them, smallest first.

    Parameters
    ----------
    rows
        Table of the contract ``problem``.
    """
    unnamed = len(config.sources)
    rank = {source: place for place, source in enumerate(config.sources)}
    by_source = pl.col("source").replace_strict(rank, default=unnamed, return_dtype=pl.Int64)
    rules = {
        "most_tests": -pl.col("tests").map_elements(_length, return_dtype=pl.Int64, skip_nulls=False),
        "most_references": -pl.col("reference_solutions").list.len().cast(pl.Int64).fill_null(0),
        "longest": -statements().str.len_chars().cast(pl.Int64),
        "earliest": pl.col("date").to_physical().cast(pl.Int64).fill_null(np.iinfo(np.int32).max),
    }
    ranks = {name: rules[name] for name in config.prefer}
    return rows.select(id="problem_id", text=statements(), source=by_source, **ranks)


def _length(tests: str | None) -> int:
    try:
        found = json.loads(tests or "")
    except ValueError:
        return 0
    return len(found) if isinstance(found, list) else 0
