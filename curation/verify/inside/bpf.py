"""The system-call filter: an allow list, assembled to classic BPF once per zygote and loaded raw.

There is no pure-Python package for seccomp, and libseccomp may be absent; what is needed of it is the few lines
below. Layout and actions are those of ``linux/seccomp.h`` and ``linux/filter.h``. Whatever is not allowed fails with
EPERM; calls newer than Linux 5.1 fail with ENOSYS, so that the C library falls back; another architecture's calls
(i386, x32) kill.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import NamedTuple

from .syscalls import PLAIN

__all__ = ["PROFILES", "Filter", "Profile", "assemble"]

_LOAD, _JEQ, _JGE, _AND, _RET = 0x20, 0x15, 0x35, 0x54, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_X32_BIT = 0x40000000
_FIRST_NEW_CALL = 424
_LOW = 0xFFFFFFFF
_SIZE = 8
"""Bytes of an instruction."""

_CLONE_THREAD = 0x10000
_CLONE_NAMESPACES = 0x7E020080
_AF_UNIX, _SOCK_STREAM = 1, 1
_TMPFILE = 0x400000
"""Of open: a file without a name, which leaves no trace in its folder but the number of the next file there."""
_PR_SET_NAME, _PR_GET_NAME = 15, 16
_FCNTL = (0, 1, 2, 3, 4, 1030, 1032)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ: no locks, leases or signals."""
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: nothing that pushes input into a terminal."""
_OWN_PID = -1


class Argument(NamedTuple):
    """``args[index] & mask`` is one of ``values``; `_OWN_PID` among them stands for the process itself."""

    index: int
    values: tuple[int, ...]
    mask: int = _LOW


class Profile(NamedTuple):
    """Calls of one kind of process beyond those that every one may make."""

    calls: tuple[str, ...] = ()
    forks: bool = False


PROFILES = {
    "program": Profile(),
    "native": Profile(("execve", "execveat")),
    "compile": Profile(("execve", "fork", "vfork", "wait4", "waitid", "chmod", "fchmod", "fchmodat"), forks=True),
}


_STACK, _OWN_LIMIT = Argument(1, (3,)), (Argument(0, (0,)),)
"""RLIMIT_STACK, which programs that recurse deeply raise for themselves; its hard limit stays what it is."""
_ONLY_READ = (Argument(2, (0,)), Argument(2, (0,), _LOW << 32))


def _conditional(profile: Profile) -> list[tuple[str, tuple[Argument, ...]]]:
    clone = Argument(0, (0,), _CLONE_NAMESPACES) if profile.forks else Argument(0, (_CLONE_THREAD,), _CLONE_THREAD)
    return [
        ("open", (Argument(1, (0,), _TMPFILE),)),
        ("openat", (Argument(2, (0,), _TMPFILE),)),
        ("fcntl", (Argument(1, _FCNTL),)),
        ("ioctl", (Argument(1, _IOCTL),)),
        ("clone", (clone, Argument(0, (0,), _CLONE_NAMESPACES))),
        ("kill", (Argument(0, (_OWN_PID,)),)),
        ("tgkill", (Argument(0, (_OWN_PID,)),)),
        ("prctl", (Argument(0, (_PR_SET_NAME, _PR_GET_NAME)),)),
        ("sendto", (Argument(4, (0,)), Argument(4, (0,), _LOW << 32))),
        ("socketpair", (Argument(0, (_AF_UNIX,)), Argument(1, (_SOCK_STREAM,), 0xF))),
    ]


class Filter(NamedTuple):
    """An assembled program, with the places where the process id goes."""

    code: bytearray
    holes: tuple[int, ...]

    def fill(self, pid: int) -> None:
        """Make it the program of one process."""
        for hole in self.holes:
            struct.pack_into("=I", self.code, hole, pid)

    def fill_own(self) -> None:
        """Make it the program of this process."""
        self.fill(os.getpid())


_Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip if true, if false, and a constant; `_OWN_PID` is filled in later."""
_Leaf = list[_Instruction]


def assemble(profile: Profile, audit_code: int, calls: dict[str, int]) -> Filter:
    """Assemble the filter of a profile for one architecture: what a call gets is found by binary search."""
    header = [(_LOAD, 0, 0, _ARCH), (_JEQ, 1, 0, audit_code), _return(_KILL_PROCESS), (_LOAD, 0, 0, _NR)]
    program = [*header, *_search(_ranges(profile, calls))]
    holes = tuple(_SIZE * at + 4 for at, instruction in enumerate(program) if instruction[3] == _OWN_PID)
    return Filter(bytearray().join(struct.pack("=HBBI", *line[:3], line[3] & _LOW) for line in program), holes)


def _return(action: int) -> _Instruction:
    return (_RET, 0, 0, action)


def _ranges(profile: Profile, calls: dict[str, int]) -> list[tuple[int, _Leaf]]:
    """Return what calls get as ``(first number, leaf)``, each valid up to the next."""
    named = {calls[name]: [_return(_ALLOW)] for name in (*PLAIN, *profile.calls) if name in calls}
    named |= {calls[name]: _condition(arguments) for name, arguments in _conditional(profile) if name in calls}
    named[calls["prlimit64"]] = _either(_STACK, _OWN_LIMIT, _ONLY_READ)
    named[calls["clone3"]] = [_return(_ERRNO | errno.ENOSYS)]
    ranges: list[tuple[int, _Leaf]] = []
    for number in sorted({0, _FIRST_NEW_CALL, _X32_BIT, *named, *(number + 1 for number in named)}):
        leaf = named.get(number) or [_return(_unnamed(number))]
        if not ranges or ranges[-1][1] != leaf:
            ranges.append((number, leaf))
    return ranges


def _unnamed(number: int) -> int:
    if number >= _X32_BIT:
        return _KILL_PROCESS
    return _ERRNO | (errno.ENOSYS if number >= _FIRST_NEW_CALL else errno.EPERM)


def _search(ranges: list[tuple[int, _Leaf]]) -> list[_Instruction]:
    """Return the code that finds the range of a call's number and goes on with its leaf."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    return [(_JGE, len(below), 0, ranges[middle][0]), *below, *above]


def _either(first: Argument, then: tuple[Argument, ...], otherwise: tuple[Argument, ...]) -> _Leaf:
    """Return the code that asks for one condition where ``first`` holds, and for another where it does not."""
    one = _condition(then)
    return [(_LOAD, 0, 0, _ARGS + 8 * first.index), (_JEQ, 0, len(one), first.values[0]), *one, *_condition(otherwise)]


def _condition(arguments: tuple[Argument, ...]) -> _Leaf:
    """Return the code that allows a call if every argument is as it must be."""
    code: _Leaf = []
    for argument in arguments:
        high = argument.mask >> 32
        code.append((_LOAD, 0, 0, _ARGS + 8 * argument.index + (4 if high else 0)))
        code.append((_AND, 0, 0, high or argument.mask))
        for left, value in zip(reversed(range(len(argument.values))), argument.values, strict=True):
            code.append((_JEQ, left + 1, 0, value))
        code.append(_return(_ERRNO | errno.EPERM))
    return [*code, _return(_ALLOW)]
