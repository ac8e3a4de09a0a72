"""What a freshly forked child does to itself before it runs anything that is not ours, rung by rung."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from . import roles
from .bpf import PROFILES, Filter, assemble
from .kernel import (
    ADOPT_ORPHANS,
    DIE_WITH_PARENT,
    DROP_CAPABILITIES,
    HIDE_MEMORY,
    NO_NEW_PRIVILEGES,
    Call,
    CallFilter,
    Landlock,
    fork,
    make,
    restricting,
)
from .namespaces import Namespaces
from .orders import LINK, Limits
from .scratch import Scratch
from .syscalls import numbers

__all__ = ["Cage"]

_SLACK_MB = {"native": 4096}
_LITTLE_SLACK_MB = 1024
"""Space that may be reserved beyond the memory: arenas, what is never touched, stacks of threads, large if native."""
_ADDRESSES = 64 << 30
"""All that may be mapped, read-only too: the kernel's tables of it, which count as nobody's memory, stay small."""
_READY = LINK + 1
"""Where a child says that it is locked down; what lies above is closed."""
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
_OPEN_FILES = 64
_STACK = 112 << 20
"""Stack of the main thread, for deep recursion: as much as the kernel leaves room for below what is mapped."""
_APART = ("tester", "grader")
"""Roles that have the second identity and no working directory."""

KernelLimit = tuple[int, tuple[int, int]]
"""A resource, with its soft and hard limit."""


_HARD = {which: resource.getrlimit(which)[1] for name, which in vars(resource).items() if name.startswith("RLIMIT_")}
_NEVER = ("RLIMIT_CORE", "RLIMIT_MSGQUEUE", "RLIMIT_MEMLOCK")
"""What nobody in a sandbox gets any of, the zygote included."""


def _kernel_limits(role: str, limits: Limits, *, threads: bool) -> list[KernelLimit]:
    """Return the kernel's limits; the hard ones fall with the soft ones, so that they cannot be raised again."""
    return [
        _lowered(resource.RLIMIT_CPU, int(limits.cpu_s) + 2),
        _lowered(resource.RLIMIT_AS, max(_ADDRESSES, limits.memory_mb << 21)),
        _lowered(resource.RLIMIT_DATA, (limits.memory_mb + _SLACK_MB.get(role, _LITTLE_SLACK_MB)) << 20),
        _lowered(resource.RLIMIT_FSIZE, limits.file_mb << 20),
        _lowered(resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_STACK, (_allowed(resource.RLIMIT_STACK, _STACK), _HARD[resource.RLIMIT_STACK])),
        *([_lowered(resource.RLIMIT_NPROC, limits.threads)] if threads else []),
    ]


def _allowed(which: int, wanted: int) -> int:
    return wanted if _HARD[which] == resource.RLIM_INFINITY else min(wanted, _HARD[which])


def _lowered(which: int, wanted: int) -> KernelLimit:
    value = _allowed(which, wanted)
    return which, (value, value)


