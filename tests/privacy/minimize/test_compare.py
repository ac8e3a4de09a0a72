"""Versions of a policy: a new one coarsens exactly if no pair of records that were alike is told apart."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.minimize.cells import Node
from privacy.minimize.compare import compare
from privacy.minimize.compile.python_target import minimize
from privacy.minimize.policy import Policy
from privacy.minimize.rules import Categories, Drop, Interval, Rule
from tests.privacy.minimize.corpora import policy_of

_NUMBERS = (None, -1, 0, 1, 2, 3, 4)
_WORDS = (None, "a", "b", "c", "d")


def _rules() -> st.SearchStrategy[dict[str, Rule]]:
    borders = st.lists(st.sampled_from(["-0.5", "0.5", "1.5", "2", "3.5"]), unique=True, max_size=3)
    null = st.sampled_from(["__null__", "b0"])
    number = st.builds(
        lambda cuts, at: Interval(type="int", borders=sorted(cuts, key=float), on_null=at), borders, null
    )
    homes = st.tuples(*[st.sampled_from([None, "g0", "g1", "g2"])] * 3)
    word = st.builds(_categories, homes, st.booleans())
    return st.fixed_dictionaries({"n": number | st.just(Drop()), "w": word | st.just(Drop())})


def _categories(homes: tuple[str | None, ...], merged: bool) -> Categories:  # noqa: FBT001 - drawn
    buckets: dict[str, list[str]] = {}
    for word, home in zip("abc", homes, strict=True):
        if home is not None:
            buckets.setdefault(home, []).append(word)
    unseen = next(iter(buckets), "__other__") if merged else "__other__"
    return Categories(type="str", buckets=buckets, on_unseen=unseen)


@st.composite
def _policies(draw: st.DrawFn) -> Policy:
    rules = draw(_rules())
    askable = {name: rule.bucket_ids for name, rule in rules.items() if len(getattr(rule, "bucket_ids", ())) > 1}
    if not askable or draw(st.booleans()):
        raw = draw(st.booleans()) and isinstance(rules["n"], Drop)
        return policy_of({"w": rules["w"]}, passthrough={"n": "int"}) if raw else policy_of(rules)

    def node(level: int) -> Node | str:
        if level == 3 or (level and draw(st.booleans())):
            return draw(st.sampled_from(["c0", "c1", "c2", "c3"]))
        name = draw(st.sampled_from(sorted(askable)))
        left = draw(st.lists(st.sampled_from(askable[name]), min_size=1, max_size=len(askable[name]) - 1, unique=True))
        return Node(column=name, buckets=tuple(left), left=node(level + 1), right=node(level + 1))

    return policy_of(rules, release="cell", cells=node(0))


def _brute_force(old: Policy, new: Policy) -> bool:
    """Tell whether any two records of all that there are look alike under ``old`` and different under ``new``."""
    seen: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for n, w in product(_NUMBERS, _WORDS):
        before, after = (tuple(minimize({"n": n, "w": w}, one.spec).values()) for one in (old, new))
        if seen.setdefault(before, after) != after:
            return False
    return True


@settings(max_examples=250)
@given(_policies(), _policies())
def test_coarsening_is_what_brute_force_says(old: Policy, new: Policy) -> None:
    """For rules and cells of either version, over every record that there can be."""
    assert _brute_force(old, new) == compare(old, new).coarsens


@given(_policies())
def test_a_policy_coarsens_itself(policy: Policy) -> None:
    """Nothing changed is nothing finer."""
    found = compare(policy, policy)

    assert found.coarsens
    assert {"same"} == {change.verdict for change in found.changes}


def test_a_finer_column_is_told_with_the_bucket_that_splits() -> None:
    """The old bucket and the new ones are named, with what they hold."""
    old = policy_of({"age": Interval(type="int", borders=["27.5"])})
    new = policy_of({"age": Interval(type="int", borders=["27.5", "35.5"])})

    found = compare(old, new)

    assert "finer" == found.changes[0].verdict
    assert ("column 'age' is finer: b1 (> 27) splits into b1 (28 to 35), b2 (> 35)",) == found.reasons
    assert "coarser" == compare(new, old).changes[0].verdict


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        (Categories(type="str", buckets={"g0": ["b"], "g1": ["a"]}), "renamed"),
        (Categories(type="str", buckets={"g0": ["a", "b"]}), "coarser"),
        (Categories(type="str", buckets={"g0": ["a"], "g1": ["b"], "g2": ["c"]}), "finer"),
        (Categories(type="str", buckets={"g0": ["a", "b"], "g1": ["c"]}), "mixed"),
        (Interval(type="int", borders=[]), "other type"),
        (Drop(), "coarser"),
    ],
)
def test_each_column_has_a_verdict(rule: Rule, verdict: str) -> None:
    """What became of a column is told in a word."""
    old = policy_of({"job": Categories(type="str", buckets={"g0": ["a"], "g1": ["b"]})})

    assert verdict == compare(old, policy_of({"job": rule})).changes[0].verdict


def test_reading_other_texts_as_missing_is_no_coarsening() -> None:
    """A text that was a category and is missing now changes what a CSV file gives."""
    rules: dict[str, Rule] = {"job": Categories(type="str", buckets={"g0": ["a"]})}

    assert ("other texts stand for a missing value",) == compare(
        policy_of(rules), policy_of(rules, missing=("NA",))
    ).reasons
