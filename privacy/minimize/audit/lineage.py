"""From raw values to what is stored: every bucket of a policy, what it stands for, and how many records are in it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from privacy.minimize.audit.releases import stored
from privacy.minimize.policy import CELL, Policy
from privacy.minimize.show import cells
from schemas.audit_tables import AUDIT_BUCKET

__all__ = ["BUCKET", "lineage"]

BUCKET = pl.Schema({name: of for name, of in pl.Schema(AUDIT_BUCKET.arrow).items() if name != "audit_id"})
"""One row per bucket, as the contract says."""


def lineage(policy: Policy, raw: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets of each column, and the cells where one cell is stored of a record.

    Parameters
    ----------
    raw
        Records with the columns of the policy.
    """
    buckets = stored(policy.model_copy(update={"release": "attribute", "cells": None}), raw)
    rows = [row for name in policy.kept for row in _rows(name, policy.labels(name), buckets[name])]
    if policy.cells is not None:
        rows += _rows(CELL, _told(policy), stored(policy, raw)[CELL])
    return pl.DataFrame(rows, schema=BUCKET, orient="row")


def _rows(column: str, labels: dict[str, str], stored: pl.Series) -> Iterator[tuple[str, str, str, int, float]]:
    counts = dict(stored.value_counts().iter_rows())
    for bucket, label in labels.items():
        records = counts.get(bucket, 0)
        yield column, bucket, label, records, records / max(len(stored), 1)


def _told(policy: Policy) -> dict[str, str]:
    """Return which records each cell holds; several ways may lead to one."""
    ways: dict[str, list[str]] = {}
    for cell, condition in cells(policy):
        ways.setdefault(cell, []).append(condition)
    return {cell: ", or else: ".join(found) for cell, found in ways.items()}
