"""Length-prefixed JSON frames over a file descriptor, read with a cap on their size."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["MAX_FRAME", "Frames", "ProtocolError", "Stream", "pack", "split", "write", "write_frame"]

MAX_FRAME = 32 << 20
"""Largest frame, in bytes: room for an integer of 10^7 digits."""

_HEAD = struct.Struct("!I")
_CHUNK = 1 << 16
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


class ProtocolError(Exception):
    """What came over the wire is not a frame; the sender is broken or hostile."""


def pack(message: Any) -> bytes:
    """Return ``message`` as a frame.

    Raises
    ------
    ProtocolError
        If it is larger than `MAX_FRAME`.
    """
    body = _JSON.encode(message).encode()
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"a frame of {len(body)} bytes is larger than {MAX_FRAME}")
    return _HEAD.pack(len(body)) + body


def write_frame(fd: int, message: Any) -> None:
    """Write ``message`` to ``fd`` as a frame."""
    write(fd, pack(message))


def write(fd: int, data: bytes) -> None:
    """Write ``data`` to ``fd`` whole."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class Stream:
    """Reads frames from a descriptor, as they come."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._ahead = bytearray()

    def read(self) -> bytes | None:
        """Return the body of the next frame; None at the end of the stream.

        Raises
        ------
        ProtocolError
            If the stream ends inside a frame, or the frame is larger than `MAX_FRAME`.
        """
        if not self._fill(_HEAD.size):
            return None
        (size,) = _HEAD.unpack_from(self._ahead)
        if size > MAX_FRAME:
            raise ProtocolError(f"a frame of {size} bytes is larger than {MAX_FRAME}")
        end = _HEAD.size + size
        self._fill(end)
        body = bytes(self._ahead[_HEAD.size : end])
        del self._ahead[:end]
        return body

    def _fill(self, size: int) -> bool:
        """Read until ``size`` bytes are there; tell whether there were any before the end."""
        while len(self._ahead) < size:
            chunk = os.read(self.fd, max(_CHUNK, size - len(self._ahead)))
            if not chunk and self._ahead:
                raise ProtocolError("the stream ended inside a frame")
            if not chunk:
                return False
            self._ahead += chunk
        return True


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
