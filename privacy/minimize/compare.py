"""Two versions of a policy: what changed, and whether the new one only coarsens.

A version coarsens another if what it stores of a record is a function of what the other stores of it: every old
bucket lies within one new bucket, every old cell within one new cell. Whoever holds both then knows no more than from
the old one. Rules are compared on values that stand for all others: the borders and what follows each, every named
category, an unnamed one, infinities, NaN and missing values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

from privacy.minimize.border import Border
from privacy.minimize.compile.python_target import bucket
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Drop, Interval

__all__ = ["Change", "Comparison", "compare"]

Box = Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one column.

    Parameters
    ----------
    verdict
        ``same``, ``renamed``, ``coarser``, ``finer``, ``mixed`` or ``other type``.
    before, after
        What is stored of it, in words.
    splits
        Old buckets whose records the new rule tells apart, with the new buckets.
    """

    column: str
    verdict: str
    before: str
    after: str
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two versions of a policy have in common.

    Parameters
    ----------
    coarsens
        True if what the new version stores follows from what the old one stores.
    reasons
        Why not, one line each.
    """

    changes: tuple[Change, ...]
    coarsens: bool
    reasons: tuple[str, ...]


def compare(old: Policy, new: Policy) -> Comparison:
    """Compare two versions of a policy."""
    names = list(dict.fromkeys((*old.columns, *old.passthrough, *new.columns, *new.passthrough)))
    changes = tuple(_change(name, old, new) for name in names)
    reasons = tuple(_refinements(old, new, changes))
    return Comparison(changes, not reasons, reasons)


def _change(name: str, old: Policy, new: Policy) -> Change:
    before, after = _stored(old, name), _stored(new, name)
    told = (_words(before), _words(after))
    if before == after:
        return Change(name, "same", *told)
    if before == "raw" or after is None:
        return Change(name, "coarser", *told)
    if after == "raw":
        return Change(name, "finer", *told)
    if before is None:
        constant = len(_images(after, after)) == 1  # type: ignore[arg-type]
        return Change(name, "renamed" if constant else "finer", *told)
    if _kind(before) != _kind(after):
        return Change(name, "other type", *told)
    forth, back = _images(before, after), _images(after, before)  # type: ignore[arg-type]
    splits = {bucket: found for bucket, found in forth.items() if len(found) > 1}
    merges = any(len(found) > 1 for found in back.values())
    verdict = {(False, False): "renamed", (False, True): "coarser", (True, False): "finer", (True, True): "mixed"}
    return Change(name, verdict[bool(splits), merges], *told, splits)


def _stored(policy: Policy, name: str) -> Interval | Categories | str | None:
    """Return how a column is stored: by a rule, ``raw``, or not at all."""
    if name in policy.passthrough:
        return "raw"
    rule = policy.columns.get(name)
    return None if rule is None or isinstance(rule, Drop) else rule


def _kind(stored: Interval | Categories | str | None) -> tuple[str | None, int | None]:
    return getattr(stored, "type", None), getattr(stored, "scale", None)


def _words(stored: Interval | Categories | str | None) -> str:
    if stored is None or isinstance(stored, str):
        return stored or "nothing"
    count = len(stored.bucket_ids)
    return f"{count} bucket{'s' if count != 1 else ''}"


def _refinements(old: Policy, new: Policy, changes: tuple[Change, ...]) -> Iterator[str]:
    if set(old.missing) != set(new.missing):
        yield "other texts stand for a missing value"
    for change in changes:
        if change.after == "raw" and change.verdict == "finer":
            yield f"column {change.column!r} is stored raw now"
        elif change.verdict == "other type":
            yield f"column {change.column!r} has another type"
    if any(change.verdict == "other type" for change in changes):
        return
    space = _Space.of(old, new)
    if new.cells is None:
        yield from _by_column(old, new, changes, space)
    elif old.cells is None:
        yield from _between_boxes(new, space)
    else:
        yield from _between_cells(old, new, space)


@dataclass(frozen=True)
class _Space:
    """Values that stand for all others, column by column, with the bucket of each under either policy."""

    old: Mapping[str, list[str]]
    new: Mapping[str, list[str]]

    @classmethod
    def of(cls, old: Policy, new: Policy) -> _Space:
        names = dict.fromkeys((*old.columns, *new.columns))
        rules = {name: [rule for one in (old, new) if (rule := one.kept.get(name))] for name in names}
        values = {name: list(_values(known)) if known else [None] for name, known in rules.items()}
        return cls(_buckets(old, values), _buckets(new, values))

    def boxes(self, policy: Policy, buckets: Mapping[str, list[str]]) -> Iterator[tuple[str, Box]]:
        """Yield each leaf of a policy's cells with the values, by number, that reach it."""
        for leaf, way in policy.cells.paths():  # type: ignore[union-attr]
            box = {name: frozenset(range(len(found))) for name, found in buckets.items()}
            for node, left in way:
                there = buckets[node.column]
                answers = {at for at, name in enumerate(there) if (name in node.buckets) is left}
                box[node.column] &= answers
            if all(box.values()):
                yield leaf, box


