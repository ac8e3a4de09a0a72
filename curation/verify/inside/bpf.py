"""The system-call filter: an allow list, assembled to classic BPF once per zygote and loaded raw.

There is no pure-Python package for seccomp, and libseccomp may be absent; what is needed of it is the few lines
below. Layout and actions are those of ``linux/seccomp.h`` and ``linux/filter.h``. Whatever is not allowed fails with
EPERM; calls newer than Linux 5.1 fail with ENOSYS, so that the C library falls back; another architecture's calls
(i386, x32) kill.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field

from .syscalls import PLAIN

__all__ = ["PROFILES", "Filter", "Profile", "assemble"]

_LOAD, _JEQ, _JGE, _AND, _RET = 0x20, 0x15, 0x35, 0x54, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_X32_BIT = 0x40000000
_FIRST_NEW_CALL = 424
_LOW = 0xFFFFFFFF

_CLONE_THREAD = 0x10000
_CLONE_NAMESPACES = 0x7E020080
_AF_UNIX, _SOCK_STREAM = 1, 1
_PR_SET_NAME, _PR_GET_NAME = 15, 16
_FCNTL = (0, 1, 2, 3, 4, 1030, 1032)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ: no locks, leases or signals."""
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: nothing that pushes input into a terminal."""
_OWN_PID = -1


@dataclass(frozen=True)
class Argument:
    """``args[index] & mask`` is one of ``values``; `_OWN_PID` among them stands for the process itself."""

    index: int
    values: tuple[int, ...]
    mask: int = _LOW


@dataclass(frozen=True)
class Profile:
    """Calls of one kind of process beyond those that every one may make."""

    calls: tuple[str, ...] = ()
    forks: bool = False


PROFILES = {
    "program": Profile(),
    "native": Profile(("execve", "execveat")),
    "compile": Profile(("execve", "fork", "vfork", "wait4", "waitid", "chmod", "fchmod", "fchmodat"), forks=True),
}


def _conditional(profile: Profile) -> list[tuple[str, tuple[Argument, ...]]]:
    clone = Argument(0, (0,), _CLONE_NAMESPACES) if profile.forks else Argument(0, (_CLONE_THREAD,), _CLONE_THREAD)
    return [
        ("fcntl", (Argument(1, _FCNTL),)),
        ("ioctl", (Argument(1, _IOCTL),)),
        ("clone", (clone, Argument(0, (0,), _CLONE_NAMESPACES))),
        ("kill", (Argument(0, (_OWN_PID,)),)),
        ("tgkill", (Argument(0, (_OWN_PID,)),)),
        ("prctl", (Argument(0, (_PR_SET_NAME, _PR_GET_NAME)),)),
        ("prlimit64", (Argument(2, (0,)), Argument(2, (0,), _LOW << 32))),
        ("sendto", (Argument(4, (0,)), Argument(4, (0,), _LOW << 32))),
        ("socketpair", (Argument(0, (_AF_UNIX,)), Argument(1, (_SOCK_STREAM,), 0xF))),
    ]


@dataclass
class Filter:
    """An assembled program, with the places where the process id goes."""

    code: bytearray
    holes: list[int] = field(default_factory=list)

    def for_process(self, pid: int) -> bytes:
        """Return the program of one process."""
        for hole in self.holes:
            struct.pack_into("=I", self.code, hole, pid)
        return bytes(self.code)


class _Assembler:
    def __init__(self) -> None:
        self.filter = Filter(bytearray())

    def emit(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        """Append one instruction; the two jumps count instructions to skip."""
        self.filter.code += struct.pack("=HBBI", code, if_true, if_false, value & _LOW)

    def hole(self, if_true: int, if_false: int) -> None:
        """Append a comparison with the process id, to be filled in later."""
        self.filter.holes.append(len(self.filter.code) + 4)
        self.emit(_JEQ, 0, if_true, if_false)


def assemble(profile: Profile, audit_code: int, calls: dict[str, int]) -> Filter:
    """Assemble the filter of a profile for one architecture."""
    program = _Assembler()
    program.emit(_LOAD, _ARCH)
    program.emit(_JEQ, audit_code, 1, 0)
    program.emit(_RET, _KILL_PROCESS)
    program.emit(_LOAD, _NR)
    program.emit(_JGE, _X32_BIT, 0, 1)
    program.emit(_RET, _KILL_PROCESS)
    for name in (*PLAIN, *profile.calls):
        if name in calls:
            program.emit(_JEQ, calls[name], 0, 1)
            program.emit(_RET, _ALLOW)
    for name, arguments in _conditional(profile):
        if name in calls:
            _block(program, calls[name], arguments)
    program.emit(_JGE, _FIRST_NEW_CALL, 0, 1)
    program.emit(_RET, _ERRNO | errno.ENOSYS)
    program.emit(_JEQ, calls["clone3"], 0, 1)
    program.emit(_RET, _ERRNO | errno.ENOSYS)
    program.emit(_RET, _ERRNO | errno.EPERM)
    return program.filter


def _block(program: _Assembler, number: int, arguments: tuple[Argument, ...]) -> None:
    """Append: if this is the call and every argument is as it must be, allow; if an argument is not, EPERM."""
    size = sum(2 + len(argument.values) + 1 for argument in arguments) + 1
    program.emit(_JEQ, number, 0, size)
    for argument in arguments:
        high = argument.mask >> 32
        program.emit(_LOAD, _ARGS + 8 * argument.index + (4 if high else 0))
        program.emit(_AND, high or argument.mask)
        last = len(argument.values) - 1
        for position, value in enumerate(argument.values):
            if value == _OWN_PID:
                program.hole(last - position + 1, 0)
            else:
                program.emit(_JEQ, value, last - position + 1, 0)
        program.emit(_RET, _ERRNO | errno.EPERM)
    program.emit(_RET, _ALLOW)
