"""Which tables might be rebuilt from which: all that needs no look at rows, with a reason for each refusal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

import polars as pl

from dedup.lake.files.tables import Table
from dedup.retention.files import inside
from dedup.retention.planning.costs import keep_cost, rebuild_cost, rebuild_seconds, use_of
from dedup.retention.recipes.store import LEAST
from dedup.retention.trash.deletion import obstacle
from schemas.errors import InputError
from schemas.recipe.retention import Retention, Use

__all__ = ["Options", "Reason", "options"]

_EDGE = ("child", "parent", "accidental", "verified")


class Reason(StrEnum):
    """Why a contained table stays; `meaning` says it in a sentence."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make a reason with its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    KEPT_BY_NAME = "kept_by_name", "The settings say so."
    NEEDED = "needed", "Deleted tables are rebuilt from it."
    OBSTACLE = (
        "obstacle",
        "A file of it is a link or has several names: deleting it frees nothing, or more than a table.",
    )
    TOO_SMALL = "too_small", "It takes no more bytes than the shortest recipe."
    UNVERIFIED = "unverified", "Only a sample says that it is contained."
    ACCIDENTAL = "accidental", "Chance may explain the containment."
    TOO_SLOW = "too_slow", "Rebuilding it takes longer than those who need it can wait."
    DEARER = "dearer", "Rebuilding it when it is needed costs as much as keeping it."
    NO_SAVING = "no_saving", "Its recipe takes as many bytes as the table."
    COMPRESSED = "compressed", "How it was compressed cannot be told: its rows do not bring its bytes back."
    CHANGED = "changed", "It was written to since the lake was scanned."
    PARENT = "parent", "Others are rebuilt from it."
    CHEAPEST = "cheapest", "Keeping it is part of the cheapest plan."


@dataclass
class Options:
    """What may be deleted, and from what it would be rebuilt.

    Parameters
    ----------
    parents
        For each table that may go, the tables that it may be rebuilt from.
    refused
        Why each other contained table stays.
    """

    parents: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, Reason] = field(default_factory=dict)


@dataclass(frozen=True)
class _Edge:
    parent: Table
    accidental: bool
    verified: bool


def options(
    tables: Mapping[str, Table], edges: pl.DataFrame, config: Retention, root: Path, needed: Iterable[str]
) -> Options:
    """Return which of the contained tables may be rebuilt, and from what.

    Of tables with the same bytes in use alike, one stands for all as a parent, which loses no best answer: whatever
    is rebuilt from another of them can be rebuilt from that one at the same cost.

    Parameters
    ----------
    edges
        As the contract ``containment`` has them.
    needed
        Tables that deleted ones are rebuilt from.
    """
    found, held = Options(), set(needed)
    into: dict[str, list[_Edge]] = defaultdict(list)
    for child, parent, *told in edges.sort("child", "parent").select(_EDGE).iter_rows():
        into[child].append(_Edge(tables[parent], *told))
    for name in into:
        if why := _stays(tables[name], config, root, held):
            found.refused[name] = why
    spokesmen = _spokesmen(tables, config, {*found.refused, *(tables.keys() - into.keys())})
    for name in into.keys() - found.refused.keys():
        edges_left, why = _screened(tables[name], into[name], config)
        if why:
            found.refused[name] = why
            continue
        speakers = {spokesmen[_kind(edge.parent, config)] for edge in edges_left} - {name}
        alike = {edge.parent.name for edge in edges_left if spokesmen[_kind(edge.parent, config)] == name}
        found.parents[name] = sorted(speakers | alike)
    return found


def _stays(table: Table, config: Retention, root: Path, needed: set[str]) -> Reason | None:
    """Return why a table is kept whatever it is contained in."""
    if any(fnmatchcase(table.name, pattern) for pattern in config.keep):
        return Reason.KEPT_BY_NAME
    if table.name in needed:
        return Reason.NEEDED
    if table.bytes <= LEAST:
        return Reason.TOO_SMALL
    try:
        blocked = any(obstacle(inside(root, file.name)) for file in table.files)
    except InputError:
        return Reason.OBSTACLE
    return Reason.OBSTACLE if blocked else None


def _screened(table: Table, edges: Iterable[_Edge], config: Retention) -> tuple[list[_Edge], Reason | None]:
    """Return the edges over which a table may be rebuilt, or the reason that the last of them failed for."""
    use = use_of(table.name, config)
    keep = keep_cost(table.bytes, use, config)
    tests = (
        (Reason.UNVERIFIED, lambda edge: edge.verified),
        (Reason.ACCIDENTAL, lambda edge: not edge.accidental),
        (Reason.TOO_SLOW, lambda edge: rebuild_seconds(edge.parent.bytes, table.bytes, config) <= use.latency_s),
        (Reason.DEARER, lambda edge: rebuild_cost(edge.parent.bytes, table.bytes, LEAST, use, config) < keep),
    )
    left = list(edges)
    for reason, passes in tests:
        left = [edge for edge in left if passes(edge)]
        if not left:
            return [], reason
    return left, None


def _kind(table: Table, config: Retention) -> tuple[str, Use]:
    return table.content_key, use_of(table.name, config)


def _spokesmen(tables: Mapping[str, Table], config: Retention, kept: set[str]) -> dict[tuple[str, Use], str]:
    """Return one table of each content and use: the first by name, of those that are kept anyway if there are any."""
    ordered = sorted(tables, key=lambda name: (name not in kept, name), reverse=True)
    return {_kind(tables[name], config): name for name in ordered}
