"""The border between judged programs and the judge: values cross whole, and no bytes can harm."""

from __future__ import annotations

import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.verify.inside.frames import MAX_FRAME, Frames, ProtocolError, Stream, pack, split
from curation.verify.inside.values import _BUILDERS, MAX_DEPTH, NotPlainError, decode, encode
from tests.strategies import plain_values


@given(plain_values())
def test_plain_values_cross_whole(value: object) -> None:
    """What Python can say plainly arrives equal and of the same types."""
    got = decode(json.dumps(encode(value), allow_nan=False))
    assert repr(value) == repr(got) or value == got
    assert type(value) is type(got)


@given(st.binary(max_size=400))
@settings(max_examples=500)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Decoding arbitrary bytes either yields a value or raises the one error that the judge expects."""
    try:
        decode(body)
    except ProtocolError:
        return


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["!", "v", "a", "i", "c", "h"]), inner),
)
_TAGS = st.sampled_from([*_BUILDERS, "remote", "object", "nonsense"])


@given(_JUNK, _TAGS)
def test_any_tagged_object_is_read_or_refused(inner: object, tag: str) -> None:
    """Tags with unfit contents are refused with the one error that the judge expects."""
    try:
        decode(json.dumps({"!": tag, "v": inner}))
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b"",
        b'{"!": "range", "v": ["a"]}',
        b'{"!": "int", "v": 7}',
        b'{"!": ["set"], "v": []}',
        b'{"!": "set", "v": [[1]]}',
        b'{"!": "set"}',
        b'{"!": "Fraction", "v": ["0x%s", "0x7"]}' % (b"f" * 100_000),
    ],
)
def test_what_strict_parsing_refuses(body: bytes) -> None:
    """Duplicate keys, NaN, huge numbers, endless nesting and malformed tags are refused."""
    with pytest.raises(ProtocolError):
        decode(body)


def test_keys_that_collide_are_refused() -> None:
    """A set made to collide in the judge's hash table is refused before it costs time."""
    colliding = [n * ((1 << 61) - 1) for n in range(1, 50_000)]
    with pytest.raises(ProtocolError, match="collide"):
        decode(json.dumps({"!": "set", "v": [{"!": "int", "v": hex(n)} for n in colliding]}))


def test_depth_is_bounded_on_the_way_out() -> None:
    """A value nested too deep does not cross."""
    nested: list = []
    for _ in range(MAX_DEPTH + 2):
        nested = [nested]
    with pytest.raises(NotPlainError, match="deeper"):
        encode(nested)


def test_subclasses_arrive_as_their_base() -> None:
    """What a subclass overrides stays behind; what it is made of arrives."""

    class Liar(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "forged"

    got = decode(json.dumps(encode([Liar(7), Text("plain")])))
    assert [7, "plain"] == got
    assert [int, str] == [type(item) for item in got]


def test_nan_crosses_by_tag_only() -> None:
    """NaN has a tag of its own."""
    assert math.isnan(decode(json.dumps(encode(math.nan))))


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers()), max_size=6), st.data())
def test_frames_come_out_of_any_chopping(messages: list, data: st.DataObject) -> None:
    """Frames are found again however the stream is cut, each once."""
    stream = b"".join(pack(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    frames, found = Frames(), []
    for cut in [*cuts, len(stream)]:
        found += frames.read(stream[:cut])
    assert messages == [json.loads(body) for body in found]
    assert found == split(stream)


@given(st.binary(max_size=200))
def test_any_stream_is_read_or_refused(stream: bytes) -> None:
    """Reading frames from arbitrary bytes ends, and raises nothing but the expected error."""
    read, write = os.pipe()
    try:
        os.write(write, stream)
        os.close(write)
        frames = Stream(read)
        while frames.read() is not None:
            continue
    except ProtocolError:
        return
    finally:
        os.close(read)


def test_an_announced_giant_is_refused() -> None:
    """A frame that claims more than the cap is refused before it is read."""
    read, write = os.pipe()
    os.write(write, (MAX_FRAME + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError, match="larger"):
        Stream(read).read()
    os.close(read)
    os.close(write)
