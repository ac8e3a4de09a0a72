"""Where sandboxes live while a judge does: a folder, an identity per slot, an interpreter that identity can read."""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from curation.verify.inside.kernel import landlock_abi
from schemas.enums import Isolation

__all__ = ["Home"]

_SYSTEM = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/openssl.cnf",
)
_RUN = Path("/run")
"""Where all judges of the machine find each other, whatever their folder for temporary files is."""
_PREFIX, _LOCK = "sluice-judge-", "lock"
_FIRST_UID, _LAST_UID = 50_000, 59_998
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "LD_BIND_NOW": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",
    "PYTHONINTMAXSTRDIGITS": "0",
}
_REQUIRED = re.compile(r"[\w.-]+(?!.*\bextra\s*==)")
"""The name in a requirement that is not an extra's."""
_OTHERS, _OWN_TESTS = ("site-packages",), ("test", "tests")
"""What is not the standard library, and the large part of it that is not worth a copy."""


class Home:
    """A folder for scratch space, and what the zygotes of one judge need to start.

    Parameters
    ----------
    rung
        Rung of the isolation ladder.
    """

    def __init__(self, rung: Isolation) -> None:
        self.rung = rung
        _remove_stale()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.folder.chmod(0o711)
        self.as_root = os.geteuid() == 0
        lock = (self.folder / _LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self._locks: list[IO[str]] = [lock]
        self.prefix = Path(sys.base_prefix)
        self.moved = ["", ""]

    def provide(self) -> None:
        """Put the standard library where sandboxed identities can read it, if they cannot where it is."""
        if self.as_root and self.rung is not Isolation.L3 and not _open_to_others(self.prefix):
            self.moved = [str(self.prefix), str(self.folder / "python")]
            _repeat_library(self.folder / "python")

    def slot(self, packages: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
        """Return the settings of one zygote, whose programs may import the standard library and ``packages``."""
        staged, places = self._stage(packages)
        library = Path(self.moved[1]) if self.moved[1] else self.prefix
        readable = [path for path in (*_SYSTEM, str(library), str(staged), *places) if os.path.lexists(path)]
        return {
            "rung": self.rung.value,
            "interpreter": os.path.realpath(sys.executable),
            "environment": _ENVIRONMENT,
            "uids": self._identities() if self.as_root else None,
            "abi": landlock_abi() if sys.platform == "linux" else 0,
            "readable": readable,
            "packages": [str(staged)],
            "scratch": str(self.folder),
            "moved": self.moved,
            "preload": [],
            "warm": "",
            **more,
        }

    def remove(self) -> None:
        """Give back folder and identities."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for lock in self._locks:
            lock.close()
        self._locks = []

    def _stage(self, names: tuple[str, ...]) -> tuple[Path, list[str]]:
        """Make a folder of links to the packages named and what they require, and to nothing else."""
        staged = Path(tempfile.mkdtemp(dir=self.folder, prefix="packages-"))
        staged.chmod(0o755)
        linked = []
        for path in dict.fromkeys(path for name in _with_requirements(names) for path in _places(name)):
            if self.as_root and self.rung is not Isolation.L3 and not _open_to_others(path):
                (shutil.copytree if path.is_dir() else shutil.copy)(path, staged / path.name)
            else:
                (staged / path.name).symlink_to(path)
                linked.append(str(path))
        return staged, linked

    def _identities(self) -> list[int]:
        """Reserve a pair of user ids that no other judge on this machine uses."""
        folder = (_RUN if _RUN.is_dir() else Path(tempfile.gettempdir())) / "sluice-identities"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise OSError(f"{folder} belongs to somebody else")
        for uid in range(_FIRST_UID, _LAST_UID, 2):
            lock = (folder / str(uid)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self._locks.append(lock)
            return [uid, uid + 1]
        raise OSError("all identities for sandboxes are in use")


def _remove_stale() -> None:
    """Remove the folders of judges that were killed: nobody holds their locks."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue


def _open_to_others(path: Path) -> bool:
    """Tell whether a user without rights can read ``path`` and come by every folder above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _repeat_library(target: Path) -> None:
    """Make the standard library once more under ``target``: of links, or of copies on another file system."""
    library = Path(sysconfig.get_path("stdlib"))
    place = target / library.relative_to(sys.base_prefix)
    if library.stat().st_dev == target.parent.stat().st_dev:
        shutil.copytree(library, place, ignore=shutil.ignore_patterns(*_OTHERS), copy_function=_link)
    else:
        shutil.copytree(library, place, ignore=shutil.ignore_patterns(*_OTHERS, *_OWN_TESTS))


def _link(source: str, target: str) -> None:
    os.link(os.path.realpath(source), target)


def _places(name: str) -> list[Path]:
    """Return the files and folders of an importable name: modules, libraries of its wheel, metadata."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return []
    own = Path(next(iter(spec.submodule_search_locations or ()), spec.origin or ""))
    return [path for path in (own, own.parent / f"{name}.libs", *_metadata(own.parent, name)) if path.exists()]


def _metadata(folder: Path, name: str) -> list[Path]:
    names = {canonical.replace("-", "_").lower() for canonical in _distributions().get(name, ())}
    return [path for path in folder.glob("*.dist-info") if path.name.split("-")[0].replace(".", "_").lower() in names]


def _with_requirements(names: Iterable[str]) -> list[str]:
    """Return importable names, and those of the distributions that theirs require, as far as they are installed."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found[name] = None
        for distribution in _distributions().get(name, ()):
            wanted = [_REQUIRED.match(line) for line in importlib.metadata.requires(distribution) or ()]
            needed = {_plain(distribution), *(_plain(match[0]) for match in wanted if match)}
            waiting += sorted(one for one, owners in _distributions().items() if needed & {*map(_plain, owners)})
    return list(found)


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
