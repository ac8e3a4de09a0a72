"""What each rule removed, and what the rules that only report would have removed."""

from __future__ import annotations

import polars as pl

__all__ = ["removed_by_rule"]


def removed_by_rule(hits: pl.LazyFrame) -> pl.DataFrame:
    """Count problems per rule.

    Parameters
    ----------
    hits
        Rows of the contract `contamination`.

    Returns
    -------
    polars.DataFrame
        ``rule``; ``drops``; ``problems``: those that it finds; ``alone``: those that no rule which drops finds
        besides it; ``benchmarks``: structs of name and count. Rules that drop come first.
    """
    dropped = hits.filter("drops").group_by("problem_id").agg(by=pl.col("rule").unique())
    known = hits.join(dropped, on="problem_id", how="left").with_columns(pl.col("by").fill_null([]))
    others = pl.col("by").list.set_difference(pl.concat_list("rule")).list.len()
    counts = known.group_by("rule", "drops").agg(
        problems=pl.col("problem_id").n_unique(),
        alone=pl.col("problem_id").filter(others == 0).n_unique(),
    )
    per_benchmark = (
        hits.group_by("rule", "benchmark")
        .agg(pl.col("problem_id").n_unique())
        .sort("benchmark")
        .group_by("rule")
        .agg(benchmarks=pl.struct("benchmark", problems="problem_id"))
    )
    joined = counts.join(per_benchmark, on="rule").sort("drops", "rule", descending=[True, False])
    return joined.select("rule", "drops", "problems", "alone", "benchmarks").collect()
