"""Files of a lake: digests, moves that lose nothing, and names that stay inside it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path, PurePosixPath

from schemas.errors import InputError, WarehouseError
from warehouse.fingerprint import file_sha256

__all__ = ["inside", "move", "remove", "sync"]


def inside(root: Path, name: str) -> Path:
    """Return where ``name`` lies in the folder ``root``.

    Raises
    ------
    InputError
        If it leads out of the folder, directly or over a symbolic link.
    """
    relative = PurePosixPath(name)
    path = root / relative
    outside = relative.is_absolute() or ".." in relative.parts or not relative.parts
    if outside or not path.parent.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"{name!r} is not a path inside {root}.",
            hint="the lake's .sluice folder was changed by hand, or a folder became a symbolic link.",
        )
    return path


def sync(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Move a file to a free place, on another device too; a kill leaves it in one of the two, whole.

    Raises
    ------
    InputError
        If something is at the target.
    WarehouseError
        If it cannot be moved; it is where it was.
    """
    if os.path.lexists(target):
        raise InputError(f"{target} is there already.", hint="move it away, then run again.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _carry(source, target)
        sync(target.parent)
        sync(source.parent)
    except OSError as error:
        raise WarehouseError(
            f"{source} cannot be moved to {target}: {error.strerror}.",
            hint="check free space and permissions, then run again; nothing was lost.",
        ) from error


def _carry(source: Path, target: Path) -> None:
    """Copy a file to another device, check it there, and only then take it away."""
    staging = target.with_name(f".{target.name}.part")
    try:
        shutil.copy2(source, staging)
        with staging.open("rb") as file:
            os.fsync(file.fileno())
        if file_sha256(staging) != file_sha256(source):
            raise OSError(errno.EIO, "the copy differs from the file")
        staging.rename(target)
        sync(target.parent)
    finally:
        staging.unlink(missing_ok=True)
    source.unlink()


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it; none is fine."""
    if folder.exists():
        shutil.rmtree(folder)
        sync(folder.parent)
