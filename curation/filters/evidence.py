"""The facts that rules look at: a problem's columns joined with counts, test quality and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from curation.columns import count_tests, statement_text
from curation.filters.answers import majorities
from curation.measure.comparisons import inversions
from curation.measure.estimators import interval_columns
from curation.measure.pass_rates import matching, select
from schemas.errors import UsageError
from schemas.recipe import filters as recipe

__all__ = ["facts"]

Inputs = Mapping[str, pl.LazyFrame]
_RATED = (recipe.Unsolved, recipe.Saturated, recipe.BandRule)
_QUALITY = ("references", "references_passed", "wrong", "wrong_passed", "mutants", "mutants_killed", "trivial_passed")


def facts(inputs: Inputs, settings: recipe.Filters) -> pl.LazyFrame:
    """Return the problems with everything that the recipe's rules look at, one row each.

    Raises
    ------
    UsageError
        If a measurement is not told clearly, or a rule asks for what was not measured or cannot be ordered.
    """
    known = inputs["rows"].with_columns(statement=statement_text())
    quality = inputs["test_quality"].select("problem_id", "n_tests", "flaky", *_QUALITY)
    known = known.join(quality, on="problem_id", how="left").with_columns(
        n_tests=pl.when(pl.col("n_tests").is_null()).then(count_tests()).otherwise("n_tests"),
    )
    if any(isinstance(rule, _RATED) for rule in settings.rules):
        known = known.join(_rates(inputs, settings), on="problem_id", how="left")
    for rule in settings.rules:
        if build := _OWN.get(type(rule)):
            own = build(inputs, settings, rule)
            known = known.join(own.rename(lambda name, rule=rule: _own_name(rule, name)), on="problem_id", how="left")
    return known


def own(rule: Any, column: str) -> pl.Expr:
    """Return a column of the evidence gathered for one rule alone."""
    return pl.col(_own_name(rule, column))


def _own_name(rule: Any, column: str) -> str:
    return column if column == "problem_id" else f"{rule.code}:{column}"


def _measured(inputs: Inputs, settings: recipe.Filters) -> pl.LazyFrame:
    guessers = [rule.guesser for rule in settings.rules if isinstance(rule, recipe.Guessable)]
    return select(inputs["pass_rates"], settings.measure, besides=guessers)


def _rates(inputs: Inputs, settings: recipe.Filters) -> pl.LazyFrame:
    bounds = interval_columns(settings.interval, settings.confidence)
    return _measured(inputs, settings).select("problem_id", "n", "c", *bounds)


def _guesses(inputs: Inputs, _: recipe.Filters, rule: recipe.Guessable) -> pl.LazyFrame:
    return select(inputs["pass_rates"], rule.guesser).select("problem_id", "n", "c")


def _remeasured(inputs: Inputs, _: recipe.Filters, rule: recipe.Remeasured) -> pl.LazyFrame:
    return inputs["pass_rates"].filter(matching(rule.by)).group_by("problem_id").agg(pl.col("n").sum())


def _majorities(inputs: Inputs, _: recipe.Filters, __: recipe.MajorityDisagrees) -> pl.LazyFrame:
    return majorities(inputs["rows"], inputs["rollouts"])


def _inversions(inputs: Inputs, settings: recipe.Filters, rule: recipe.RankInversion) -> pl.LazyFrame:
    rates = inputs["pass_rates"]
    for guessing in (other for other in settings.rules if isinstance(other, recipe.Guessable)):
        rates = rates.filter(~matching(guessing.guesser))
    return inversions(rates, rule.weakest_first, kind=settings.interval, confidence=settings.confidence)


def _hardest(inputs: Inputs, settings: recipe.Filters, rule: recipe.Hardest) -> pl.LazyFrame:
    rated = _measured(inputs, settings).filter(pl.col("n") > 0)
    here = rated.join(inputs["rows"].select("problem_id"), on="problem_id", how="semi")
    ranked = (
        here.select("problem_id", rate=pl.col("c") / pl.col("n")).sort("rate", "problem_id").with_row_index("place")
    )
    kept = (pl.len() * rule.keep.numerator + rule.keep.denominator - 1) // rule.keep.denominator
    return ranked.select("problem_id", "rate", beyond=pl.col("place").cast(pl.Int64) >= kept, edge=_edge(kept))


def _edge(kept: pl.Expr) -> pl.Expr:
    """Return the highest pass rate that stays."""
    return pl.col("rate").filter(pl.int_range(pl.len()) < kept).max()


def _difficulty(inputs: Inputs, _: recipe.Filters, rule: recipe.Difficulty) -> pl.LazyFrame:
    labels = inputs["rows"].select("problem_id", "difficulty").explode("difficulty").unnest("difficulty")
    named = labels.filter(pl.col("label") == rule.label)
    unordered = named.filter(pl.col("polarity") == rule.refuses.value).head(1).collect()
    if unordered.height:
        raise UsageError(
            f"the filter 'difficulty' was given the label {rule.label!r}, whose values (such as "
            f"{unordered['raw'][0]!r}) have no order from easy to hard.",
            hint="filter by a label with a polarity, or by pass rates (`band`).",
        )
    return named.group_by("problem_id").agg(pl.col("value").first())


_OWN: dict[type, Callable[[Inputs, recipe.Filters, Any], pl.LazyFrame]] = {
    recipe.Guessable: _guesses,
    recipe.Remeasured: _remeasured,
    recipe.MajorityDisagrees: _majorities,
    recipe.RankInversion: _inversions,
    recipe.Hardest: _hardest,
    recipe.Difficulty: _difficulty,
}
