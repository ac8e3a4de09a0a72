"""Why a column is kept: how much of each target's entropy it explains, at full resolution and as it is stored."""

from __future__ import annotations

import numpy as np
import polars as pl

from privacy.minimize.audit.releases import stored
from privacy.minimize.evaluate.encoding import STEPS, cells, codes, is_continuous, numbers, target
from privacy.minimize.policy import Policy
from schemas.audit_tables import AUDIT_COLUMN

__all__ = ["COLUMN", "explained", "relevance"]

COLUMN = pl.Schema({name: of for name, of in pl.Schema(AUDIT_COLUMN.arrow).items() if name != "audit_id"})
"""One row per column and target, as the contract says."""


def relevance(policy: Policy, raw: pl.DataFrame, personal: tuple[str, ...]) -> pl.DataFrame:
    """Return what is kept of each column, and how much it tells of each target, before and after.

    Parameters
    ----------
    raw
        Records with the columns of the policy, its targets among them.
    personal
        Attributes under attack.
    """
    buckets = stored(policy.model_copy(update={"release": "attribute", "cells": None}), raw)
    rows = []
    for goal in policy.targets:
        wanted = target(raw[goal]).codes
        for name, rule in policy.columns.items():
            coarse = codes(buckets[name])[0] if name in buckets.columns else np.zeros(len(raw), dtype=np.int64)
            told, told_raw = explained(coarse, wanted), explained(_fine(raw[name], coarse), wanted)
            rows.append((name, goal, rule.kind, name in personal, len(policy.bucket_ids(name)), told, told_raw))
    return pl.DataFrame(rows, schema=COLUMN, orient="row")


def _fine(column: pl.Series, coarse: np.ndarray) -> np.ndarray:
    """Return codes of the raw values; numbers by 20 quantiles within what is stored, lest rare values pass for news."""
    values = column
    if is_continuous(column):
        cuts = np.unique(np.nanquantile(numbers(column), np.linspace(0, 1, STEPS + 1)[1:-1], method="lower"))
        values = pl.Series(np.searchsorted(cuts, numbers(column)))
    return cells([codes(values)[0], coarse], len(coarse)).number


def explained(known: np.ndarray, wanted: np.ndarray) -> float:
    """Return the share of the entropy of ``wanted`` that ``known`` explains: mutual information over entropy.

    Examples
    --------
    >>> alike, apart = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> explained(alike, alike), explained(apart, alike)
    (1.0, 0.0)
    """
    table = np.zeros((known.max() + 1, wanted.max() + 1))
    np.add.at(table, (known, wanted), 1)
    table /= len(known)
    whole = _entropy(table.sum(axis=0))
    joint = _entropy(table.ravel()) - _entropy(table.sum(axis=1))
    return 0.0 if whole == 0 else float(np.clip(1 - joint / whole, 0, 1))


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
