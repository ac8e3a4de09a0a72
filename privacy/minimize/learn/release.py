"""A generalization as a policy that people can read: raw units, names, and the questions of the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from privacy.minimize.cells import Node as Question
from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.borders import border
from privacy.minimize.learn.columns import Coding, Named, Ordered
from privacy.minimize.learn.generalize import Buckets, Generalization
from privacy.minimize.learn.tree import Node
from privacy.minimize.policy import Fitted, Policy
from privacy.minimize.rules import NULL, OTHER, Categories, Drop, Interval, TypeName

__all__ = ["rule_of", "to_policy"]


def to_policy(
    binning: Binning,
    found: Generalization,
    fitted: Fitted,
    types: Mapping[str, TypeName],
) -> Policy:
    """Return a generalization as a policy.

    A tree of one leaf tells nothing, so that its policy drops every column, whatever the release.

    Parameters
    ----------
    types
        Types of the columns that are passed through, the targets among them.
    """
    config = binning.config
    tree = found.tree if found.tree is not None and found.tree.children else None
    columns = {
        coding.name: rule_of(coding, buckets)
        for coding, buckets in zip(binning.layout.codings, found.buckets, strict=True)
    }
    return Policy(
        id=config.id,
        created=date.today(),  # noqa: DTZ011 - a day of the person's calendar
        purpose=config.purpose,
        legal_basis=config.legal_basis,
        targets=config.targets,
        release="cell" if tree else "attribute",
        columns=columns,
        cells=_questions(tree, binning.layout.codings, found.buckets) if tree else None,
        passthrough={name: types[name] for name in dict.fromkeys((*config.targets, *config.passthrough))},
        client=config.client,
        fit=fitted,
    )


def rule_of(coding: Coding, buckets: Buckets) -> Interval | Categories | Drop:
    """Return the rule that puts each bin of a column into its bucket.

    Missing values are told apart only if the sample had some and the search kept them apart; names that the sample
    did not have are a bucket of their own.
    """
    if not buckets.any():
        return Drop()
    if isinstance(coding, Named):
        return _categories(coding, buckets)
    return _interval(coding, buckets)


def _interval(coding: Ordered, buckets: Buckets) -> Interval:
    plain = coding.bins - coding.missing
    ends = np.flatnonzero(np.diff(buckets[:plain]))
    home = f"b{np.searchsorted(ends, plain)}"
    if coding.missing:
        same = np.flatnonzero(buckets[:plain] == buckets[-1])
        home = f"b{np.searchsorted(ends, same[0])}" if len(same) else NULL
    return Interval(
        type=coding.type,  # type: ignore[arg-type]
        borders=tuple(border(coding.type, coding.highs[int(end)], coding.lows[int(end) + 1]) for end in ends),
        scale=coding.scale,
        on_null=home if coding.missing else NULL,
    )


def _categories(coding: Named, buckets: Buckets) -> Categories:
    names: dict[str, list[Any]] = {}
    for value, bucket in zip(coding.values, buckets.tolist(), strict=False):
        names.setdefault(f"g{bucket}", []).append(value)
    home = f"g{buckets[-1]}" if coding.missing else NULL
    rest = f"g{buckets[len(coding.values)]}" if coding.rest else OTHER
    together = home == rest and rest not in names
    return Categories(
        type=coding.type,
        buckets={name: tuple(values) for name, values in names.items()},
        on_null=OTHER if together else home if home in names else NULL,
        on_unseen=rest if rest in names else OTHER,
    )


def _bucket_names(coding: Coding, buckets: Buckets) -> list[str]:
    """Return the id of each bin's bucket, as the rule names it."""
    rule = rule_of(coding, buckets)
    if isinstance(rule, Drop):
        return []
    plain = coding.bins - coding.missing
    if isinstance(rule, Categories) and isinstance(coding, Named):
        names = [f"g{bucket}" for bucket in buckets[: len(coding.values)]]
        names += [rule.on_unseen] if coding.rest else []
    else:
        ends = np.flatnonzero(np.diff(buckets[:plain]))
        names = [f"b{number}" for number in np.searchsorted(ends, np.arange(plain))]
    return [*names, rule.on_null] if coding.missing else names


def _questions(tree: Node, codings: Sequence[Coding], buckets: Sequence[Buckets]) -> Question:
    names = [_bucket_names(coding, column) for coding, column in zip(codings, buckets, strict=True)]
    numbered = enumerate(tree.leaves())
    numbers = {leaf: f"c{number if leaf.cell is None else leaf.cell}" for number, leaf in numbered}

    def question(node: Node) -> Question | str:
        if node.split is None or node.left is None or node.right is None:
            return numbers[node]
        column = node.split.column
        asked = dict.fromkeys(name for name, left in zip(names[column], node.split.left, strict=True) if left)
        return Question(
            column=codings[column].name,
            buckets=tuple(asked),
            left=question(node.left),
            right=question(node.right),
        )

    asked = question(tree)
    assert isinstance(asked, Question)  # a tree with children
    return asked
