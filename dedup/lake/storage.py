"""Where the files of a lake lie: a local folder, a glob, or what fsspec reaches."""

from __future__ import annotations

import glob
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from schemas.errors import InputError

__all__ = ["Changed", "File", "Storage", "local_file"]

_COPY = 1 << 20
_WILD = frozenset("*?[")
_IDENTITY = ("mtime", "LastModified", "last_modified", "updated", "ETag", "etag", "md5", "generation")


class Changed(Exception):
    """A file was not the same before and after it was read."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a lake, as it was when the lake was listed.

    Parameters
    ----------
    name
        Path under the lake's root, with ``/``.
    place
        Where the storage finds it.
    mtime_ns
        When it was last changed; 0 where the storage does not tell.
    stamp
        Changes whenever the content may have; empty if the storage tells nothing of the kind.
    """

    name: str
    place: str
    bytes: int
    mtime_ns: int
    stamp: str


@dataclass(frozen=True, slots=True)
class Storage:
    """The files under a path, glob or URL.

    Parameters
    ----------
    url
        A folder, a file, a glob, or a URL that fsspec understands, such as ``memory://lake``.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("x")
    >>> [file.name for file in Storage(str(folder)).files()]
    ['a.csv']
    """

    url: str

    @property
    def remote(self) -> bool:
        """True if fsspec does the reading."""
        return "://" in self.url

    def files(self) -> list[File]:
        """Return all files, in order of their names.

        Raises
        ------
        InputError
            If nothing is there, or the storage cannot be reached.
        """
        try:
            found = self._remote_files() if self.remote else self._local_files()
        except (OSError, ImportError, ValueError) as error:
            raise InputError(
                f"the lake {self.url!r} cannot be listed: {error}.",
                hint="check the path and the permissions; an object store needs the fsspec package of its protocol.",
            ) from error
        if not found:
            raise InputError(
                f"no file is at {self.url!r}.", hint="give a folder that holds tables, a file, a glob or a URL."
            )
        return sorted(found, key=lambda file: file.name)

    def open(self, file: File) -> IO[bytes]:
        """Open a file for reading."""
        if self.remote:
            return self._system()[0].open(file.place, "rb")
        return io.FileIO(file.place)

    def read(self, file: File) -> bytes:
        """Return the whole content of a file.

        Raises
        ------
        Changed
            If it is not, or no longer, the file that was listed.
        """
        with self.open(file) as handle:
            content = handle.read()
        self.unchanged(file, len(content))
        return content

    def unchanged(self, file: File, size: int) -> None:
        """Make sure that ``size`` bytes read are the file that was listed, raising `Changed` otherwise."""
        if size != file.bytes or self.stamp(file.place) != file.stamp:
            raise Changed(f"{file.bytes} bytes were listed and {size} read, or the file was written meanwhile")

    def stamp(self, place: str) -> str:
        """Return the stamp that the file at ``place`` has now."""
        if self.remote:
            return _told(self._system()[0].info(place))
        return _stamp(Path(place).stat())

    @contextmanager
    def local(self, file: File) -> Iterator[Path]:
        """Give a local path of the file: a copy, gone afterwards, if the storage is remote."""
        if not self.remote:
            yield Path(file.place)
            return
        with tempfile.NamedTemporaryFile(prefix="sluice-") as copy, self.open(file) as source:
            while chunk := source.read(_COPY):
                copy.write(chunk)
            copy.flush()
            yield Path(copy.name)

    def _local_files(self) -> list[File]:
        path = Path(self.url)
        if path.is_file():
            return [local_file(path.parent, path)]
        if _WILD & set(self.url) and not path.exists():
            fixed = list(_until_wild(path.parts))
            root = Path(*fixed) if fixed else Path()
            return [
                local_file(root, Path(name))
                for name in glob.glob(self.url, recursive=True)  # noqa: PTH207 - takes absolute patterns
                if Path(name).is_file()
            ]
        if not path.is_dir():
            return []
        return [local_file(path, Path(top) / name) for top, _, names in os.walk(path) for name in names]

    def _remote_files(self) -> list[File]:
        system, path = self._system()
        wild = bool(_WILD & set(path))
        found: dict[str, Any] = system.glob(path, detail=True) if wild else system.find(path, detail=True)
        root = str(PurePosixPath(*_until_wild(PurePosixPath(path).parts))) if wild else path.rstrip("/")
        if root in found:
            root = str(PurePosixPath(root).parent)
        return [
            File(str(PurePosixPath(place).relative_to(root)), place, int(info["size"] or 0), 0, _told(info))
            for place, info in found.items()
            if info["type"] == "file"
        ]

    def _system(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        return url_to_fs(self.url)


def _until_wild(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if _WILD & set(part):
            return
        yield part


def local_file(root: Path, path: Path) -> File:
    """Return a file on this machine, named by its path under ``root``."""
    told = path.stat()
    return File(path.relative_to(root).as_posix(), str(path), told.st_size, told.st_mtime_ns, _stamp(told))


def _stamp(told: os.stat_result) -> str:
    return f"{told.st_size}.{told.st_mtime_ns}.{told.st_ctime_ns}.{told.st_ino}"


def _told(info: dict[str, Any]) -> str:
    told = [f"{key}={info[key]}" for key in _IDENTITY if info.get(key) is not None]
    return ";".join([f"size={info.get('size')}", *told]) if told else ""
