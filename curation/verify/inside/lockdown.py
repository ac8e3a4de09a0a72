"""What a freshly forked child does to itself before it runs anything that is not ours, rung by rung."""

from __future__ import annotations

import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import roles
from .bpf import PROFILES, Filter, assemble
from .kernel import (
    CallFilter,
    Landlock,
    adopt_orphans,
    drop_capabilities,
    no_new_privileges,
    restrict,
    set_death_signal,
)
from .namespaces import Namespaces
from .scratch import Scratch
from .syscalls import numbers

__all__ = ["SLACK_MB", "Cage", "Limits"]

SLACK_MB = 1024
"""Address space that a program may reserve beyond its memory: stacks of threads, arenas, what is never touched."""
_READY, _RESERVED = 5, 8
"""Last place of a wire in a child; the zygote keeps nothing of its own below the second."""
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
_OPEN_FILES = 64
_STACK = 112 << 20
"""Stack of the main thread, for deep recursion: as much as the kernel leaves room for below what is mapped."""


@dataclass(frozen=True)
class Limits:
    """What one child may use.

    Parameters
    ----------
    cpu_s
        CPU seconds; the zygote kills at this value, the kernel two seconds later.
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
    threads: int = 128

    def apply(self, *, threads: bool) -> None:
        """Lower soft and hard limits of this process, so that they cannot be raised again."""
        _lower(resource.RLIMIT_CPU, int(self.cpu_s) + 2)
        _lower(resource.RLIMIT_DATA, (self.memory_mb + SLACK_MB) << 20)
        _lower(resource.RLIMIT_FSIZE, self.file_mb << 20)
        _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
        resource.setrlimit(
            resource.RLIMIT_STACK, (_allowed(resource.RLIMIT_STACK, _STACK), _HARD[resource.RLIMIT_STACK])
        )
        if threads:
            _lower(resource.RLIMIT_NPROC, self.threads)


_HARD = {which: resource.getrlimit(which)[1] for name, which in vars(resource).items() if name.startswith("RLIMIT_")}
_NEVER = ("RLIMIT_CORE", "RLIMIT_MSGQUEUE", "RLIMIT_MEMLOCK")
"""What nobody in a sandbox gets any of, the zygote included."""


def _allowed(which: int, wanted: int) -> int:
    return wanted if _HARD[which] == resource.RLIM_INFINITY else min(wanted, _HARD[which])


def _lower(which: int, wanted: int) -> None:
    value = _allowed(which, wanted)
    resource.setrlimit(which, (value, value))


class Cage:
    """Everything a zygote prepares once, and everything a child does to itself.

    Parameters
    ----------
    settings
        ``rung``; ``uids`` of candidate and tester, or None; ``readable`` paths; ``scratch``, a folder for working
        directories; ``abi`` of Landlock.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        while os.open(os.devnull, os.O_RDWR) < _RESERVED:
            pass
        self.uids: list[int] | None = settings["uids"]
        self.namespaces = self.landlock = None
        self.filters: dict[str, tuple[Filter, CallFilter]] = {}
        self.linux = os.uname().sysname == "Linux"
        for name in _NEVER:
            if (which := getattr(resource, name, None)) is not None:
                _lower(which, 0)
        if settings["rung"] == "L3":
            root = Path(settings["scratch"], f"root-{os.getpid()}")
            root.mkdir(0o700)
            self.namespaces = Namespaces(settings["readable"], str(root), own_user=self.uids is None)
        self.proc = self.namespaces.proc if self.namespaces else os.open("/proc" if self.linux else "/", os.O_RDONLY)
        self.null = os.open(os.devnull, os.O_RDWR)
        self.scratch = Scratch(settings["scratch"], self.uids[0] if self.uids else None, self.namespaces)
        self.rulesets: dict[str, int] = {}
        if settings["rung"] != "L1":
            self._prepare_filters(settings)
        if self.linux:
            adopt_orphans()
        self.ready_read, self.ready_write = os.pipe()
        os.set_blocking(self.ready_read, False)

    def _prepare_filters(self, settings: dict[str, Any]) -> None:
        architecture = numbers()
        assert architecture is not None, "the ladder has found the filter to work"
        for name, profile in PROFILES.items():
            filter_ = assemble(profile, *architecture)
            self.filters[name] = filter_, CallFilter(filter_.code)
        paths = ["/"] if self.namespaces else [path for path in settings["readable"] if Path(path).exists()]
        devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
        self.landlock = Landlock(settings["abi"], paths, [path for path in devices if Path(path).exists()])
        self.rulesets["apart"] = self.landlock.ruleset(None)

    def before(self) -> None:
        """Have an empty working directory for the next job."""
        if not self.scratch.provide():
            return
        os.environ["HOME"] = os.environ["TMPDIR"] = self.scratch.path
        if self.landlock:
            if "scratch" in self.rulesets:
                os.close(self.rulesets["scratch"])
            self.rulesets["scratch"] = self.landlock.ruleset(self.scratch.path)

    def after(self, *, forked: bool) -> None:
        """Remove what the job left: files, and at rungs where it could fork, processes."""
        if not self.namespaces and (forked or not self.filters):
            self._sweep()
        self.scratch.settle()

    def _sweep(self) -> None:
        for uid in self.uids or ():
            pid = os.fork()
            if pid == 0:
                try:
                    os.setgroups([])
                    os.setresuid(uid, uid, uid)
                    os.kill(-1, signal.SIGKILL)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
        while self.linux and (left := self._adopted()):
            for pid in left:
                with suppress(ProcessLookupError, ChildProcessError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def _adopted(self) -> list[int]:
        """Return the children that a job left to this process, which adopts orphans below it."""
        own = os.getpid()
        return [int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_bytes().split()]

    def fork(self) -> int:
        """Fork, into a pid namespace of its own at the strongest rung."""
        return self.namespaces.fork() if self.namespaces else os.fork()

    def resident_mb(self, pid: int) -> float:
        """Return the resident memory of a child in MiB; 0 where the system does not tell."""
        try:
            fd = os.open(f"{pid}/statm", os.O_RDONLY, dir_fd=self.proc)
        except OSError:
            return 0.0
        try:
            return int(os.read(fd, 256).split()[1]) * _PAGE_MB
        except (OSError, IndexError):
            return 0.0
        finally:
            os.close(fd)

    def starved_s(self, pid: int) -> float:
        """Return the seconds that a child's threads were ready to run while others had the cores; 0 if unknown."""
        waited = 0
        with suppress(OSError):
            tasks = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.proc)
            try:
                for task in os.listdir(tasks):  # noqa: PTH208 - pathlib knows no folders by descriptor
                    fd = os.open(f"{task}/schedstat", os.O_RDONLY, dir_fd=tasks)
                    waited += int(os.read(fd, 256).split()[1])
                    os.close(fd)
            finally:
                os.close(tasks)
        return waited / 1e9

    def ready(self) -> bytes:
        """Return what children have said since last asked: one byte for each that was locked down."""
        try:
            return os.read(self.ready_read, 4096)
        except BlockingIOError:
            return b""

    def enter(self, spec: dict[str, Any], limits: Limits, fds: dict[str, int]) -> None:
        """Lock this process down as ``spec`` says, then do what its role does."""
        try:
            payload = self._lock_down(spec, limits, fds)
        except BaseException as error:
            os.write(_READY, f"!{error}".encode()[:500])
            raise
        os.write(_READY, b"+")
        os.close(_READY)
        roles.run(spec["role"], payload)

    def _lock_down(self, spec: dict[str, Any], limits: Limits, fds: dict[str, int]) -> dict[str, Any]:
        os.setsid()
        payload = roles.read_payload(fds["payload"])
        apart = spec["role"] in ("tester", "grader")
        if apart:
            os.chdir("/")
            os.environ["HOME"] = os.environ["TMPDIR"] = "/"
        self._wire(fds)
        limits.apply(threads=self.uids is not None or self.namespaces is not None)
        if self.rulesets:
            no_new_privileges()
            restrict(self.rulesets["apart" if apart else "scratch"])
        if self.uids:
            uid = self.uids[1 if apart else 0]
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        self._seal(spec["role"] if spec["role"] in self.filters else "program")
        return payload

    def _wire(self, fds: dict[str, int]) -> None:
        """Put the wires where the role expects them, below everything else that is open."""
        second = fds.get("link", fds.get("executable", self.null))
        own = (fds.get("stdin"), fds.get("stdout"), fds.get("stderr"), fds["channel"], second, self.ready_write)
        for place, fd in enumerate(own):
            os.dup2(self.null if fd is None else fd, place)

    def _seal(self, profile: str) -> None:
        if self.linux:
            if self.namespaces:
                drop_capabilities()
            set_death_signal(signal.SIGKILL)
        os.closerange(_READY + 1, 4096)
        if self.filters:
            filter_, program = self.filters[profile]
            filter_.fill(os.getpid())
            program.install()
