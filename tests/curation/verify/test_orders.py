"""What judge and zygote say to each other arrives as it was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.verify.inside.orders import (
    LONGEST_ORDERS,
    Ending,
    Limits,
    Order,
    answer,
    answer_size,
    pack_orders,
    read_answer,
    read_orders,
)

_SECONDS = st.floats(0, 1e6)
_ENDINGS = st.builds(
    Ending,
    st.integers(0, 0xFFFF),
    st.sampled_from([None, "cpu", "wall", "memory", "stopped", "finished"]),
    _SECONDS,
    _SECONDS,
    st.integers(0, 1 << 40),
)
_ORDERS = st.builds(
    Order,
    st.sampled_from(["calls", "serve", "tester", "program"]),
    st.builds(Limits, _SECONDS, _SECONDS, st.integers(1, 1 << 20)),
    st.integers(0, 15),
    st.integers(0, 1 << 40),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 15)), max_size=5).map(tuple),
)


@given(st.lists(_ORDERS, min_size=1, max_size=2))
def test_orders_arrive(orders: list[Order]) -> None:
    """The orders for a job, the largest too, fit into one message and come out as they went in."""
    data = pack_orders(orders)
    assert len(data) <= LONGEST_ORDERS
    assert orders == read_orders(data)


def test_orders_that_do_not_fit() -> None:
    """Orders that would be cut off are refused before they are sent."""
    wires = tuple((place, place) for place in range(200))
    with pytest.raises(ValueError, match="longer than 480"):
        pack_orders([Order("calls", Limits(1.0, 3.0, 256), 0, 10, wires)])


@given(st.lists(_ENDINGS, max_size=2), st.text(max_size=700))
def test_answers_arrive(endings: list[Ending], fault: str) -> None:
    """How children ended arrives whole, and of a fault as much as one line holds."""
    body = answer(endings, fault)
    read, rest = read_answer(body[: answer_size(len(endings))])
    assert endings == read
    assert fault.encode(errors="replace")[:500] == body[len(body) - rest :] if rest else not fault
    assert len(body) == answer_size(len(endings)) + rest
