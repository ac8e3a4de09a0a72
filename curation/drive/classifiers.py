"""Difficulty labels for the supervised stage: from pass rates, or from a classifier somebody installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import polars as pl

from schemas.errors import UsageError, did_you_mean

__all__ = ["GROUP", "LABELS", "Classifier", "classifier", "labels"]

GROUP = "sluice.difficulty"
LABELS = ("easy", "medium", "hard")
_FROM_COUNTS = "pass_rates"

Classifier = Callable[[pl.LazyFrame], pl.LazyFrame]
"""From rows of the problem contract to ``problem_id`` and ``label``: easy, medium, hard, or null."""


def classifier(name: str) -> Classifier:
    """Load the classifier installed as ``name`` under the entry-point group ``sluice.difficulty``.

    Raises
    ------
    UsageError
        If none is installed under that name.
    """
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        installed = ", ".join(sorted(known)) or "none"
        raise UsageError(
            f"no difficulty classifier is called {name!r}; installed are: {installed}.",
            hint=did_you_mean(name, [*known, _FROM_COUNTS])
            or f"use `labels: {_FROM_COUNTS}`, or install one under {GROUP!r}.",
        )
    return known[name].load()


def labels(name: str, problems: pl.LazyFrame, bands: pl.LazyFrame) -> pl.LazyFrame:
    """Return ``problem_id`` and ``label`` as the recipe asks.

    Parameters
    ----------
    name
        ``pass_rates``, or the name of a classifier.
    problems
        Rows of the problem contract.
    bands
        ``problem_id`` and ``band``, from counts.

    Raises
    ------
    UsageError
        If a classifier answers with other labels.
    """
    if name == _FROM_COUNTS:
        return bands.select("problem_id", label="band")
    answered = classifier(name)(problems).select("problem_id", "label").collect()
    strange = answered.filter(pl.col("label").is_not_null() & ~pl.col("label").is_in(LABELS))
    if strange.height or answered["problem_id"].is_duplicated().any():
        raise UsageError(
            f"the classifier {name!r} answered {strange['label'].unique().sort().head(3).to_list()} or named a problem "
            f"twice; allowed is one of {', '.join(LABELS)} per problem.",
        )
    return answered.lazy()
