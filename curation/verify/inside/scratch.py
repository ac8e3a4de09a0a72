"""The folder that a slot's programs work in: empty and as good as new whenever a job starts."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .namespaces import Namespaces

__all__ = ["Scratch"]


class Scratch:
    """A working folder, made when needed and thrown away as soon as a job has left a trace on it.

    Parameters
    ----------
    home
        The folder in which it is made; with ``namespaces`` it is a file system of its own instead.
    owner
        User and group that programs run as, if that is not the zygote's.
    """

    def __init__(self, home: str, owner: int | None, namespaces: Namespaces | None) -> None:
        self.home, self.owner, self.namespaces = home, owner, namespaces
        self.path = ""
        self._seen: tuple[int, ...] = ()

    def provide(self) -> bool:
        """Make the folder and go there, unless it is there already; tell whether it is a new one."""
        if self.path:
            return False
        self.path = self.namespaces.mount_scratch(self.owner) if self.namespaces else self._folder()
        os.chdir(self.path)
        self._seen = _traces(self.path)
        return True

    def settle(self) -> None:
        """Throw the folder away unless it is empty and nothing tells that it was ever used."""
        if self._seen == _traces(self.path) and not os.listdir(self.path):
            self._seen = _traces(self.path)
            return
        os.chdir("/")
        if self.namespaces:
            self.namespaces.unmount_scratch()
        else:
            _remove(self.path)
        self.path = ""

    def _folder(self) -> str:
        """Make the folder under the first name that is free: the C library keeps every name it ever had in HOME."""
        folder = next(path for n in count() if not os.path.lexists(path := f"{self.home}/{os.getpid()}-{n}"))
        os.mkdir(folder, 0o700)
        if self.owner is not None:
            os.chown(folder, self.owner, self.owner)
        return folder


def _traces(path: str) -> tuple[int, ...]:
    """Return all that a program may read of a folder and can have changed; nothing if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mode, found.st_nlink, found.st_size, found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns


def _remove(folder: str) -> None:
    """Remove what programs made: depths that recursion cannot follow, folders that nobody may enter."""
    try:
        os.rmdir(folder)
    except OSError:
        for command in (["/bin/chmod", "-R", "u+rwx", folder], ["/bin/rm", "-rf", folder]):
            quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_RDWR, 0)]
            os.waitpid(os.posix_spawn(command[0], command, {}, file_actions=quiet), 0)
