"""The system-call filter says the same on both architectures; checked by evaluating its program."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest

from curation.verify.inside.bpf import PROFILES, assemble
from curation.verify.inside.syscalls import ARCHITECTURES

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
PID = 4242


def _filled(machine: str, profile: str) -> bytearray:
    assembled = assemble(PROFILES[profile], *ARCHITECTURES[machine])
    assembled.fill(PID)
    return assembled.code


def _run(code: bytearray, number: int, arch: int, args: tuple[int, ...]) -> int:
    """Evaluate a classic BPF program on one system call, as the kernel does."""
    data = struct.pack("=IIQ6Q", number, arch, 0, *(*args, *[0] * (6 - len(args))))
    accumulator, at = 0, 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x06:
            return value
        else:
            holds = accumulator == value if operation == 0x15 else accumulator >= value
            at += if_true if holds else if_false


CASES = [
    ("program", "read", (), ALLOW),
    ("program", "openat", (), ALLOW),
    ("program", "openat", (3, 0, 0o2 | 0o100), ALLOW),
    ("program", "openat", (3, 0, 0o2 | 0o20000000), EPERM),
    ("program", "clone", (0x3D0F00,), ALLOW),
    ("program", "clone", (17,), EPERM),
    ("program", "clone", (0x10000 | 0x10000000,), EPERM),
    ("program", "clone3", (), ENOSYS),
    ("program", "kill", (PID, 9), ALLOW),
    ("program", "kill", (1, 9), EPERM),
    ("program", "kill", (0xFFFFFFFF, 9), EPERM),
    ("program", "tgkill", (PID, PID, 6), ALLOW),
    ("program", "tgkill", (7, 7, 9), EPERM),
    ("program", "prctl", (15,), ALLOW),
    ("program", "prctl", (1, 0), EPERM),
    ("program", "prlimit64", (0, 7, 0, 1), ALLOW),
    ("program", "prlimit64", (0, 7, 1, 0), EPERM),
    ("program", "prlimit64", (0, 7, 1 << 40, 0), EPERM),
    ("program", "prlimit64", (0, 3, 1, 0), ALLOW),
    ("program", "prlimit64", (PID + 1, 3, 1, 0), EPERM),
    ("program", "fcntl", (3, 6), EPERM),
    ("program", "fcntl", (3, 3), ALLOW),
    ("program", "ioctl", (0, 0x5412), EPERM),
    ("program", "ioctl", (0, 0x5401), ALLOW),
    ("program", "sendto", (3, 1, 1, 0, 0, 0), ALLOW),
    ("program", "sendto", (3, 1, 1, 0, 1 << 33, 0), EPERM),
    ("program", "socketpair", (1, 1 | 0o2000000), ALLOW),
    ("program", "socketpair", (1, 2), EPERM),
    ("program", "socketpair", (2, 1), EPERM),
    ("program", "execve", (), EPERM),
    ("program", "wait4", (), EPERM),
    ("native", "execve", (), ALLOW),
    ("native", "clone", (17,), EPERM),
    ("compile", "clone", (17,), ALLOW),
    ("compile", "clone", (17 | 0x10000000,), EPERM),
    ("compile", "kill", (1, 9), EPERM),
]


@pytest.mark.parametrize("machine", list(ARCHITECTURES))
@pytest.mark.parametrize(("profile", "call", "args", "action"), CASES)
def test_what_the_filter_says(machine: str, profile: str, call: str, args: tuple[int, ...], action: int) -> None:
    """Each call is allowed, refused or unknown as its arguments deserve."""
    arch, calls = ARCHITECTURES[machine]
    code = _filled(machine, profile)
    assert action == _run(code, calls[call], arch, args)


@pytest.mark.parametrize("machine", list(ARCHITECTURES))
def test_other_architectures_are_killed(machine: str) -> None:
    """Calls of i386, of the other architecture and of x32 kill the process."""
    arch, calls = ARCHITECTURES[machine]
    code = _filled(machine, "program")
    others = [0x40000003, *(other for other, _ in ARCHITECTURES.values() if other != arch)]
    assert [KILL] * len(others) == [_run(code, calls["read"], other, ()) for other in others]
    assert KILL == _run(code, 0x40000000 + calls["read"], arch, ())


@pytest.mark.parametrize("machine", list(ARCHITECTURES))
def test_unknown_calls_do_not_exist(machine: str) -> None:
    """Whatever is in no list is refused, and what is newer than the list is unknown."""
    arch, calls = ARCHITECTURES[machine]
    code = _filled(machine, "compile")
    allowed = {number for number in range(600) if _run(code, number, arch, (0,) * 6) == ALLOW}
    assert allowed <= set(calls.values())
    assert {ENOSYS} == {_run(code, number, arch, ()) for number in range(440, 600)}


def test_numbers_are_the_kernels() -> None:
    """The table agrees with this machine's kernel headers."""
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("no kernel headers for x86-64 here")
    known = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text())}
    table = ARCHITECTURES["x86_64"][1]
    assert table == {name: known[name] for name in table}
