"""From a full-resolution sample to a policy."""

from __future__ import annotations

from typing import Any

import polars as pl

from privacy.minimize.learn.binning import Binning, bin_sample, collapse, draw, fingerprint
from privacy.minimize.learn.generalize import Generalization, from_tree
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.release import to_policy
from privacy.minimize.learn.sample import Sample
from privacy.minimize.learn.search import Search
from privacy.minimize.policy import Fitted, Policy
from privacy.minimize.rules import TypeName, type_name
from schemas.errors import InputError
from schemas.minimize import Fit

__all__ = ["fit", "fitted", "generalize", "passed_types"]

SCOUTS = 8_000
"""Rows drawn to look ahead on."""


def fit(frame: pl.DataFrame | pl.LazyFrame, config: Fit) -> Policy:
    """Learn a policy from a consented full-resolution sample.

    Parameters
    ----------
    frame
        One row per record; neither their order nor equal rows instead of weights change the policy.

    Raises
    ------
    UsageError
        If the configuration names columns that are not there.
    InputError
        If the sample cannot be learned from.

    Examples
    --------
    >>> rows = {"age": [20, 30, 40, 50] * 50, "sex": ["F", "M", "M", "F"] * 50, "y": [0, 0, 1, 1] * 50}
    >>> policy = fit(pl.DataFrame(rows), Fit(targets=("y",), personal=("sex",), min_samples_leaf=10))
    >>> policy.columns["age"].borders, policy.columns["sex"].kind
    (('35',), 'drop')
    """
    types = passed_types(frame.lazy(), config)
    binning, sample = bin_sample(frame, config)
    return to_policy(binning, generalize(binning, sample), fitted(binning, sample), types)


def generalize(binning: Binning, sample: Sample) -> Generalization:
    """Return what is found best for a sample, in the form of release that its configuration asks for."""
    config = binning.config
    distinct = collapse(sample)
    search = Search(InMemory(distinct), binning, draw(distinct, SCOUTS, config.seed))
    tree = search.tree(config.alpha, config.max_leaf_nodes)
    found = from_tree(binning.layout, tree, absent_apart=config.compat is not None)
    return found if config.release == "cell" else found.attributes()


def fitted(binning: Binning, sample: Sample, **more: Any) -> Fitted:
    """Return how a policy was learned.

    Parameters
    ----------
    more
        Further figures to keep with the settings.
    """
    config = binning.config
    kept = {"alpha", "max_leaf_nodes", "min_samples_leaf", "smallest_group", "leakage", "search", "max_bins"}
    return Fitted(
        method="pat",
        sample_rows=sample.rows,
        sample_clients=None if sample.clients is None else len(set(sample.clients.tolist())),
        sample_fingerprint=fingerprint(sample, binning),
        seed=config.seed,
        settings=config.model_dump(mode="json", include=kept | ({"compat"} if config.compat else set())) | more,
    )


def passed_types(frame: pl.LazyFrame, config: Fit) -> dict[str, TypeName]:
    """Return the types of the columns that are stored as they come.

    Raises
    ------
    InputError
        If a policy cannot speak of one of them.
    """
    schema = frame.collect_schema()
    types = {}
    for name in (*config.targets, *config.passthrough):
        kind = type_name(schema[name]) if name in schema else "str"
        if kind is None:
            raise InputError(f"column {name!r} of type {schema[name]} cannot be passed through.", hint="cast it first.")
        types[name] = kind
    return types
