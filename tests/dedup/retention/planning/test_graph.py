"""Drawing what contains what."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dedup.retention.report.graph import HEIGHT, MOST_BOXES, WIDTH, drawings
from tests.dedup.retention.lakes import edges


def _classed(pairs: list[tuple[str, str]], classes: dict[str, str] | None = None, **told: object) -> pl.DataFrame:
    """Return edges, child first, whose tables are each their own class unless told otherwise."""
    known = classes or {}
    frame = edges(pairs, **told)
    return frame.with_columns(child_class=pl.col("child").replace(known), parent_class=pl.col("parent").replace(known))


def test_a_chain_goes_from_left_to_right() -> None:
    """Each table stands right of what contains it, with an arrow from the one to the other."""
    (drawn,) = drawings(_classed([("b", "a"), ("c", "b")]), ["c"])
    assert [("a", 0), ("b", 0), ("c", 1)] == [(box.tables[0], box.gone) for box in drawn.boxes]
    assert [0, 1, 2] == [box.x // WIDTH for box in drawn.boxes]
    assert ["1 table, stays", "1 table, may go"] == [drawn.boxes[0].told, drawn.boxes[2].told]
    assert all(arrow.x1 < arrow.x2 for arrow in drawn.arrows)


def test_equal_tables_are_one_box() -> None:
    """Tables of one class are drawn once, without arrows among them."""
    (drawn,) = drawings(_classed([("a", "b"), ("b", "a")], {"b": "a"}), ["b"])
    assert [(("a", "b"), True, [])] == [(box.tables, box.equal, drawn.arrows) for box in drawn.boxes]


def test_tables_with_the_same_neighbours_are_one_box() -> None:
    """A thousand parts of one table take two boxes."""
    (drawn,) = drawings(_classed([(f"part{number:04}", "whole") for number in range(1_000)]), ["part0001"])
    assert [1, 1_000] == [len(box.tables) for box in drawn.boxes]
    assert "1,000 tables like it, 1 may go" == drawn.boxes[1].told


def test_what_chance_may_explain_comes_last_and_is_marked() -> None:
    """Weak containment is drawn after the rest, with another line."""
    frame = pl.concat([_classed([("x", "y"), ("z", "y")], accidental=True), _classed([("b", "a")])])
    first, second = drawings(frame, [])
    assert (["a", "b"], [False]) == ([box.tables[0] for box in first.boxes], [arrow.weak for arrow in first.arrows])
    assert [True] == [arrow.weak for arrow in second.arrows]


def test_what_is_not_drawn_is_counted() -> None:
    """A part of very many boxes shows the largest, and says how many tables it leaves out."""
    pairs = [(f"t{number:03}", f"t{number - 1:03}") for number in range(1, 200)]
    (drawn,) = drawings(_classed(pairs), [])
    assert (200, MOST_BOXES, 200 - MOST_BOXES) == (drawn.tables, len(drawn.boxes), drawn.left_out)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] > pair[1]), max_size=20))
def test_every_table_is_in_one_box_and_no_boxes_overlap(pairs: list[tuple[int, int]]) -> None:
    """Whatever the graph: each table once, boxes apart, and all of them within the drawing."""
    named = sorted({(f"t{child}", f"t{parent}") for child, parent in pairs})
    parts = drawings(_classed(named), [])
    told = [table for part in parts for box in part.boxes for table in box.tables]
    assert sorted({name for pair in named for name in pair}) == sorted(told)
    for part in parts:
        corners = [(box.x, box.y) for box in part.boxes]
        assert len(corners) == len(set(corners))
        assert all(x + WIDTH <= part.width and y + HEIGHT <= part.height for x, y in corners)
