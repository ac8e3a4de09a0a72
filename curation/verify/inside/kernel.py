"""System calls that Python has no name for, made through the C library."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Callable, Iterable
from typing import Any

__all__ = [
    "ADOPT_ORPHANS",
    "DIE_WITH_PARENT",
    "DROP_CAPABILITIES",
    "HIDE_MEMORY",
    "NO_NEW_PRIVILEGES",
    "SHOW_MEMORY",
    "Call",
    "CallFilter",
    "Landlock",
    "fork",
    "landlock_abi",
    "make",
    "mount",
    "pivot_root",
    "restricting",
    "setns",
    "unmount",
    "unshare",
]

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments: made ready by one process, called in another."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_fork = ctypes.PyDLL(None, use_errno=True).fork

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
_SECCOMP_NUMBER = {"x86_64": 317, "aarch64": 277}
_CAPSET_NUMBER = {"x86_64": 126, "aarch64": 91}
_PIVOT_NUMBER = {"x86_64": 155, "aarch64": 41}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_CAPABILITY_VERSION_3 = 0x20080522
_MACHINE = os.uname().machine

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _TRUNCATE = 0x1, 0x2, 0x4, 0x8, 0x4000
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
_WRITE = _WRITE_FILE | 0x10 | 0x20 | 0x80 | 0x100 | 0x1000 | 0x2000 | _TRUNCATE
"""Landlock: write, remove and make files, directories and symbolic links, link and rename, truncate."""
_ALL_OF_ABI = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def fork() -> int:
    """Fork this process, of one thread, as `os.fork` does but for the interpreter's handlers.

    They renew locks, which nobody else holds here, and seed `random`: a hundred pages of memory that every child would
    have to copy.
    """
    return _check(_fork(), "fork")


def make(calls: Iterable[Call]) -> None:
    """Make calls in order.

    Raises
    ------
    OSError
        At the first that fails.
    """
    for function, arguments in calls:
        if function(*arguments) == -1:
            code = ctypes.get_errno()
            raise OSError(code, f"{getattr(function, '__name__', function)}: {os.strerror(code)}")


def _prctl(option: int, value: int) -> Call:
    zero = ctypes.c_ulong(0)
    return _libc.prctl, (option, ctypes.c_ulong(value), zero, zero, zero)


NO_NEW_PRIVILEGES = _prctl(_PR_SET_NO_NEW_PRIVS, 1)
"""Give up setuid programs and file capabilities for good."""
ADOPT_ORPHANS = _prctl(_PR_SET_CHILD_SUBREAPER, 1)
"""Become the parent of whatever is orphaned below this process."""
DIE_WITH_PARENT = _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
"""Have the kernel kill this process when its parent dies."""
HIDE_MEMORY, SHOW_MEMORY = _prctl(_PR_SET_DUMPABLE, 0), _prctl(_PR_SET_DUMPABLE, 1)
"""Hide this process's memory from its peers."""
DROP_CAPABILITIES: Call = (
    _libc.syscall,
    (
        _CAPSET_NUMBER.get(_MACHINE, -1),
        ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)),
        ctypes.create_string_buffer(24),
    ),
)
"""Empty the permitted, effective and inheritable sets."""


class CallFilter:
    """A BPF program laid out for the kernel, which reads it where it is."""

    def __init__(self, code: bytearray) -> None:
        self._code = (ctypes.c_char * len(code)).from_buffer(code)
        program = struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code))
        self._program = ctypes.create_string_buffer(program, len(program))

    @property
    def installing(self) -> Call:
        """Make it this process's system-call filter for good."""
        return _libc.syscall, (_SECCOMP_NUMBER[_MACHINE], 1, 0, self._program)


def unshare(flags: int) -> None:
    """Move this process (for pid namespaces: its next child) to new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int) -> None:
    """Enter the namespace that ``fd`` refers to."""
    _check(_libc.setns(fd, flags), "setns")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount a file system."""
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(result, f"mount {kind or source} on {target}")


def unmount(target: str) -> None:
    """Detach what is mounted at ``target``; what is still used goes when it no longer is."""
    _check(_libc.umount2(target.encode(), 2), f"umount {target}")


def pivot_root() -> None:
    """Make the working directory the root, and detach the old one."""
    _check(_libc.syscall(_PIVOT_NUMBER[_MACHINE], b".", b"."), "pivot_root")
    unmount(".")


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel speaks; 0 if none."""
    return max(0, _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


class Landlock:
    """Makes rulesets: which files a process may still reach; nothing else, no network, no signals to others.

    Parameters
    ----------
    abi
        What `landlock_abi` returned.
    readable
        Files and folders that may be read and executed.
    devices
        Devices that may be read and written.
    """

    def __init__(self, abi: int, readable: list[str], devices: list[str]) -> None:
        self._handled = _ALL_OF_ABI[min(abi, 5)]
        self._size = 24 if abi >= 6 else 16 if abi >= 4 else 8  # noqa: PLR2004 - versions of the interface
        self._readable, self._devices = readable, devices

    def ruleset(self, writable: str | None) -> int:
        """Return the descriptor of a ruleset; ``writable`` is the one folder in which files may be made and changed."""
        attributes = ctypes.create_string_buffer(struct.pack("=QQQ", self._handled, 3, 3)[: self._size], self._size)
        ruleset = _check(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(self._size), 0), "landlock")
        for path in self._readable:
            self._allow(ruleset, path, _READ if os.path.isdir(path) else _READ_FILE | _EXECUTE)
        for path in self._devices:
            self._allow(ruleset, path, _READ_FILE | _WRITE_FILE | _TRUNCATE)
        if writable is not None:
            self._allow(ruleset, writable, _READ & ~_EXECUTE | _WRITE)
        return ruleset

    def _allow(self, ruleset: int, path: str, access: int) -> None:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = ctypes.create_string_buffer(struct.pack("=Qi", access & self._handled, fd), 12)
            _check(_libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), "landlock rule")
        finally:
            os.close(fd)


def restricting(ruleset: int) -> Call:
    """Return the call that holds a process, and all that it becomes, to a ruleset of `Landlock`."""
    return _libc.syscall, (_LANDLOCK_RESTRICT, ruleset, 0)
