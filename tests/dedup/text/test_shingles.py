"""Text to sets of hashed shingles, held against sets of tuples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text import shingles
from dedup.text.ragged import starts_of
from dedup.text.shingles import Sketch, normalise, sketch
from schemas.recipe.dedup import Dedup
from tests.dedup.text import brute
from tests.strategies import alike_texts


def _sets(made: Sketch) -> list[set[int]]:
    starts = starts_of(made.sizes)
    return [set(made.shingles[a:b].tolist()) for a, b in pairwise(starts)]


@given(
    texts=alike_texts() | st.lists(st.text(max_size=30), min_size=1, max_size=8),
    unit=st.sampled_from(["words", "characters"]),
    width=st.integers(1, 6),
    casefold=st.booleans(),
)
def test_similarities_are_those_of_tuples(texts: list[str], unit: str, width: int, *, casefold: bool) -> None:
    """Hashed sets have the sizes and overlaps of the sets of tuples, in any alphabet."""
    config = Dedup(unit=unit, width=width, casefold=casefold)
    hashed = _sets(sketch(texts, config)[0])
    plain = [brute.shingles(brute.prepared(text, config), config) for text in texts]
    expected = [[len(a & b) for a in plain] for b in plain]
    assert expected == [[len(a & b) for a in hashed] for b in hashed]


@given(
    texts=alike_texts() | st.lists(st.text(max_size=12), min_size=1, max_size=8),
    numbers=st.booleans(),
    operators=st.booleans(),
)
def test_guards_are_equal_where_numbers_and_signs_are(texts: list[str], *, numbers: bool, operators: bool) -> None:
    """Two guards are equal exactly where the chosen numbers and signs are, in order."""
    config = Dedup(keep_numbers=numbers, keep_operators=operators)
    guards = sketch(texts, config)[0].guards
    plain = [brute.guard(brute.prepared(text, config), config) for text in texts]
    assert [[a == b for a in plain] for b in plain] == [[a == b for a in guards] for b in guards]


@given(texts=alike_texts() | st.lists(st.text(max_size=30), min_size=1, max_size=8), most=st.integers(1, 40))
def test_runs_of_any_length_give_the_same_sketches(texts: list[str], most: int) -> None:
    """However few characters are read together, each document's digest, guard and set are the same, in order."""
    whole = sketch(texts, Dedup(width=2))[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shingles, "_CHARACTERS_AT_ONCE", most)
        runs = sketch(texts, Dedup(width=2))
    assert len(runs) >= sum(map(len, texts)) / max(most, *map(len, texts))
    for name in ("digests", "characters", "guards", "sizes", "shingles"):
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(run, name) for run in runs]))


@given(texts=alike_texts(), cut=st.integers(0, 12))
def test_sketches_do_not_depend_on_their_neighbours(texts: list[str], cut: int) -> None:
    """A document's digest, guard and set are the same in any batch."""
    whole = sketch(texts, Dedup())[0]
    halves = [sketch(half, Dedup())[0] for half in (texts[:cut], texts[cut:]) if half]
    for name in ("digests", "guards", "sizes", "shingles"):
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(half, name) for half in halves]))


@pytest.mark.parametrize(
    ("text", "casefold", "expected"),
    [
        (" Two\u00a0 words\r\n", True, "two words"),
        ("STRASSE straße", True, "strasse strasse"),
        ("Case", False, "Case"),
        ("e\u0301", True, "\u00e9"),
        ("\u03b0", True, "\u03b0"),
        ("\u03b0".upper(), True, "\u03b0"),
    ],
)
def test_normalise_unifies_white_space_composition_and_case(text: str, expected: str, *, casefold: bool) -> None:
    """Equal statements written differently have one normal form."""
    assert expected == normalise(text, casefold=casefold)


def test_a_document_too_long_to_compare_has_no_shingles() -> None:
    """A document beyond the limit keeps its digest and length, and costs no memory."""
    made = sketch(["word " * 100, "short one"], Dedup(longest=50, width=2))[0]
    assert ([0, 1], [499, 9]) == (made.sizes.tolist(), made.characters.tolist())
