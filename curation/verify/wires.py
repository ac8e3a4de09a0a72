"""What a judged process is given and what it says: sealed files in memory, and pipes that are read with a cap."""

from __future__ import annotations

import os
import select
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["Enough", "Listener", "Wire", "sealed"]

_CHUNK = 1 << 16
_BACKED_UP = 1 << 14
"""Bytes unread at the end of a child that may have been waiting for the judge to read them."""

Enough = Callable[[Mapping[str, bytearray]], bool]
"""Whether what the wires hold, by name, is all that is needed."""


class Wire:
    """The reading end of something a child writes to.

    Parameters
    ----------
    owner
        Number of the child.
    name
        ``channel``, ``stdout`` or ``stderr``.
    cap
        Most bytes it may hold.
    """

    def __init__(self, owner: int, name: str, fd: int, cap: int) -> None:
        self.owner, self.name, self.fd, self.cap = owner, name, fd, cap
        self.data = bytearray()
        self.overflow = self.backed_up = False
        self.open = True

    def drain(self) -> None:
        """Read what is there, at most a chunk."""
        try:
            chunk = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self.open = False
        room = self.cap - len(self.data)
        self.data += chunk[:room]
        self.overflow = self.overflow or len(chunk) > room

    def drain_rest(self) -> None:
        """Read what the ended child has left behind, if the wire is not full."""
        heard, before = len(self.data), -1
        while self.open and not self.overflow and len(self.data) != before:
            before = len(self.data)
            self.drain()
        self.backed_up = self.overflow or len(self.data) - heard >= _BACKED_UP


class Listener:
    """Reads the wires of a job as they speak, and notices when they have said enough or too much.

    Parameters
    ----------
    control
        Descriptor that becomes readable when the job has ended.
    enough
        Asked with what the wires hold after a child has written to its channel.
    linger_s
        How many seconds after the last such write it is asked.
    """

    def __init__(self, control: int, wires: Sequence[Wire], enough: Enough | None, linger_s: float) -> None:
        self.control, self.wires, self.enough, self.linger_s = control, wires, enough, linger_s
        self._open = {wire.fd: wire for wire in wires}
        self._poll = select.poll()
        for fd in (control, *self._open):
            self._poll.register(fd, select.POLLIN)
        self._ask_at: float | None = None
        self._told = False

    def hear(self, until: float) -> bool:
        """Read what comes up to a moment of the monotonic clock; tell whether the job has ended."""
        wait = min(until, self._ask_at or until) - time.monotonic()
        ready = {fd for fd, _ in self._poll.poll(max(0.0, wait * 1e3))}
        for wire in [self._open[fd] for fd in ready & self._open.keys()]:
            wire.drain()
            if not wire.open:
                self._poll.unregister(self._open.pop(wire.fd).fd)
            if wire.name == "channel":
                self._ask_at = time.monotonic() + self.linger_s
        return self.control in ready

    def has_enough(self) -> bool:
        """Tell, once, that the job need not go on."""
        due = self._ask_at is not None and time.monotonic() >= self._ask_at
        if due:
            self._ask_at = None
        told, self._told = self._told, self._told or self._overflows() or (due and self._is_satisfied())
        return self._told and not told

    def _overflows(self) -> bool:
        return any(wire.overflow for wire in self.wires)

    def _is_satisfied(self) -> bool:
        return self.enough is not None and self.enough({wire.name: wire.data for wire in self.wires})


def sealed(data: bytes) -> int:
    """Return a read-only descriptor of a file in memory that holds ``data``."""
    if not hasattr(os, "memfd_create"):
        return _unlinked(data)
    fd = os.memfd_create("input", os.MFD_CLOEXEC)
    try:
        _write(fd, data)
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(fd)


def _unlinked(data: bytes) -> int:
    fd, path = tempfile.mkstemp()
    try:
        _write(fd, data)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(fd)
        Path(path).unlink()


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
