"""The page of a table's repetitions: what it shows, that it is harmless, and how differing words are marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.text.report.marks import Piece, marked
from dedup.text.report.page import render
from dedup.text.report.view import View
from schemas.recipe.dedup import Dedup
from schemas.texts import TEXT_REMOVAL
from tests.pages import Page, outside

HOSTILE = "</blockquote><script>alert(1)</script><img src=//evil.example/x onerror=alert(1)> a word"
NEAR = (0.80, 0.81, 0.85, 0.9, 0.999, 1.0)


def _view(texts: Mapping[str, str], removals: Iterable[tuple[Any, ...]], **settings: Any) -> View:
    frame = pl.DataFrame(list(removals), schema=pl.Schema(TEXT_REMOVAL.arrow), orient="row")
    steps = [
        {"step": "read", "documents": 30, "removed": 0, "aside": 2, "how": "rows with a text, those of one id once"},
        {"step": "exact", "documents": 28, "removed": 1, "aside": 0, "how": "equal after normalisation"},
        {"step": "near", "documents": 27, "removed": len(frame) - 1, "aside": 3, "how": "similar"},
    ]

    def found(ids: Iterable[str], published: bool) -> dict[str, str]:  # noqa: FBT001 - as `View` calls it
        return {} if published else {name: texts[name] for name in ids if name in texts}

    return View(frame, steps, Dedup(**settings), found)


@pytest.fixture
def view() -> View:
    """Six near-duplicates of one document, and a copy of another."""
    texts = {"w": "Sort the list and return it.", "c": "count", "d": "Count"}
    texts |= {f"n{number}": f"Sort the list and return number {number}." for number in range(len(NEAR))}
    near = [(f"n{number}", "w", similar, "near", False) for number, similar in enumerate(NEAR)]
    return _view(texts, [*near, ("d", "c", 1.0, "exact", False)])


TOLD = {"dataset": "p_duplicates@1.0.0", "source": "p.jsonl", "documents": 28, "kept": 21, "removed": 7}


def test_similarities_are_counted_from_the_threshold_to_one(view: View) -> None:
    """Each near-duplicate stands in the bar of its similarity, the last one closed; copies stand in none."""
    assert {"0.80+": 2, "0.84+": 1, "0.90+": 1, "0.98+": 2} == {
        bar.label: bar.count for bar in view.similarities if bar.count
    }


@given(
    similar=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    threshold=st.sampled_from([0.1, 0.3, 0.7, 0.8, 0.95, 1.0]),
)
def test_no_similarity_is_left_out(similar: list[float], threshold: float) -> None:
    """Whatever the threshold, the bars together count every near-duplicate."""
    rows = [(str(n), "w", max(one, threshold), "near", False) for n, one in enumerate(similar)]
    assert len(rows) == sum(bar.count for bar in _view({}, rows, threshold=threshold).similarities)


def test_groups_are_counted_by_their_size(view: View) -> None:
    """A kept document and its six are seven together; a copy and its witness are two."""
    assert {"2": 1, "5-9": 1} == {bar.label: bar.count for bar in view.sizes if bar.count}
    assert [("w", 7, 0.8, "Sort the list and return it."), ("c", 2, 1.0, "count")] == [
        (group.witness_id, group.size, group.least, group.beginning) for group in view.groups
    ]


def test_examples_go_from_the_least_alike_to_the_most_and_end_with_copies(view: View) -> None:
    """Each names both documents and marks what differs."""
    assert [(similar, "near") for similar in NEAR] + [(1.0, "exact")] == [
        (one.similarity, one.kind) for one in view.examples
    ]
    first = view.examples[0]
    assert (["number 0."], ["it."]) == (_own(first.removed), _own(first.witness))


def _own(pieces: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in pieces if piece.kind == "own"]


def test_a_page_shows_funnel_groups_and_pairs(view: View) -> None:
    """What a person looks for is there, in words."""
    text = " ".join(Page(render(TOLD, view, "w")).text.split())
    for said in (
        "Repeated text: p_duplicates",
        "7, 25.0 %",
        "equal after normalisation",
        "similarity 0.800",
        "number 3.",
    ):
        assert said in text
    assert "sluice sql 'FROM p_duplicates ORDER BY similarity LIMIT 20' -w w" in text


def test_a_page_without_removals_is_a_page() -> None:
    """Nothing repeated: no bars, no groups, no examples, and no error."""
    page = render({**TOLD, "removed": 0, "kept": 28}, _view({}, []), "w")
    assert ([], [], False) == (Page(page).open, outside(page), 'id="examples"' in page)


def test_hostile_texts_and_ids_are_only_text() -> None:
    """Markup in a document or an id is shown letter by letter, acted on nowhere, and closes nothing."""
    rows = [("<b onclick=x>", HOSTILE, 0.9, "near", False)]
    page = render(TOLD, _view({"<b onclick=x>": HOSTILE, HOSTILE: f"{HOSTILE} more"}, rows), "w")
    assert ([], []) == (outside(page), Page(page).open)
    assert HOSTILE in Page(page).text
    assert "<b onclick=x>" in Page(page).text


def test_a_text_that_is_not_there_is_said_to_be_none() -> None:
    """A witness whose text cannot be found leaves its place empty, with a word about it."""
    page = render(TOLD, _view({"a": "some text"}, [("a", "b", 0.9, "near", True)]), "w")
    assert "no text" in Page(page).text


@given(left=st.text(), right=st.text())
def test_pieces_of_short_texts_are_the_texts(left: str, right: str) -> None:
    """Whatever the characters, nothing is lost or invented."""
    assert [left.strip(), right.strip()] == ["".join(piece.text for piece in side) for side in marked(left, right)]


WORDS = st.lists(st.sampled_from(["add", "the", "sum", "of", "数", "字"]), max_size=25)


@given(left=WORDS, right=WORDS)
def test_what_is_not_marked_is_in_both(left: list[str], right: list[str]) -> None:
    """Without the marked words the two texts are equal, and equal texts have no marked word."""
    sides = marked(" ".join(left), " ".join(right))
    ours, theirs = (" ".join(piece.text for piece in side if piece.kind == "same").split() for side in sides)
    assert ours == theirs
    assert (left == right) == ([] == _own(sides[0]) + _own(sides[1]))


@pytest.mark.parametrize(
    ("left", "right", "own"),
    [
        ("add 2 numbers", "add 3 numbers", (["2 "], ["3 "])),
        ("Add Two", "add two", ([], [])),
        ("两个数的和", "三个数的和", (["两"], ["三"])),
        ("", "word", ([], ["word"])),
        ("a b", "a b", ([], [])),
    ],
)
def test_differing_words_are_marked(left: str, right: str, own: tuple[list[str], list[str]]) -> None:
    """Words, or single characters where a script puts no spaces between words."""
    assert own == tuple(map(_own, marked(left, right)))


def test_long_texts_are_shortened_around_what_differs() -> None:
    """Of a million characters a page shows the neighbourhood of the differences and says how much it leaves out."""
    words = [f"word{number}" for number in range(100_000)]
    changed = [*words[:5_000], "changed", *words[5_001:]]
    ours, theirs = marked(" ".join(words), " ".join(changed))
    assert ["same", "gap", "same", "own", "same", "gap"] == [piece.kind for piece in ours]
    assert ("word5000 ", "changed ") == (ours[3].text, theirs[3].text)
    assert "4,972 words" == ours[1].text
    assert sum(len(piece.text) for piece in ours) < 1_000


def test_texts_with_nothing_in_common_are_shortened_too() -> None:
    """Two long texts that differ throughout are shown by their beginnings and ends."""
    ours, theirs = (" ".join(f"{name}{number}" for number in range(5_000)) for name in "ab")
    for side in marked(ours, theirs):
        assert ["own", "gap", "own"] == [piece.kind for piece in side][:3]
        assert sum(len(piece.text) for piece in side) < 2_000
