"""The method as published: schema graph, min-max pruning, content-level pruning by samples; nothing is proved.

Source: Shah et al. 2024, *R2D2: Reducing Redundancy and Duplication in Data Lakes*, PACMMOD 2 (SIGMOD).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from dedup.lake.files.tables import Table
from dedup.lake.fingerprints.projections import Projector
from dedup.lake.proving.min_max import Pairs, Statistics, prune
from dedup.lake.proving.schema_graph import Group, clusters
from schemas.ids import digest
from schemas.recipe.lake import Sample

__all__ = ["content_pruned", "schema_edges", "survival_bound"]

Schema = frozenset[tuple[str, str]]


def schema_edges(schemas: Sequence[Schema]) -> tuple[Pairs, int]:
    """Return all pairs of a child and a parent that holds its columns, and the number of clusters (SGB)."""
    found = clusters(schemas)
    edges: set[tuple[int, int]] = set()
    for cluster in found:
        for child in cluster:
            edges |= {(child, parent) for parent in cluster if child != parent and schemas[child] <= schemas[parent]}
    pairs = np.array(sorted(edges), np.int64).reshape(-1, 2)
    return Pairs(pairs[:, 0], pairs[:, 1]), len(found)


def content_pruned(projector: Projector, pairs: Pairs, sample: Sample) -> Pairs:
    """Return the pairs of which a sample of the child's rows is in the parent (CLP).

    For each child, ``sample.columns`` of its columns and ``sample.rows`` of its distinct rows are drawn: rows by the
    hash of their fingerprint with the seed, so that each is as likely as any other, whatever the order of the files.
    """
    kept = []
    drawn: dict[int, tuple[tuple[str, ...], np.ndarray]] = {}
    for place, (child, parent) in enumerate(zip(pairs.children.tolist(), pairs.parents.tolist(), strict=True)):
        if child not in drawn:
            drawn[child] = _drawn(projector, child, sample)
        columns, rows = drawn[child]
        low = projector.rows(parent, columns).low
        held = [np.isin(rows, values) for values, _ in low.chunks()]
        if np.logical_or.reduce(held, initial=False).all() if len(rows) else True:
            kept.append(place)
    return pairs.take(np.array(kept, np.int64))


def _drawn(projector: Projector, child: int, sample: Sample) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the columns that a child is compared on, and the fingerprints of its sampled rows under them."""
    table: Table = projector.tables[child]
    names = sorted(column.name for column in table.columns)
    order = sorted(names, key=lambda name: digest([sample.seed, table.name, name]))
    columns = tuple(sorted(order[: sample.columns]))
    salted = int(digest([sample.seed, table.name])[:16], 16) | 1
    low = projector.rows(child, columns).low
    best = np.zeros(0, np.uint64)
    for values, _ in low.chunks():
        both = np.concatenate([best, values])
        best = both[np.argsort(both * np.uint64(salted), kind="stable")[: sample.rows]]
    return columns, best


def survival_bound(sample: Sample) -> dict[str, float]:
    """Return how likely an edge survives of which a share of the child's rows is missing: (1 - share)^s.

    Drawing is without replacement, which only lowers it; comparing on t columns only may raise it.
    """
    return {str(share): (1 - share) ** sample.rows for share in (0.5, 0.1, 0.01, 0.001)}


def min_max(pairs: Pairs, tables: Sequence[Table], schemas: Sequence[Schema]) -> tuple[Pairs, Counter[str]]:
    """Return the pairs that statistics do not refute (MMP), and how many each reason refuted."""
    known, counts, kept = Statistics(tables), Counter[str](), []
    for schema in dict.fromkeys(schemas[child] for child in pairs.children.tolist()):
        children = tuple(number for number, other in enumerate(schemas) if other == schema)
        parents = tuple(number for number, other in enumerate(schemas) if schema <= other)
        columns = tuple(sorted(key[0] for key in schema))
        left, refuted = prune(Group(columns, children, parents), tables, known, "set")
        counts += refuted
        kept.append(left)
    return Pairs(*(np.concatenate([getattr(part, side) for part in kept]) for side in ("children", "parents"))), counts
