"""Length-prefixed JSON frames over a file descriptor, read with a cap on their size."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["MAX_FRAME", "Frames", "ProtocolError", "pack", "read_frame", "split", "write_frame"]

MAX_FRAME = 32 << 20
"""Largest frame, in bytes: room for an integer of 10^7 digits."""

_HEAD = struct.Struct("!I")


class ProtocolError(Exception):
    """What came over the wire is not a frame; the sender is broken or hostile."""


def pack(message: Any) -> bytes:
    """Return ``message`` as a frame.

    Raises
    ------
    ProtocolError
        If it is larger than `MAX_FRAME`.
    """
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"a frame of {len(body)} bytes is larger than {MAX_FRAME}")
    return _HEAD.pack(len(body)) + body


def write_frame(fd: int, message: Any) -> None:
    """Write ``message`` to ``fd`` whole."""
    data = memoryview(pack(message))
    while data:
        data = data[os.write(fd, data) :]


def read_frame(fd: int) -> bytes | None:
    """Read the body of one frame; None at the end of the stream.

    Raises
    ------
    ProtocolError
        If the stream ends inside a frame, or the frame is larger than `MAX_FRAME`.
    """
    head = _read(fd, _HEAD.size)
    if head is None:
        return None
    (size,) = _HEAD.unpack(head)
    if size > MAX_FRAME:
        raise ProtocolError(f"a frame of {size} bytes is larger than {MAX_FRAME}")
    body = _read(fd, size)
    if body is None:
        raise ProtocolError("the stream ended inside a frame")
    return body


class Frames:
    """Cuts a growing stream into frame bodies."""

    def __init__(self) -> None:
        self.at = 0

    def read(self, data: bytes | bytearray) -> Iterator[bytes]:
        """Yield the bodies that are complete and have not been yielded before; ``data`` is the stream so far."""
        while self.at + _HEAD.size <= len(data):
            (size,) = _HEAD.unpack_from(data, self.at)
            end = self.at + _HEAD.size + size
            if end > len(data):
                return
            body = bytes(data[self.at + _HEAD.size : end])
            self.at = end
            yield body


def split(data: bytes | bytearray) -> list[bytes]:
    """Return the complete frame bodies of a stream."""
    return list(Frames().read(data))


def _read(fd: int, size: int) -> bytes | None:
    chunks, left = [], size
    while left:
        chunk = os.read(fd, min(left, 1 << 20))
        if not chunk:
            if left == size:
                return None
            raise ProtocolError("the stream ended inside a frame")
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
