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
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import roles
from .lockdown import Cage, Limits

__all__ = ["main"]

_TICK_S, _BLINK_S = 0.05, 0.005
_PATIENCE = 20
_PRELOAD = (
    "bisect", "cmath", "collections.abc", "copy", "dataclasses", "datetime", "enum", "functools", "heapq", "io",
    "itertools", "json", "math", "operator", "random", "re", "string", "time", "traceback", "typing",
)  # fmt: skip


@dataclass
class _Child:
    """One running child."""

    pid: int
    limits: Limits
    started: float
    killed: str | None = None
    exit: dict[str, Any] | None = None
    end: int | None = field(init=False)
    """What becomes readable when it ends, where the system has such a thing."""

    def __post_init__(self) -> None:
        self.clock = (~self.pid << 3) | 2
        self.end = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None

    def reap(self) -> bool:
        """Note how the child ended, if it has; tell whether it has."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid:
            cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic() - self.started
            self.exit = {"status": status, "cpu": cpu, "wall": wall, "rss": usage.ru_maxrss, "killed": self.killed}
            if self.end is not None:
                os.close(self.end)
        return self.exit is not None

    def kill(self, reason: str) -> None:
        """End the child, and remember why."""
        if self.exit is None:
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
    """Forks and supervises, one job at a time."""

    def __init__(self, control: socket.socket, cage: Cage) -> None:
        self.control = control
        self.cage = cage

    def serve(self) -> None:
        """Run jobs until the judge hangs up."""
        while (job := self._receive()) is not None:
            specs, fds = job
            self.cage.before()
            children = [self._spawn(spec, fds) for spec in specs]
            for fd in fds:
                os.close(fd)
            alive = self._watch(children)
            self.cage.after(forked=any(spec["role"] == "compile" for spec in specs))
            if not alive:
                return
            said = self.cage.ready()
            fault = "" if said == b"+" * len(children) else said.decode(errors="replace") or "a child did not start"
            body = json.dumps({"fault": fault, "exits": [child.exit for child in children]}).encode()
            self.control.sendall(struct.pack("!I", len(body)) + body)

    def _receive(self) -> tuple[list[dict[str, Any]], list[int]] | None:
        data, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 16)
        if not data:
            return None
        if not fds:
            return self._receive()
        return json.loads(data.lstrip(b"k")), fds

    def _spawn(self, spec: dict[str, Any], fds: list[int]) -> _Child:
        limits = Limits(**spec["limits"])
        started = time.monotonic()
        pid = self.cage.fork()
        if pid == 0:
            self._become(spec, limits, {name: fds[index] for name, index in spec["fds"].items()})
        return _Child(pid, limits, started)

    def _become(self, spec: dict[str, Any], limits: Limits, fds: dict[str, int]) -> None:
        """Turn this fresh fork into the child; never returns."""
        status = 71
        try:
            self.cage.enter(spec, limits, fds)
            status = 0
        finally:
            os._exit(status)

    def _watch(self, children: list[_Child]) -> bool:
        """Wait until all children have ended; tell whether the judge is still there."""
        alive, delay = True, _TICK_S

        def starved() -> float:
            return sum(self.cage.starved_s(child.pid) for child in children if child.exit is None)

        while running := [child for child in children if child.exit is None]:
            watched = [child.end for child in running if child.end is not None]
            ready, _, _ = select.select([*watched, self.control] if alive else watched, [], [], delay)
            if self.control in ready:
                alive = bool(self.control.recv(16))
                _kill_all(running, "stopped")
            for child in running:
                if child.reap() and child is children[-1]:
                    _kill_all(running, "finished")
            if not ready:
                delay = min(child.check(self.cage.resident_mb(child.pid), starved) for child in running)
        return alive


def _kill_all(children: list[_Child], reason: str) -> None:
    for child in children:
        child.kill(reason)


def main() -> None:
    """Start from the settings on standard input, and serve the control socket."""
    settings = json.loads(sys.argv[2])
    sys.path += settings["packages"]
    for name in [*_PRELOAD, *settings.get("preload", ())]:
        with suppress(ImportError):
            __import__(name)
    site.setquit()
    site.sethelper()
    roles.warm(settings["warm"])
    control = socket.socket(fileno=settings["control"])
    cage = Cage(settings)
    zygote = Zygote(control, cage)
    sys.path[:] = [entry.replace(*settings["moved"]) for entry in sys.path if entry != sys.argv[1]]
    for module in list(sys.modules.values()):
        if isinstance(folders := getattr(module, "__path__", None), list):
            folders[:] = [folder.replace(*settings["moved"]) for folder in folders]
    sys.argv = [""]
    gc.collect()
    gc.freeze()
    control.sendall(b"R")
    zygote.serve()
