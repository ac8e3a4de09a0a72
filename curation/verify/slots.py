"""A slot: one zygote and the wires to it. It runs one job at a time and always comes back."""

from __future__ import annotations

import json
import marshal
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.verify.inside.orders import (
    CHANNEL,
    LINK,
    STOP,
    Ending,
    Limits,
    Order,
    answer_size,
    pack_orders,
    read_answer,
)
from curation.verify.wires import Enough, Listener, Wire, sealed
from schemas.errors import IsolationError

__all__ = ["Child", "Exit", "Slot", "SlotError"]

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from inside.zygote import main; main()"
_HERE = Path(__file__).resolve().parent
_START_S = 60.0
_GRACE_S = 15.0
_PATIENCE = 20
_QUIET_MS = 12
_STDIN = 0
_PLACES = {"stdout": 1, "stderr": 2, "channel": CHANNEL}


class SlotError(Exception):
    """The sandbox failed; what it was running is neither right nor wrong."""


@dataclass
class Child:
    """One process to run.

    Parameters
    ----------
    role
        What it does; a name of `curation.verify.inside.roles`.
    payload
        What it reads before it is locked up; nothing in it is hidden from it.
    captures
        Wires to read from it (``channel``, ``stdout``, ``stderr``), each with the most bytes allowed.
    stdin
        What it reads on standard input; null device if None.
    executable
        A compiled program to become.
    """

    role: str
    payload: dict[str, Any]
    limits: Limits
    captures: dict[str, int]
    stdin: bytes | None = None
    executable: bytes | None = None


@dataclass
class Exit:
    """How a process ended, and what it said.

    Parameters
    ----------
    status
        Wait status, as `os.waitstatus_to_exitcode` reads it.
    killed
        The limit that it exceeded: ``cpu``, ``wall``, ``memory``; ``stopped`` or ``finished`` if we wanted no more.
    rss_mb
        Peak of resident memory.
    overflow
        Names of wires that held more than allowed.
    backed_up
        Whether the judge was behind with reading what it wrote.
    """

    status: int
    killed: str | None
    cpu_s: float
    wall_s: float
    rss_mb: float
    output: dict[str, bytes]
    overflow: set[str] = field(default_factory=set)
    backed_up: bool = False