def _buckets(policy: Policy, values: Mapping[str, list[Any]]) -> dict[str, list[str]]:
    rules = policy.spec["columns"]
    raw = {name: [str(at) for at in range(len(known))] for name, known in values.items() if name in policy.passthrough}
    told = {name: [bucket(name, rules[name], value) for value in values[name]] for name in policy.kept}
    return {name: [""] * len(known) for name, known in values.items()} | raw | told


def _images(rule: Interval | Categories, other: Interval | Categories) -> dict[str, tuple[str, ...]]:
    """Return for each bucket of ``rule`` the buckets of ``other`` that its values fall into."""
    found: dict[str, dict[str, None]] = {}
    mine, theirs = rule.model_dump(mode="json"), other.model_dump(mode="json")
    for value in _values([rule, other]):
        found.setdefault(bucket("", mine, value), {})[bucket("", theirs, value)] = None
    return {name: tuple(others) for name, others in found.items()}


def _by_column(old: Policy, new: Policy, changes: tuple[Change, ...], space: _Space) -> Iterator[str]:
    """Name the columns of which a bucket of ``new`` does not follow from what ``old`` stores."""
    if old.cells is None:
        for change in changes:
            if change.splits:
                yield f"column {change.column!r} is finer: {_told(old, new, change)}"
            elif change.verdict == "finer" and change.after != "raw":
                yield f"column {change.column!r} is stored now"
        return
    for name in new.kept:
        if name in old.passthrough:
            continue
        images: dict[str, set[str]] = {}
        for leaf, box in space.boxes(old, space.old):
            images.setdefault(leaf, set()).update(space.new[name][at] for at in box[name])
        if split := next((leaf for leaf, found in images.items() if len(found) > 1), None):
            yield f"column {name!r} tells apart records of cell {split!r}"


def _told(old: Policy, new: Policy, change: Change) -> str:
    before, after = old.labels(change.column), new.labels(change.column)
    name, found = next(iter(change.splits.items()))
    parts = ", ".join(f"{one} ({after[one]})" for one in found)
    return f"{name} ({before[name]}) splits into {parts}"


def _between_boxes(new: Policy, space: _Space) -> Iterator[str]:
    """Name two cells that hold records with the same old buckets in every column."""
    for (one, left), (other, right) in combinations(space.boxes(new, space.new), 2):
        if one != other and all(_meet(space.old[name], left[name], right[name]) for name in left):
            yield f"cells {one!r} and {other!r} tell apart records that had the same buckets"
            return


def _meet(buckets: list[str], left: frozenset[int], right: frozenset[int]) -> bool:
    return not {buckets[at] for at in left}.isdisjoint(buckets[at] for at in right)


def _between_cells(old: Policy, new: Policy, space: _Space) -> Iterator[str]:
    after = list(space.boxes(new, space.new))
    images: dict[str, set[str]] = {}
    for leaf, box in space.boxes(old, space.old):
        reached = {cell for cell, other in after if all(box[name] & other[name] for name in box)}
        images.setdefault(leaf, set()).update(reached)
    for leaf, found in images.items():
        if len(found) > 1:
            yield f"cell {leaf!r} splits into {', '.join(sorted(found))}"


def _values(rules: list[Interval | Categories]) -> Iterator[Any]:
    """Yield values of which one falls into every set of values that all rules treat alike."""
    yield None
    if rules[0].type == "bool":
        yield from (False, True)
        return
    if rules[0].type == "str":
        named = {value for rule in rules for values in rule.buckets.values() for value in values}  # type: ignore[union-attr]
        yield from sorted(named)
        yield next(text for text in _fresh() if text not in named)
        return
    yield from dict.fromkeys(_ordered(rules))


def _fresh() -> Iterator[str]:
    text = "unnamed"
    while True:
        yield text
        text += "_"


def _ordered(rules: list[Interval | Categories]) -> Iterator[Any]:
    kind = rules[0].type
    if kind == "float":
        yield from (-math.inf, math.inf, math.nan)
    scale = max((getattr(rule, "scale", None) or 0 for rule in rules), default=0)
    yield _point(kind, None, scale, 0)
    for rule in rules:
        borders = rule.values if isinstance(rule, Interval) else [v for vs in rule.buckets.values() for v in vs]
        for border in borders:
            yield from (_point(kind, border, scale, step) for step in (0, 1))  # type: ignore[arg-type]
            if isinstance(rule, Categories):
                yield border - 1  # type: ignore[operator]


def _point(kind: str, border: Border | None, scale: int, step: int) -> Any:
    """Return the greatest value that is at most ``border``, or the one after it; any value where there is none."""
    if border is None:
        return _ANY[kind]
    if kind == "int":
        return math.floor(border) + step  # type: ignore[arg-type]
    if kind == "float":
        return math.nextafter(border, math.inf) if step else border  # type: ignore[arg-type]
    if kind == "decimal":
        sign, digits, exponent = border.as_tuple()  # type: ignore[union-attr]
        whole = math.floor(Decimal((sign, digits, exponent + scale))) + step
        return Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale))
    with suppress(OverflowError):
        border += timedelta(days=step) if kind == "date" else timedelta(microseconds=step)  # type: ignore[operator]
    return border


_ANY = {
    "int": 0,
    "float": 0.0,
    "decimal": Decimal(0),
    "date": date(2000, 1, 1),
    "datetime": "2000-01-01T00:00",
    "instant": "2000-01-01T00:00Z",
}
