"""Compressed text: told by its first bytes, whatever the file is called, and read as a stream."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

import pyarrow as pa

__all__ = ["SUFFIXES", "codec", "compressed", "unpacked"]

SUFFIXES = (".gz", ".bz2", ".zst")
"""What names of compressed files end in, after the suffix of what they hold."""
_HEADS = {"gzip": rb"\x1f\x8b", "bz2": rb"BZh[1-9]1AY&SY", "zstd": rb"\x28\xb5\x2f\xfd"}
_LONGEST = 10


def codec(head: bytes) -> str | None:
    """Return how a file is compressed that begins with ``head``; None if it is not.

    Examples
    --------
    >>> codec(b"BZh91AY&SY.."), codec(b"BZh,b")
    ('bz2', None)
    """
    return next((name for name, magic in _HEADS.items() if re.match(magic, head)), None)


def compressed(path: Path) -> bool:
    """Tell whether a local file is compressed."""
    with path.open("rb") as file:
        return codec(file.read(_LONGEST)) is not None


def unpacked(handle: IO[bytes]) -> IO[bytes]:
    """Return a stream of what a file holds from its beginning, never more of it in memory than is asked for.

    A compressed file that is cut or damaged raises OSError when that place is read.
    """
    handle.seek(0)
    found = codec(handle.read(_LONGEST))
    handle.seek(0)
    return pa.CompressedInputStream(pa.PythonFile(handle, "r"), found) if found else handle