class Slot:
    """One zygote, started when first needed and again whenever it has failed.

    Parameters
    ----------
    provide
        Makes the settings of the zygote (`curation.verify.home.Home.slot`), when it is first needed.
    """

    def __init__(self, provide: Callable[[], dict[str, Any]]) -> None:
        self.provide = provide
        self.settings: dict[str, Any] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None

    def start(self) -> None:
        """Start the zygote and wait until it is warm.

        Raises
        ------
        IsolationError
            If it does not come up.
        """
        self.settings = self.settings or self.provide()
        ours, theirs = socket.socketpair()
        settings = json.dumps({**self.settings, "control": theirs.fileno()})
        interpreter = self.settings["interpreter"]
        with tempfile.TemporaryFile() as errors, theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [interpreter, "-s", "-P", "-S", "-B", "-X", "utf8", "-c", _BOOT, str(_HERE), settings],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=self.settings["environment"],
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
            )
            theirs.close()
            ours.settimeout(_START_S)
            self.control = ours
            if self._receive(1) != b"R":
                errors.seek(0)
                said = errors.read()[-2000:].decode(errors="replace").strip()
                self.close()
                raise IsolationError(f"the sandbox does not start: {said.splitlines()[-1] if said else 'no message'}")

    def close(self) -> None:
        """Hang up; the zygote kills what it runs and ends."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process is not None:
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def run(self, children: Sequence[Child], enough: Enough | None = None, linger_s: float = 0.0) -> list[Exit]:
        """Run one job: one child, or a candidate and its tester.

        Parameters
        ----------
        enough
            Asked with what the wires hold after a child has written to its channel; true stops the job.
        linger_s
            How many seconds after the last such write it is asked.

        Raises
        ------
        SlotError
            If the sandbox failed; the slot is usable again.
        """
        if self.process is None:
            self.start()
        wires: list[Wire] = []
        try:
            control = self._send(children, wires)
            budget = _PATIENCE * max(child.limits.wall_s for child in children) + _GRACE_S
            self._pump(control, wires, budget, enough, linger_s)
            replies = self._reply(len(children))
            ended = enumerate(zip(children, replies, strict=True))
            return [
                self._exit(child, ending, [w for w in wires if w.owner == number]) for number, (child, ending) in ended
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise SlotError(f"the sandbox failed: {error!r}") from error
        finally:
            for wire in wires:
                os.close(wire.fd)

    def _send(self, children: Sequence[Child], wires: list[Wire]) -> socket.socket:
        """Hand the children over, and return where the zygote will tell how they ended."""
        fds: list[int] = []
        try:
            ends: list[dict[int, int]] = [{} for _ in children]
            if len(children) > 1:
                a, b = socket.socketpair()
                fds += [a.detach(), b.detach()]
                ends[0][CHANNEL], ends[1][LINK] = 0, 1
            orders = [self._order(number, child, ends[number], fds, wires) for number, child in enumerate(children)]
            assert self.control is not None
            socket.send_fds(self.control, [pack_orders(orders)], fds)
            return self.control
        finally:
            for fd in fds:
                os.close(fd)

    @staticmethod
    def _order(number: int, child: Child, ends: dict[int, int], fds: list[int], wires: list[Wire]) -> Order:
        """Return the order for a child; its further descriptors go to ``fds``, our ends of its wires to ``wires``."""
        payload = marshal.dumps(child.payload)
        first = len(fds)
        fds.append(sealed(payload))
        for place, data in ((_STDIN, child.stdin), (LINK, child.executable)):
            if data is not None:
                ends[place] = len(fds)
                fds.append(sealed(data))
        for name, cap in child.captures.items():
            read, write = os.pipe()
            os.set_blocking(read, False)
            wires.append(Wire(number, name, read, cap))
            ends[_PLACES[name]] = len(fds)
            fds.append(write)
        return Order(child.role, tuple(child.limits), first, len(payload), tuple(ends.items()))

    def _pump(
        self, control: socket.socket, wires: list[Wire], budget: float, enough: Enough | None, linger_s: float
    ) -> None:
        """Read the wires until the zygote tells how the children ended.

        For the first moments nobody listens to the wires: most programs end before, and one wake-up does for all.
        """
        deadline = time.monotonic() + budget
        quiet = select.poll()
        quiet.register(control, select.POLLIN)
        if not quiet.poll(_QUIET_MS):
            listener = Listener(control.fileno(), wires, enough, linger_s)
            while not listener.hear(deadline):
                if time.monotonic() >= deadline:
                    raise OSError("no answer within the time allowed")
                if listener.has_enough():
                    control.sendall(STOP)
        for wire in wires:
            wire.drain_rest()

    def _reply(self, children: int) -> list[Ending]:
        endings, fault = read_answer(self._receive(answer_size(children)))
        if fault:
            raise OSError(self._receive(fault).decode(errors="replace"))
        return endings

    def _receive(self, size: int) -> bytes:
        assert self.control is not None
        data = b""
        while len(data) < size:
            try:
                chunk = self.control.recv(size - len(data))
            except TimeoutError:
                chunk = b""
            if not chunk:
                if size == 1:
                    return b""
                raise OSError("the zygote has died")
            data += chunk
        return data

    @staticmethod
    def _exit(child: Child, ending: Ending, wires: list[Wire]) -> Exit:
        rss_mb = ending.rss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        return Exit(
            ending.status,
            _exceeded(child.limits, ending, rss_mb) or ending.killed,
            ending.cpu_s,
            ending.wall_s,
            rss_mb,
            {wire.name: bytes(wire.data) for wire in wires},
            {wire.name for wire in wires if wire.overflow},
            any(wire.backed_up for wire in wires),
        )


def _exceeded(limits: Limits, ending: Ending, rss_mb: float) -> str | None:
    """Return the limit that a process has exceeded, though it may have ended before the zygote looked."""
    if ending.killed in ("cpu", "wall", "memory"):
        return ending.killed
    if ending.cpu_s >= limits.cpu_s:
        return "cpu"
    return "memory" if rss_mb > limits.memory_mb else None
