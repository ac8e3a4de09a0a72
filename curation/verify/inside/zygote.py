"""The zygote: a warm interpreter that forks a child per program, watches its clocks, and knows nothing else.

It never reads a program, a test or a result: jobs arrive as limits and file descriptors, and only the forked child
reads what lies behind them.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import site
import struct
import sys
import time
from _socket import CMSG_SPACE, socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from . import roles
from .lockdown import Cage, Limits
from .orders import LONGEST_ORDERS, STOP, Ending, Order, answer, read_orders

__all__ = ["main", "moved", "prepared"]

_TICK_S, _BLINK_S = 0.05, 0.005
_PATIENCE = 20
_RESERVED = 8
"""The zygote keeps nothing of its own below this descriptor: there lie the wires of a child."""
_FD = struct.calcsize("i")
_ROOM = CMSG_SPACE(16 * _FD)
_HAS_PIDFD = hasattr(os, "pidfd_open")
_PRELOAD = (
    "_random", "_sha512", "bisect", "collections.abc", "copy", "datetime", "enum", "functools", "heapq", "io",
    "itertools", "json", "math", "operator", "re", "string", "time", "typing",
)  # fmt: skip
"""What programs use, and small: every child carries all of it. `random` is seeded when a program imports it."""


class _Child:
    """One running child."""

    __slots__ = ("clock", "end", "ending", "killed", "limits", "pid", "started")

    def __init__(self, pid: int, limits: Limits, started: float) -> None:
        self.pid, self.limits, self.started = pid, limits, started
        self.killed: str | None = None
        self.ending: Ending | None = None
        self.clock = (~pid << 3) | 2
        self.end = os.pidfd_open(pid) if _HAS_PIDFD else None
        """What becomes readable when it ends, where the system has such a thing."""

    def reap(self) -> bool:
        """Note how the child ended, if it has; tell whether it has."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid:
            cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic() - self.started
            self.ending = Ending(status, self.killed, cpu, wall, usage.ru_maxrss)
        return self.ending is not None

    def kill(self, reason: str) -> None:
        """End the child, and remember why."""
        if self.ending is None:
            self.killed = self.killed or reason
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def check(self, memory_mb: float, starved_s: Callable[[], float]) -> float:
        """Kill the child if it is over a limit; return the seconds until it may be.

        Time during which the job was ready to run and the machine was busy with others does not count.
        """
        try:
            cpu = time.clock_gettime(self.clock)
        except OSError:
            return _TICK_S
        wall = time.monotonic() - self.started
        if cpu >= self.limits.cpu_s:
            self.kill("cpu")
        elif wall >= _PATIENCE * self.limits.wall_s or (
            wall >= self.limits.wall_s and wall - starved_s() >= self.limits.wall_s
        ):
            self.kill("wall")
        elif memory_mb > self.limits.memory_mb:
            self.kill("memory")
        return max(_BLINK_S, min(_TICK_S if self.end else _BLINK_S, self.limits.cpu_s - cpu))


class Zygote:
    """Forks and supervises, one job at a time.

    Whatever memory it writes to after a fork it has to copy: it does little, and forgets a job before the next.
    """

    def __init__(self, control: socket, cage: Cage) -> None:
        self.control, self.cage = control, cage
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Run jobs until the judge hangs up."""
        while self._serve_job():
            pass

    def _serve_job(self) -> bool:
        """Run the next job; tell whether the judge is still there."""
        data, sent, _, _ = self.control.recvmsg(LONGEST_ORDERS, _ROOM)
        if not sent:
            return bool(data)
        fds = struct.unpack(f"{len(sent[0][2]) // _FD}i", sent[0][2])
        orders = read_orders(data.lstrip(STOP))
        self.cage.before()
        children = [self._spawn(order, fds) for order in orders]
        for fd in fds:
            os.close(fd)
        alive = self._watch(children)
        self.cage.after(forked=orders[0].role == "compile")
        if alive:
            self._answer(children)
        return alive

    def _spawn(self, order: Order, fds: Sequence[int]) -> _Child:
        role, limits, payload, size, wires = order
        calls = self.cage.lock_down(role, limits, [(fds[index], place) for place, index in wires])
        leave, started = os._exit, time.monotonic()
        pid = self.cage.fork()
        if pid == 0:
            status = 71
            try:
                self.cage.enter(calls, role, fds[payload], size)
                status = 0
            finally:
                leave(status)
        return _Child(pid, limits, started)

    def _watch(self, children: list[_Child]) -> bool:
        """Wait until all children have ended; tell whether the judge is still there."""
        for child in children:
            if child.end:
                self.poll.register(child.end, select.POLLIN)
        alive, running, delay = True, children, _TICK_S
        while running:
            ready = self.poll.poll(delay * 1e3)
            for fd, _ in ready:
                if fd == self.control.fileno():
                    alive = self._heed(running)
            running = self._reaped(children)
            if not ready:
                delay = self._checked(running)
        return alive

    def _heed(self, running: list[_Child]) -> bool:
        """Stop the job, since the judge wants no more of it; tell whether the judge is still there."""
        for child in running:
            child.kill("stopped")
        if self.control.recv(16):
            return True
        self.poll.unregister(self.control)
        return False

    def _reaped(self, children: list[_Child]) -> list[_Child]:
        """Reap children that have ended, and return the others; when the last ends nobody waits for the others."""
        running = []
        for child in children:
            if child.ending is None and not child.reap():
                running.append(child)
            elif child.end:
                self.poll.unregister(child.end)
                os.close(child.end)
                child.end = None
        if running and children[-1].ending:
            for child in running:
                child.kill("finished")
        return running

    def _checked(self, running: list[_Child]) -> float:
        def starved() -> float:
            return sum(self.cage.starved_s(child.pid) for child in running)

        return min((child.check(self.cage.resident_mb(child.pid), starved) for child in running), default=_TICK_S)

    def _answer(self, children: list[_Child]) -> None:
        said = self.cage.ready()
        fault = "" if said == b"+" * len(children) else said.decode(errors="replace") or "a child did not start"
        self.control.sendall(answer([child.ending for child in children if child.ending], fault))


def moved(fd: int) -> int:
    """Return ``fd`` at a place that no child needs, and leave the null device at those."""
    null = os.open(os.devnull, os.O_RDWR)
    while os.dup(null) < _RESERVED:
        pass
    moved = os.dup(fd)
    os.dup2(null, fd)
    return moved


def prepared(settings: dict[str, Any]) -> Cage:
    """Import, do once and set aside whatever children will share; return what they are locked down with."""
    sys.path += settings["packages"]
    for name in [*_PRELOAD, *settings.get("preload", ())]:
        with suppress(ImportError):
            __import__(name)
    site.setquit()
    site.sethelper()
    os.environ.pop("LD_BIND_NOW", None)
    roles.warm(settings["warm"])
    cage = Cage(settings)
    sys.path[:] = [entry.replace(*settings["moved"]) for entry in sys.path if entry != sys.argv[1]]
    for module in list(sys.modules.values()):
        if isinstance(folders := getattr(module, "__path__", None), list):
            folders[:] = [folder.replace(*settings["moved"]) for folder in folders]
    sys.argv = [""]
    gc.collect()
    gc.freeze()
    return cage


def main() -> None:
    """Start from the settings on the command line, and serve the control socket."""
    settings = json.loads(sys.argv[2])
    control = socket(fileno=moved(settings["control"]))
    zygote = Zygote(control, prepared(settings))
    os.dup2(1, 2)
    control.sendall(b"R")
    zygote.serve()
