"""Linking two leaked attributes of one person, without knowing either at full resolution."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import polars as pl

from privacy.minimize.audit.breach import Breach
from privacy.minimize.audit.intervals import wilson
from privacy.minimize.audit.settings import Audit
from privacy.minimize.evaluate.encoding import Cells, cells, codes
from privacy.minimize.evaluate.folds import canonical_order
from schemas.audit_tables import AUDIT_LINK

__all__ = ["LINK", "linkability"]

LINK = pl.Schema({name: of for name, of in pl.Schema(AUDIT_LINK.arrow).items() if name != "audit_id"})
"""One row per ordered pair of personal attributes, as the contract says."""


def linkability(breach: Breach, settings: Audit) -> pl.DataFrame:
    """Link each personal attribute to each other one.

    Two tables leak: one holds what is stored of the known attribute, the other what is stored of the linked one,
    both without names. From the attacker's own sample comes which bucket of the linked attribute is the most frequent
    with the known one; a random record of that bucket is named. It is right where its true value of the linked
    attribute is the person's. The baseline names any record at random.

    Returns
    -------
    polars.DataFrame
        Columns of `LINK`; empty where fewer than two attributes are personal.
    """
    order = canonical_order(
        pl.concat([breach.raw, breach.released.select(pl.all().name.prefix("out."))], how="horizontal")
    )
    held = breach.test[order]
    train, test = order[~held], order[held]
    draw = np.random.default_rng(settings.seed)
    queries = draw.choice(test, settings.queries)
    stored = {name: _stored(breach, name) for name in breach.personal}
    truth = {name: codes(breach.raw[name])[0] for name in breach.personal}
    rows = []
    for known, linked in permutations(breach.personal, 2):
        guess = _likeliest(stored[known], stored[linked], train)[stored[known].number[queries]]
        named = _named(stored[linked].number[test], guess, draw)
        right = truth[linked][test[named]] == truth[linked][queries]
        anybody = truth[linked][draw.choice(test, len(queries))] == truth[linked][queries]
        low, high = wilson(right.mean(), len(queries), settings.confidence)
        rows.append((known, linked, len(queries), float(right.mean()), low, high, float(anybody.mean())))
    return pl.DataFrame(rows, schema=LINK, orient="row")


def _stored(breach: Breach, attribute: str) -> Cells:
    """Return what is stored of an attribute: its own buckets, or all that does not belong to another one."""
    others = {column for name, columns in breach.own.items() if name != attribute for column in columns}
    columns = [codes(breach.released[name])[0] for name in breach.released.columns if name not in others]
    return cells(columns, len(breach.raw))


def _likeliest(known: Cells, linked: Cells, train: np.ndarray) -> np.ndarray:
    """Return for each bucket of the known attribute the most frequent of the linked one; -1 where there is none."""
    pairs, votes = np.unique(known.number[train] * linked.count + linked.number[train], return_counts=True)
    place, bucket = np.divmod(pairs, linked.count)
    found = np.full(known.count, -1)
    # the last one written stays: most votes, then the smallest bucket
    best = np.lexsort((-bucket, votes))
    found[place[best]] = bucket[best]
    return found


def _named(buckets: np.ndarray, guesses: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return the place of a random record of each guessed bucket, or of any record where none is in it."""
    order = np.argsort(buckets, kind="stable")
    ranked = buckets[order]
    first, last = np.searchsorted(ranked, guesses, "left"), np.searchsorted(ranked, guesses, "right")
    there = last > first
    first, last = np.where(there, first, 0), np.where(there, last, len(ranked))
    return order[first + (draw.random(len(guesses)) * (last - first)).astype(np.int64)]
