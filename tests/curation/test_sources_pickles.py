"""LiveCodeBench's packed tests, read without loading a pickle."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.drafts import Reason, Reject
from curation.sources.pickles import packed_tests, pickled_text

CASES = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]


def packed(data: bytes) -> str:
    """Pack bytes as LiveCodeBench does."""
    return base64.b64encode(zlib.compress(data)).decode()


class Bomb:
    """Runs a command when unpickled."""

    def __reduce__(self):
        """Name the command."""
        return os.system, ("touch /tmp/unpickled",)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, pickle.HIGHEST_PROTOCOL))
def test_plain_text_comes_out_of_every_binary_protocol(text, protocol):
    """A pickle of one text gives that text."""
    assert text == pickled_text(pickle.dumps(text, protocol))


@pytest.mark.parametrize("value", [Bomb(), ["a", "b"], {"a": 1}, 7, ("a",), b"bytes"])
def test_anything_but_one_text_is_refused(value):
    """A pickle that would call, build or hold anything else is a rejection, and nothing runs."""
    with pytest.raises(Reject) as caught:
        pickled_text(pickle.dumps(value))
    assert Reason.PICKLED == caught.value.reason


@given(st.binary(max_size=200))
def test_garbage_is_a_rejection(data):
    """Bytes that are no pickle never raise anything but a rejection."""
    with suppress(Reject):
        assert isinstance(pickled_text(data), str)


@pytest.mark.parametrize(
    "value",
    [json.dumps(CASES), packed(json.dumps(CASES).encode()), packed(pickle.dumps(json.dumps(CASES)))],
    ids=["json", "packed json", "packed pickle of json"],
)
def test_three_ways_of_packing(value):
    """JSON text, packed JSON and the published packed pickle of JSON text all give the tests."""
    assert CASES == packed_tests(value, 10_000)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("not base64!", Reason.NOT_JSON),
        (packed(b"x" * 20_000), Reason.TESTS_TOO_LARGE),
        (base64.b64encode(zlib.compress(b"x" * 500)[:-8]).decode(), Reason.TRUNCATED),
        (packed(pickle.dumps("not json")), Reason.NOT_JSON),
        (packed(pickle.dumps(Bomb())), Reason.PICKLED),
    ],
)
def test_bad_packing_is_named(value, reason):
    """What cannot be unpacked is refused by name, a decompression bomb included."""
    with pytest.raises(Reject) as caught:
        packed_tests(value, 10_000)
    assert reason == caught.value.reason
