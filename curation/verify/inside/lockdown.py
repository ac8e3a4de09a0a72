"""What a freshly forked child does to itself before it runs anything that is not ours, rung by rung."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bpf import PROFILES, assemble
from .kernel import Landlock, adopt_orphans, drop_capabilities, install_filter, no_new_privileges, set_death_signal
from .namespaces import Namespaces
from .syscalls import numbers

__all__ = ["SLACK_MB", "Cage", "Limits"]

SLACK_MB = 1024
"""Address space that a program may reserve beyond its memory: stacks of threads, arenas, what is never touched."""
_CHANNEL, _READY, _RESERVED = 3, 5, 8
"""Places of wires in a child; the zygote keeps nothing of its own up to the last, where wires are put over it."""
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
_SCRATCH_MB, _SCRATCH_INODES = 128, 8192
_OPEN_FILES = 64


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
    threads: int = 64

    def apply(self, *, threads: bool) -> None:
        """Lower soft and hard limits of this process, so that they cannot be raised again."""
        cpu = int(self.cpu_s) + 2
        caps = {
            "RLIMIT_CPU": cpu,
            "RLIMIT_DATA": (self.memory_mb + SLACK_MB) << 20,
            "RLIMIT_FSIZE": self.file_mb << 20,
            "RLIMIT_NOFILE": _OPEN_FILES,
            "RLIMIT_CORE": 0,
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_MEMLOCK": 0,
        }
        if threads:
            caps["RLIMIT_NPROC"] = self.threads
        for name, wanted in caps.items():
            if (which := getattr(resource, name, None)) is not None:
                hard = resource.getrlimit(which)[1]
                value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
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
        self.scratch_home: str = settings["scratch"]
        self.scratch: str | None = None
        self.jobs = 0
        self.namespaces = self.landlock = None
        self.filters: dict[str, Any] = {}
        self.linux = os.uname().sysname == "Linux"
        if settings["rung"] == "L3":
            self.namespaces = Namespaces(settings["readable"], self._folder(), own_user=self.uids is None)
        self.proc = self.namespaces.proc if self.namespaces else os.open("/proc" if self.linux else "/", os.O_RDONLY)
        self.null = os.open(os.devnull, os.O_RDWR)
        if settings["rung"] != "L1":
            self._prepare_filters(settings)
        if self.linux:
            adopt_orphans()
        self.ready_read, self.ready_write = os.pipe()
        os.set_blocking(self.ready_read, False)

    def _prepare_filters(self, settings: dict[str, Any]) -> None:
        architecture = numbers()
        assert architecture is not None, "the ladder has found the filter to work"
        self.filters = {name: assemble(profile, *architecture) for name, profile in PROFILES.items()}
        paths = ["/"] if self.namespaces else [path for path in settings["readable"] if Path(path).exists()]
        devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
        self.landlock = Landlock(
            settings["abi"],
            [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in paths],
            [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in devices if Path(path).exists()],
        )

    def before(self) -> None:
        """Make an empty working directory for the next job."""
        uid, gid = (self.uids[0],) * 2 if self.uids else (os.geteuid(), os.getegid())
        if self.namespaces:
            self.scratch = self.namespaces.fresh_scratch(uid, gid, _SCRATCH_MB, _SCRATCH_INODES)
            return
        self.scratch = self._folder()
        if self.uids:
            os.chown(self.scratch, uid, gid)

    def _folder(self) -> str:
        self.jobs += 1
        folder = f"{self.scratch_home}/{os.getpid()}-{self.jobs}"
        Path(folder).mkdir(0o700)
        return folder

    def after(self, *, forked: bool) -> None:
        """Remove what the job left: files, and at rungs where it could fork, processes."""
        if self.namespaces:
            self.namespaces.drop_scratch()
            return
        if forked or not self.filters:
            self._sweep()
        try:
            Path(self.scratch or "").rmdir()
        except OSError:
            self._remove(self.scratch or "")

    @staticmethod
    def _remove(folder: str) -> None:
        """Remove what programs made: depths that recursion cannot follow, folders that nobody may enter."""
        for command in (["/bin/chmod", "-R", "u+rwx", folder], ["/bin/rm", "-rf", folder]):
            quiet = [(os.POSIX_SPAWN_DUP2, os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), 2)]
            os.waitpid(os.posix_spawn(command[0], command, {}, file_actions=quiet), 0)
            os.close(quiet[0][1])

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

    def enter(self, spec: dict[str, Any], limits: Limits, fds: dict[str, int], run: Callable[..., None]) -> None:
        """Lock this process down as ``spec`` says, then do what its role does."""
        try:
            payload = self._lock_down(spec, limits, fds)
        except BaseException as error:
            os.write(_READY, f"!{error}".encode()[:500])
            raise
        os.write(_READY, b"+")
        os.close(_READY)
        run(spec["role"], payload)

    def _lock_down(self, spec: dict[str, Any], limits: Limits, fds: dict[str, int]) -> dict[str, Any]:
        from .roles import read_payload

        os.setsid()
        payload = read_payload(fds["payload"])
        profile = spec["role"] if spec["role"] in ("native", "compile") else "program"
        tester = spec["role"] in ("tester", "grader")
        os.chdir("/" if tester else self.scratch or "/")
        os.environ["HOME"] = os.environ["TMPDIR"] = "/" if tester else self.scratch or "/"
        self._wire(fds)
        limits.apply(threads=self.uids is not None or self.namespaces is not None)
        self._confine(None if tester else self.scratch)
        if self.uids:
            uid = self.uids[1 if tester else 0]
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        self._seal(profile)
        return payload

    def _wire(self, fds: dict[str, int]) -> None:
        """Put the wires where the role expects them, and close everything else but what locking down needs."""
        for name, at in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            os.dup2(fds.get(name, self.null), at)
        second = fds.get("link", fds.get("executable", self.null))
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in (fds["channel"], second, self.ready_write)]
        for place, fd in enumerate(high, _CHANNEL):
            os.dup2(fd, place)

    def _confine(self, scratch: str | None) -> None:
        if self.landlock is None:
            return
        no_new_privileges()
        folder = os.open(scratch, os.O_PATH) if scratch else None
        self.landlock.restrict(folder)

    def _seal(self, profile: str) -> None:
        if self.linux:
            if self.namespaces:
                drop_capabilities()
            set_death_signal(signal.SIGKILL)
        os.closerange(_READY + 1, 4096)
        if self.filters:
            install_filter(self.filters[profile].for_process(os.getpid()))
