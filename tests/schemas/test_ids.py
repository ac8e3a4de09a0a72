"""Names that follow from content."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import canonical_json, digest, normalise_text, problem_id, record_id, statement
from tests.strategies import json_values


@given(json_values())
def test_canonical_json_round_trips(value: object) -> None:
    """Canonical JSON reads back as the value it was made of."""
    assert value == json.loads(canonical_json(value))


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=6))
def test_canonical_json_ignores_the_order_of_keys(value: dict[str, int]) -> None:
    """Two dictionaries that are equal give one text."""
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_canonical_json_refuses_what_json_cannot_hold(value: float) -> None:
    """NaN and infinities are refused rather than written in a way that readers disagree on."""
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json([value])


def test_digest_takes_text_with_lone_surrogates() -> None:
    """Text that is not valid Unicode still has a name."""
    assert 32 == len(digest("\ud800"))


@given(st.text())
def test_normalising_text_twice_changes_nothing(text: str) -> None:
    """Normalisation is idempotent."""
    assert normalise_text(text) == normalise_text(normalise_text(text))


def test_problem_id_does_not_depend_on_white_space_or_the_system_message() -> None:
    """The same question with the same tests is the same problem in every source."""
    plain = [{"role": "user", "content": "Add  two\r\nnumbers."}]
    dressed = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Add two numbers. "}]

    assert problem_id(plain, "{}", "[]") == problem_id(dressed, "{}", "[]")
    assert problem_id(plain, "{}", "[]") != problem_id(plain, "{}", "[1]")


def test_record_id_has_its_prefix_and_length() -> None:
    """Ids are short, prefixed and lower-case hex."""
    assert "r_" + "0" * 24 != record_id("r", 1)
    assert (26, "r_") == (len(record_id("r", 1)), record_id("r", 1)[:2])


def test_statement_leaves_the_system_message_out() -> None:
    """What a problem states is what is asked of the model."""
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "user", "content": "b"}]

    assert "a\n\nb" == statement(prompt)
