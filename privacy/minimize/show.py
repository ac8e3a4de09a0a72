"""A policy as a person wants to read it: what is stored, what is not, for which purpose, at which measured risk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from privacy.minimize.cells import Node
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Drop, Interval

__all__ = ["Sheet", "cells", "markdown", "sheets"]


_BUCKETS = {"attribute": "What is stored: a bucket per column", "cell": "Buckets that the cells are made of"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a description."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(policy: Policy) -> tuple[Sheet, ...]:
    """Return the tables that describe a policy; empty ones are left out."""
    found = (
        Sheet(f"Policy {policy.id}, version {policy.version}", ("", ""), tuple(_header(policy))),
        Sheet("What is stored: one cell per record", ("cell", "stands for"), tuple(cells(policy))),
        Sheet(_BUCKETS[policy.release], ("column", "bucket", "stands for"), tuple(_stored(policy))),
        Sheet("What is not stored", ("column", "why"), tuple(_not_stored(policy))),
        Sheet("Stored as it comes", ("column", "type"), tuple(policy.passthrough.items())),
        Sheet("How it was learned", ("", ""), tuple(_flat(policy.fit.model_dump(mode="json", exclude_none=True)))),
        Sheet("Empirical risk (measured, no guarantee)", ("", ""), tuple(_flat(policy.risk))),
    )
    return tuple(sheet for sheet in found if sheet.rows)


def markdown(policy: Policy) -> str:
    """Return the description as Markdown."""
    return "\n".join(line for sheet in sheets(policy) for line in _lines(sheet))


def _lines(sheet: Sheet) -> Iterator[str]:
    yield f"## {sheet.title}\n"
    yield f"| {' | '.join(sheet.columns)} |"
    yield f"|{'---|' * len(sheet.columns)}"
    yield from (f"| {' | '.join(map(_escaped, row))} |" for row in sheet.rows)
    yield ""


def _escaped(text: str) -> str:
    safe = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(safe.splitlines())


def _header(policy: Policy) -> Iterator[tuple[str, str]]:
    yield "purpose", policy.purpose
    yield "legal basis", policy.legal_basis or "not stated"
    yield "targets", ", ".join(policy.targets) or "none"
    yield "release", policy.release
    yield "created", str(policy.created)
    yield "expires", str(policy.expires or "never")
    yield "parent", policy.parent or "none, this is the first version"
    yield "sha256", policy.digest


def _stored(policy: Policy) -> Iterator[tuple[str, str, str]]:
    for name, rule in policy.kept.items():
        unit = f"{name} ({rule.type})"
        for number, (bucket, label) in enumerate(rule.labels.items()):
            yield (unit if number == 0 else ""), bucket, label


def cells(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield each cell of a policy with the records that it holds, in words."""
    if policy.cells is None:
        return
    for leaf, way in policy.cells.paths():
        yield leaf, "; ".join(_condition(name, policy.kept[name], chosen) for name, chosen in _left_over(policy, way))


def _left_over(policy: Policy, way: Iterable[tuple[Node, bool]]) -> Iterator[tuple[str, list[str]]]:
    """Yield each column asked about on the way to a cell, with the buckets that get there."""
    open_buckets: dict[str, list[str]] = {}
    for node, left in way:
        before = open_buckets.get(node.column, policy.kept[node.column].bucket_ids)
        open_buckets[node.column] = [bucket for bucket in before if (bucket in node.buckets) is left]
    return iter(open_buckets.items())


def _condition(name: str, rule: Interval | Categories, chosen: list[str]) -> str:
    """Tell what a column may hold, in its own units; neighbouring intervals are told as one span."""
    labels = rule.labels
    if not isinstance(rule, Interval):
        return f"{name}: {', '.join(labels[bucket] for bucket in chosen) or 'nothing'}"
    numbers = [number for number, bucket in enumerate(rule.names) if bucket in chosen]
    runs = [list(run) for _, run in groupby(numbers, key=lambda number: number - numbers.index(number))]
    told = [rule.span(run[0], run[-1]) for run in runs]
    told += [labels[bucket] for bucket in chosen if bucket not in rule.names]
    return f"{name}: {', '.join(told) or 'nothing'}"


def _not_stored(policy: Policy) -> Iterator[tuple[str, str]]:
    for name, rule in policy.columns.items():
        if isinstance(rule, Drop):
            tells = name in (policy.fit.identifying or ())
            yield name, "tells people apart" if tells else "not needed for the purpose"
    if policy.client is not None and policy.client not in policy.passthrough:
        yield policy.client, "says whose row it is"


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in figures.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, float):
            yield name, f"{value:.4g}"
        elif isinstance(value, list | tuple):
            yield name, ", ".join(map(str, value))
        else:
            yield name, str(value)
