"""Comparators: each named mode accepts what it says and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.verify.comparators import same_text, same_value
from tests.strategies import json_values


@pytest.mark.parametrize(
    ("mode", "expected", "got", "same"),
    [
        ("exact", "a\n", "a", True),
        ("exact", "a", "a ", False),
        ("lines", "1 2\n3", "1 2 \r\n3\r\n\r\n", True),
        ("lines", "1\n2", "1\n\n2", False),
        ("lines", "1\n2", "1", False),
        ("lines", "a", "A", False),
        ("tokens", "1 2\n3", "1\n2 3", True),
        ("tokens", "1 2", "2 1", False),
        ("tokens", "1.0", "1", False),
        ("float", "0.5", "0.5000001", True),
        ("float", "0.5", "5e-1", True),
        ("float", "6", "6.0000001", False),
        ("float", "1000000", "1000001", False),
        ("float", "0.5", "nan", False),
        ("float", "0.5", "0.5 0.5", False),
        ("float", "yes 0.5", "no 0.5", False),
        ("unordered", "a\nb", "b\na", True),
        ("unordered", "a\na\nb", "a\nb\nb", False),
        ("float", "0.5", "1" * 200_000 + "x", False),
        ("lines", "", "", True),
        ("lines", "", "\n \n", True),
        ("lines", "\n\na", "a", False),
        ("lines", "a", "a\nb\nc", False),
        ("tokens", "a", "a b c", False),
        ("tokens", "", " \n", True),
    ],
)
def test_text_modes(mode: str, expected: str, got: str, *, same: bool) -> None:
    """Texts are the same under a mode exactly when the mode says so."""
    assert same is same_text(mode, expected, got, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("mode", "expected", "got", "same"),
    [
        ("json", [1, 2], (1, 2), True),
        ("json", 1, True, False),
        ("json", True, 1, False),
        ("json", 1, 1.0, True),
        ("json", None, 0, False),
        ("json", "1", 1, False),
        ("json", [1], {1}, False),
        ("json", {"1": 2}, {1: 2}, True),
        ("json", {"a": 1}, {"a": 1, "b": 2}, False),
        ("json", 0.5, 0.5000001, False),
        ("float", 0.5, 0.5000001, True),
        ("float", 1, 1.0000001, False),
        ("float", 0.5, float("nan"), False),
        ("float", 0.5, 10**400, False),
        ("unordered", [1, [2], 3], [3, 1, [2]], True),
        ("unordered", [1, 1, 2], [1, 2, 2], False),
        ("unordered", [True], [1], False),
        ("unordered", [{"1": 1}], [{1: 1, "1": 1}], False),
        ("unordered", [{"1": [2.0]}, None], [None, {1: (2,)}], True),
        ("unordered", list(range(50_000)), [*range(50_000)][::-1], True),
    ],
)
def test_value_modes(mode: str, expected: object, got: object, *, same: bool) -> None:
    """Values are the same under a mode exactly when the mode says so."""
    assert same is same_value(mode, expected, got, abs_tol=1e-6)


@given(json_values())
def test_a_value_is_itself(value: object) -> None:
    """Every mode for values is reflexive."""
    assert all(same_value(mode, value, value) for mode in ("json", "float", "unordered"))


@given(st.text(max_size=60))
def test_a_text_is_itself(text: str) -> None:
    """Every mode for texts is reflexive."""
    assert all(same_text(mode, text, text) for mode in ("exact", "lines", "tokens", "float", "unordered"))


@given(json_values(), json_values())
def test_different_json_is_different(one: object, other: object) -> None:
    """Strict comparison never calls two values the same that JSON writes apart, but for whole floats."""
    if same_value("json", one, other):
        assert one == other
