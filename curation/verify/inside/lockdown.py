"""What a freshly forked child does to itself before it runs anything that is not ours."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import shutil
import signal
import tempfile
from dataclasses import dataclass
from typing import Any

PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)

__all__ = ["Limits", "lock_down"]

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Limits:
    """What one child may use.

    Parameters
    ----------
    cpu_s
        CPU seconds; the supervisor kills at this value, the kernel one second later.
    wall_s
        Seconds of wall time, for sleepers.
    memory_mb
        Resident memory in MiB. Address space that is reserved and not touched may be `SLACK_MB` more.
    file_mb
        Largest file that may be written, in MiB.
    threads
        Threads and processes of the slot's identity.
    """

    cpu_s: float
    wall_s: float
    memory_mb: int
    file_mb: int = 64
    threads: int = 64


SLACK_MB = 1024


def set_limits(limits: Limits, *, threads: bool) -> None:
    """Lower soft and hard limits, so that they cannot be raised again."""
    cpu = int(limits.cpu_s) + 2
    caps = {
        "RLIMIT_CPU": cpu,
        "RLIMIT_DATA": (limits.memory_mb + SLACK_MB) << 20,
        "RLIMIT_FSIZE": limits.file_mb << 20,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_CORE": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 0,
    }
    if threads:
        caps["RLIMIT_NPROC"] = limits.threads
    for name, value in caps.items():
        which = getattr(resource, name, None)
        if which is not None:
            _, hard = resource.getrlimit(which)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # noqa: PLW2901
            resource.setrlimit(which, (value, value))


class Cage:
    """The weakest rung: limits, a process of its own, an identity of its own where we are root."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.packages: list[str] = settings["packages"]
        self.null = os.open(os.devnull, os.O_RDWR)
        self.scratch: str | None = None

    def before(self, specs: list[dict[str, Any]]) -> None:
        """Make an empty working directory for the next job."""
        self.scratch = tempfile.mkdtemp(dir=self.settings["scratch"])

    def after(self) -> None:
        """Remove what the job left."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def fork(self) -> int:
        return os.fork()

    def resident_mb(self, pid: int) -> float:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * PAGE_MB
        except (OSError, IndexError):
            return 0.0

    def enter(self, spec, limits, fds, run) -> None:
        from .roles import read_payload

        payload = read_payload(fds["payload"])
        os.chdir(self.scratch)
        for name, at in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            os.dup2(fds.get(name, self.null), at)
        wanted = [fds[name] for name in ("channel", "link") if name in fds]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in wanted]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
        os.closerange(3 + len(high), 1024)
        set_limits(limits, threads=False)
        run(spec["role"], payload)


def make_cage(settings):
    return Cage(settings)
