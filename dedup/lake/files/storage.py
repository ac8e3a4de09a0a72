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
from stat import S_ISDIR, S_ISREG
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
    fault
        Reason and detail if it is known not to be a file that can be read.
    """

    name: str
    place: str
    bytes: int
    mtime_ns: int
    stamp: str
    fault: tuple[str, str] | None = None


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
        """Return all files, in order of their names; what can be no file of a lake has a fault.

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
        return _stamp(os.stat(place))  # noqa: PTH116 - called once per file

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
        path = Path(self.url).absolute()  # whoever looks again may stand elsewhere
        if path.is_file():
            return [local_file(path.parent, path)]
        if _WILD & set(self.url) and not path.exists():
            return list(_globbed(str(path)))
        if not path.is_dir():
            return []
        return list(_walked(str(path)))

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


def _walked(root: str) -> Iterator[File]:
    """Yield what lies below a folder."""
    folders = [("", root)]
    while folders:
        prefix, folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = list(found)
        except OSError as error:
            if not prefix:
                raise
            yield _unreadable(prefix.rstrip("/"), folder, error)
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append((f"{prefix}{entry.name}/", entry.path))
            else:
                yield _local(prefix + entry.name, entry.path)


def _globbed(pattern: str) -> Iterator[File]:
    """Yield the files that a glob matches, and the links to folders on the way to some."""
    root = Path(*_until_wild(Path(pattern).parts))
    links: set[Path] = set()
    for match in glob.glob(pattern, recursive=True):  # noqa: PTH207 - takes absolute patterns
        path = Path(match)
        on_the_way = [folder for folder in (path, *path.parents) if folder.is_relative_to(root) and folder != root]
        linked = [folder for folder in on_the_way if folder.is_symlink() and folder.is_dir()]
        if linked:
            links.add(linked[-1])
        elif not path.is_dir():
            yield local_file(root, path)
    for link in links:
        yield local_file(root, link)


def local_file(root: Path, path: Path) -> File:
    """Return a file on this machine, named by its path under ``root``."""
    return _local(path.relative_to(root).as_posix(), str(path))


def _local(name: str, place: str) -> File:
    """Return a file as it is now; a link to a folder is told and not followed, for it may lead back."""
    try:
        told = os.stat(place)  # noqa: PTH116 - called once per file
    except OSError as error:
        return _unreadable(name, place, error)
    fault = None
    if S_ISDIR(told.st_mode):
        fault = "linked_folder", "links to folders are not followed; name that folder to have it read"
    elif not S_ISREG(told.st_mode):
        fault = "no_file", "neither a file nor a folder, but a device, pipe or socket"
    elif not name.isascii() and (spelled := name.encode(errors="backslashreplace").decode()) != name:
        name, fault = spelled, ("name_encoding", "its name is not UTF-8; rename it")
    return File(name, place, told.st_size, told.st_mtime_ns, _stamp(told), fault)


def _unreadable(name: str, place: str, error: OSError) -> File:
    return File(name, place, 0, 0, "", ("unreadable", error.strerror or str(error)))


def _stamp(told: os.stat_result) -> str:
    return f"{told.st_size}.{told.st_mtime_ns}.{told.st_ctime_ns}.{told.st_ino}"


def _told(info: dict[str, Any]) -> str:
    told = [f"{key}={info[key]}" for key in _IDENTITY if info.get(key) is not None]
    return ";".join([f"size={info.get('size')}", *told]) if told else ""