class Cage:
    """Everything a zygote prepares once, and everything a child does to itself.

    Parameters
    ----------
    settings
        ``rung``; ``uids`` of candidate and tester, or None; ``readable`` paths; ``scratch``, a folder for working
        directories; ``abi`` of Landlock.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.uids: list[int] | None = settings["uids"]
        self.namespaces = self.landlock = None
        self.filters: dict[str, tuple[Filter, CallFilter]] = {}
        self.linux = os.uname().sysname == "Linux"
        for name in _NEVER:
            if (which := getattr(resource, name, None)) is not None:
                resource.setrlimit(which, (0, 0))
        if settings["rung"] == "L3":
            root = f"{settings['scratch']}/root-{os.getpid()}"
            os.mkdir(root, 0o700)
            self.namespaces = Namespaces(settings["readable"], root, own_user=self.uids is None)
        self.proc = self.namespaces.proc if self.namespaces else os.open("/proc" if self.linux else "/", os.O_RDONLY)
        self.scratch = Scratch(settings["scratch"], self.uids[0] if self.uids else None, self.namespaces)
        self.rulesets: dict[str, int] = {}
        self.has_own_identity = self.uids is not None or self.namespaces is not None
        if settings["rung"] != "L1":
            self._prepare_filters(settings)
        if self.uids:
            os.setgroups([])
        if self.linux:
            make([ADOPT_ORPHANS])
        self.ready_read, write = os.pipe()
        os.set_blocking(self.ready_read, False)
        os.dup2(write, _READY, inheritable=False)
        os.close(write)
        if self.rulesets:
            make([NO_NEW_PRIVILEGES])

    def _prepare_filters(self, settings: dict[str, Any]) -> None:
        architecture = numbers()
        assert architecture is not None, "the ladder has found the filter to work"
        for name, profile in PROFILES.items():
            filter_ = assemble(profile, *architecture)
            self.filters[name] = filter_, CallFilter(filter_.code)
        paths = ["/"] if self.namespaces else [path for path in settings["readable"] if os.path.exists(path)]
        devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
        self.landlock = Landlock(settings["abi"], paths, [path for path in devices if os.path.exists(path)])
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
            self._surrender.cache_clear()

    def after(self, *, forked: bool) -> None:
        """Remove what the job left: files, and at rungs where it could fork, processes."""
        if self.namespaces:
            self.namespaces.settle()
        elif forked or not self.filters:
            self._sweep()
        self.scratch.settle()

    def _sweep(self) -> None:
        for uid in self.uids or ():
            pid = fork()
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
        with open(f"/proc/{own}/task/{own}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]

    def fork(self) -> int:
        """Fork, into a pid namespace of its own at the strongest rung."""
        return self.namespaces.fork() if self.namespaces else fork()

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
        """Return the seconds that a child's threads were ready to run while others had the cores; 0 if unknown.

        What a thread may have waited for its own siblings does not count.
        """
        spent: list[tuple[int, int]] = []
        with suppress(OSError):
            tasks = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.proc)
            try:
                for task in os.listdir(tasks):
                    fd = os.open(f"{task}/schedstat", os.O_RDONLY, dir_fd=tasks)
                    ran, waited, _ = os.read(fd, 256).split()
                    spent.append((int(ran), int(waited)))
                    os.close(fd)
            finally:
                os.close(tasks)
        total = sum(ran for ran, _ in spent)
        return sum(max(0, waited - (total - ran)) for ran, waited in spent) / 1e9

    def ready(self) -> bytes:
        """Return what children have said since last asked: one byte for each that was locked down."""
        try:
            return os.read(self.ready_read, 4096)
        except BlockingIOError:
            return b""

    def lock_down(self, role: str, limits: Limits, wires: Sequence[tuple[int, int]]) -> list[Call]:
        """Return what a child does to itself: put its wires in their places, then give up everything else.

        All of it is decided here. The child makes the calls and decides nothing: what it runs of the interpreter it
        has to copy.
        """
        return [*[(os.dup2, wire) for wire in wires], *self._surrender(role, limits)]

    @lru_cache(maxsize=64)  # noqa: B019 - there is one cage, for good
    def _surrender(self, role: str, limits: Limits) -> list[Call]:
        apart = role in _APART
        calls: list[Call] = [(os.setsid, ())]
        if apart:
            calls += [(os.chdir, ("/",)), (os.environ.update, ({"HOME": "/", "TMPDIR": "/"},))]
        calls += [(resource.setrlimit, limit) for limit in _kernel_limits(role, limits, threads=self.has_own_identity)]
        if self.rulesets:
            calls.append(restricting(self.rulesets["apart" if apart else "scratch"]))
        if self.uids:
            uid = self.uids[apart]
            calls += [(os.setresgid, (uid, uid, uid)), (os.setresuid, (uid, uid, uid))]
        if self.linux:
            calls += [*([DROP_CAPABILITIES] if self.namespaces else ()), DIE_WITH_PARENT, HIDE_MEMORY]
        calls.append((os.closerange, (_READY + 1, 4096)))
        if self.filters:
            filter_, program = self.filters.get(role) or self.filters["program"]
            calls += [(filter_.fill_own, ()), program.installing]
        return calls

    def enter(self, calls: Sequence[Call], role: str, payload: int, size: int) -> None:
        """Lock this process down, then do what its role does with the ``size`` bytes behind a descriptor."""
        try:
            body = os.pread(payload, size, 0)
            make(calls)
        except BaseException as error:
            os.write(_READY, f"!{error}".encode()[:500])
            raise
        os.write(_READY, b"+")
        os.close(_READY)
        roles.run(role, body)
