"""The strongest rung's world: a root of its own with nothing in it but what programs need, no network, no peers."""

from __future__ import annotations

import os
import signal
from _socket import sethostname

from .kernel import DIE_WITH_PARENT, fork, make, mount, pivot_root, setns, unmount, unshare

__all__ = ["Namespaces"]

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_LOCKED = _NOSUID | _NODEV | _NOEXEC | 1024 | 2048
"""Flags that a bind mount in a user namespace must keep: nosuid, nodev, noexec, noatime, nodiratime."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_INPUT = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
"""Names of standard input; a program that uses one finds a copy of its input there."""
_SCRATCH, _SCRATCH_MB, _SCRATCH_INODES = "/scratch", 128, 8192
_IDLING = (DIE_WITH_PARENT, (os.closerange, (0, 4096)), (signal.pause, ()))


class Namespaces:
    """Moves the zygote to its own mount, network, IPC and UTS namespaces; each child gets a pid namespace.

    Parameters
    ----------
    readable
        Files and folders that the new root shows, read-only, where they are; links on the way are made again.
    place
        An empty folder, on which the new root is built.
    """

    def __init__(self, readable: list[str], place: str, *, own_user: bool) -> None:
        uid, gid = os.geteuid(), os.getegid()
        unshare((_NEWUSER | _NEWPID if own_user else 0) | _NEWNS | _NEWUTS | _NEWIPC | _NEWNET)
        if own_user:
            for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
            _go_on_as_first()
        self.own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self._idle: list[int] = []
        sethostname("sandbox")
        mount("none", "/", "", _REC | _PRIVATE)
        self.proc = _own_processes(place) if own_user else os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        self._build(readable, place)

    @staticmethod
    def _build(readable: list[str], root: str) -> None:
        mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
        for path in readable:
            _show(root, path)
        for name in _DEVICES:
            _show(root, f"/dev/{name}", device=True)
        os.makedirs(root + _SCRATCH, exist_ok=True)
        for name in _INPUT:
            os.makedirs(os.path.dirname(root + name), exist_ok=True)
            os.symlink(f"{_SCRATCH}/.input", root + name)
        os.chdir(root)
        pivot_root()
        os.chdir("/")
        mount("none", "/", "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)

    def mount_scratch(self, owner: int | None) -> str:
        """Mount an empty file system in memory, owned by ``owner``, and return where it is."""
        uid, gid = (os.geteuid(), os.getegid()) if owner is None else (owner, owner)
        options = f"size={_SCRATCH_MB}m,nr_inodes={_SCRATCH_INODES},mode=700,uid={uid},gid={gid}"
        mount("tmpfs", _SCRATCH, "tmpfs", _NOSUID | _NODEV, options)
        return _SCRATCH

    @staticmethod
    def unmount_scratch() -> None:
        """Throw away what the last job left."""
        unmount(_SCRATCH)

    def fork(self) -> int:
        """Fork a child into a pid namespace of its own.

        It is the second process there: the first, which idles, is deaf to signals that would end or stop any other.
        """
        setns(self.own_pids, _NEWPID)
        unshare(_NEWPID)
        first = fork()
        if first == 0:
            try:
                make(_IDLING)
            finally:
                os._exit(0)
        self._idle.append(first)
        return fork()

    def settle(self) -> None:
        """End the pid namespaces, with whatever is left in them."""
        for first in self._idle:
            os.kill(first, signal.SIGKILL)
            os.waitpid(first, 0)
        self._idle.clear()


def _go_on_as_first() -> None:
    """Leave the rest to a child, the first process of a pid namespace that this user may come back to; wait for it."""
    child = fork()
    if child:
        try:
            os.closerange(0, 4096)
            os.waitpid(child, 0)
        finally:
            os._exit(0)
    make([DIE_WITH_PARENT])


def _own_processes(place: str) -> int:
    """Return a folder that tells of the processes of this pid namespace, and that nobody else can see."""
    mount("proc", place, "proc", _NOSUID | _NODEV | _NOEXEC)
    proc = os.open(place, os.O_PATH | os.O_DIRECTORY)
    unmount(place)
    return proc


def _show(root: str, path: str, *, device: bool = False) -> None:
    """Make ``path`` visible under ``root``: a link stays a link, anything else is bound read-only."""
    target = root + path
    if os.path.lexists(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC))
    mount(path, target, "", _BIND | _REC)
    if not device:
        kept = os.statvfs(path).f_flag & _LOCKED
        mount("none", target, "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | kept)
