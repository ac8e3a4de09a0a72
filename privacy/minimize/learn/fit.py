"""From a full-resolution sample to a policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.coarsen import enlarged
from privacy.minimize.learn.distinct import checksum, collapse, draw, fingerprint
from privacy.minimize.learn.generalize import Generalization, from_tree
from privacy.minimize.learn.growth import InMemory, Source
from privacy.minimize.learn.release import to_policy
from privacy.minimize.learn.sample import Sample
from privacy.minimize.learn.search import Search, criterion_of
from privacy.minimize.learn.stored import counted
from privacy.minimize.policy import CELL, Fitted, Policy, name_faults
from privacy.minimize.rules import TypeName, type_name
from schemas.errors import InputError
from schemas.minimize import Fit, Release

__all__ = ["fit", "fitted", "generalize", "passed_types", "told_apart"]

SCOUTS = 5_000
"""Rows drawn to look ahead on."""
_FINER = 3
"""Times that columns of many values are binned anew, finer where the search cut them, and searched again."""


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
    types = passed_types(frame.lazy(), config, (config.release,))
    binning = Binning.learn(frame.lazy(), config)
    rows, total, found = _learned(frame.lazy(), binning)
    known = fitted(binning, rows, total)
    for _ in range(_FINER):
        closer = binning.finer(frame.lazy(), found.ends)
        if closer is None:
            break
        binning = closer
        found = _learned(frame.lazy(), binning)[-1]
    return to_policy(binning, found, known, types)


def _learned(frame: pl.LazyFrame, binning: Binning) -> tuple[int, int, Generalization]:
    """Return the number of rows, their checksum, and what is found best for them."""
    if binning.config.engine == "memory":
        sample = binning.encode(binning.select(frame).collect(engine="streaming"))
        return sample.rows, checksum(sample), generalize(binning, sample)
    with counted(frame, binning, SCOUTS) as stored:
        found = _released(_found(stored.source, binning, stored.scouts), stored.source, binning)
        return stored.rows, stored.checksum, found


def generalize(binning: Binning, sample: Sample) -> Generalization:
    """Return what is found best for a sample, in the form of release that its configuration asks for."""
    distinct = collapse(sample)
    source = InMemory(distinct)
    return _released(_found(source, binning, draw(distinct, SCOUTS, binning.config.seed)), source, binning)


def _released(found: Generalization, source: Source, binning: Binning) -> Generalization:
    return found if binning.config.release == "cell" else told_apart(found, source, binning)


def _found(source: Source, binning: Binning, scouts: Sample) -> Generalization:
    config = binning.config
    tree = Search(source, binning, scouts).tree(config.alpha, config.max_leaf_nodes)
    return from_tree(binning.layout, tree, absent_apart=config.compat is not None)


def told_apart(found: Generalization, source: Source, binning: Binning) -> Generalization:
    """Return a tree's buckets as an attribute release, merged as far as the smallest group demands."""
    if not binning.config.smallest_group:
        return found.attributes()
    floor = binning.at_least(binning.config.smallest_group)
    return enlarged(found, source.tally(found), criterion_of(binning), floor)


def fitted(binning: Binning, rows: int, total: int, **more: Any) -> Fitted:
    """Return how a policy was learned.

    Parameters
    ----------
    rows
        Rows of the sample.
    total
        Their checksum.
    more
        Further figures to keep with the settings.
    """
    config = binning.config
    kept = {"alpha", "max_leaf_nodes", "min_samples_leaf", "smallest_group", "leakage", "search", "max_bins"}
    return Fitted(
        method="pat",
        sample_rows=rows,
        sample_clients=binning.clients,
        sample_fingerprint=fingerprint(total, binning.layout.codings),
        personal=tuple(binning.names[attribute.column] for attribute in binning.layout.personal),
        identifying=binning.identifying or None,
        seed=config.seed,
        settings=config.model_dump(mode="json", include=kept | ({"compat"} if config.compat else set())) | more,
    )


def passed_types(frame: pl.LazyFrame, config: Fit, releases: Sequence[Release]) -> dict[str, TypeName]:
    """Return the types of the columns that are stored as they come.

    Parameters
    ----------
    releases
        Forms of release that may come of it.

    Raises
    ------
    InputError
        If a policy cannot speak of one of them, or of a column's name.
    """
    schema = frame.collect_schema()
    if faults := list(dict.fromkeys(name_faults(schema.names()))):
        raise InputError(f"{'; '.join(faults)}.", hint="rename the columns.")
    if CELL in releases and CELL in [name.lower() for name in schema.names()]:
        raise InputError(
            f"column {CELL!r} has the name of the column that a cell release stores.",
            hint="rename it, or allow attribute releases only.",
        )
    types = {}
    for name in (*config.targets, *config.passthrough):
        kind = type_name(schema[name]) if name in schema else "str"
        if kind is None:
            raise InputError(f"column {name!r} of type {schema[name]} cannot be passed through.", hint="cast it first.")
        types[name] = kind
    return types
