"""Containers that two processes share behave as one process's would."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.verify.inside.frames import ProtocolError
from curation.verify.inside.shared import Sharing
from curation.verify.inside.values import decode, encode


class _Side(Sharing):
    """A side of a wire that carries nothing but shared objects."""

    def incoming(self, tag: str, fields: dict[str, Any]) -> Any:
        return self.object_of(fields) if tag == "object" else super().incoming(tag, fields)

    def say(self, *values: Any) -> str:
        said = [encode(value, self, 1) for value in values]
        return json.dumps({"values": said, **self.news()})

    def listen(self, body: str) -> list[Any]:
        message = decode(body, self)
        self.hear(message.pop("objects"), message.pop("gone"))
        self.settle()
        return message["values"]


def _shape(objects: list[Any]) -> list[Any]:
    """Describe containers by their items, other containers among them by their place."""
    places = {id(value): at for at, value in enumerate(objects)}

    def said(item: Any) -> Any:
        return ("object", places[id(item)]) if id(item) in places else item

    return [
        [(key, said(item)) for key, item in value.items()]
        if isinstance(value, dict)
        else [said(item) for item in value]
        for value in objects
    ]


def _change(objects: list[Any], at: int, what: str, other: int) -> None:
    value = objects[at % len(objects)]
    item = objects[other % len(objects)] if what == "link" else other
    if what == "clear":
        value.clear()
    elif isinstance(value, dict):
        value[other] = item
    else:
        value.append(item)


_CHANGES = st.tuples(st.integers(0, 3), st.sampled_from(["item", "link", "clear"]), st.integers(0, 5))


@given(st.lists(st.sampled_from([list, dict, deque]), min_size=1, max_size=4), st.lists(st.lists(_CHANGES), max_size=8))
def test_changes_on_either_side_are_one_processs(kinds: list[type], turns: list[list[tuple]]) -> None:
    """Whatever both sides do in turn, each ends with the items and identities that one process would have."""
    alone = [kind() for kind in kinds]
    sides = _Side({}, 0), _Side({}, 1)
    held = [[kind() for kind in kinds], []]
    held[1] = sides[1].listen(sides[0].say(*held[0]))
    for number, changes in enumerate(turns):
        here, there = number % 2, 1 - number % 2
        for change in changes:
            _change(alone, *change)
            _change(held[here], *change)
        got = sides[there].listen(sides[here].say(*held[here]))
        assert all(one is other for one, other in zip(held[there], got, strict=True))
        assert _shape(alone) == _shape(held[there])


def test_what_one_side_lets_go_both_forget() -> None:
    """Nothing piles up: an object that only one side still holds is an ordinary one there."""
    here, there = _Side({}, 0), _Side({}, 1)
    kept = [1, 2]
    for _ in range(50):
        there.listen(here.say(kept, [[3]], {"a": []}))
        here.listen(there.say())
        assert [] == [*here._entries, *there._entries]


def test_alone_parts_travel_with_their_whole() -> None:
    """Rows that nothing else holds need no names, and their changes are seen all the same."""
    here, there = _Side({}, 0), _Side({}, 1)
    grid = [[0, 0] for _ in range(100)]
    (copy,) = there.listen(here.say(grid))
    assert (1, 1) == (len(here._entries), len(there._entries))
    copy[7][1] = 5
    here.listen(there.say(copy))
    assert 5 == grid[7][1]


@pytest.mark.parametrize(
    "said",
    [
        {"!": "object", "i": 4, "c": "list"},
        {"!": "object", "i": "1", "c": "list"},
        {"!": "object", "i": [], "c": "list"},
        {"!": "object", "i": 1, "c": "Unheard"},
        {"!": "object"},
    ],
)
def test_numbers_that_were_not_given_are_refused(said: dict) -> None:
    """The other side cannot name an object of this one that it has never been told of."""
    with pytest.raises(ProtocolError):
        _Side({}, 0).listen(json.dumps({"values": [said], "objects": [], "gone": []}))
