"""What turns one file into another, byte for byte: blocks compressed by zstd against stretches of the first file."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import zstandard

from schemas.errors import InputError

__all__ = ["applied", "dictionary", "difference", "unpacked"]

WHOLE = 32 << 20
"""Files up to this many bytes together are one block against the whole first file; memory grows no further."""
_BLOCK = 8 << 20
_SLACK = 4 << 20
_LEVEL = 15
_HEAD = struct.Struct("<QQQ")


def difference(base: Path, target: Path) -> Iterator[bytes]:
    """Yield the blocks of a patch from ``base`` to ``target``; small where the second resembles the first.

    Large files are taken block by block, each against the stretch of the first that lies at the same share of its
    length, so that memory stays flat.
    """
    with _bytes_of(base) as old, _bytes_of(target) as new:
        if len(old) + len(new) <= WHOLE:
            yield _block(old, 0, len(old), bytes(new))
            return
        for start in range(0, len(new), _BLOCK):
            stop = min(start + _BLOCK, len(new))
            low = max(0, start * len(old) // len(new) - _SLACK)
            high = min(len(old), stop * len(old) // len(new) + _SLACK)
            yield _block(old, low, high, bytes(new[start:stop]))


def _block(old: memoryview, low: int, high: int, content: bytes) -> bytes:
    window = min(max(high - low + len(content), 1 << 10).bit_length(), zstandard.WINDOWLOG_MAX)
    settings = zstandard.ZstdCompressionParameters.from_level(_LEVEL, window_log=window, write_content_size=False)
    compressor = zstandard.ZstdCompressor(compression_params=settings, dict_data=dictionary(old[low:high]))
    return _HEAD.pack(low, high, len(content)) + compressor.compress(content)


def applied(base: Path, patch: Iterable[bytes], out: BinaryIO) -> None:
    """Write what a patch makes of ``base``.

    Raises
    ------
    InputError
        If the patch was not made for this file, or is damaged.
    """
    with _bytes_of(base) as old:
        for block in patch:
            try:
                low, high, length = _HEAD.unpack_from(block)
                content = unpacked(block[_HEAD.size :], length, dictionary(old[low:high]))
            except (zstandard.ZstdError, struct.error) as error:
                raise InputError(
                    f"a patch does not fit {base.name}: {error}.",
                    hint="the recipe or the table it starts from was changed or damaged.",
                ) from error
            out.write(content)


def unpacked(packed: bytes, length: int, prefix: zstandard.ZstdCompressionDict | None = None) -> bytes:
    """Return ``length`` decompressed bytes, and never more than that, whatever the frame claims.

    Raises
    ------
    zstandard.ZstdError
        If the frame is damaged or holds another number of bytes.
    """
    decompressor = zstandard.ZstdDecompressor(dict_data=prefix, max_window_size=1 << 31)
    with decompressor.stream_reader(packed) as reader:
        content = reader.read(length + 1)
    if len(content) != length:
        raise zstandard.ZstdError(f"{length:,} bytes were expected and {len(content):,} found")
    return content


def dictionary(content: memoryview | bytes) -> zstandard.ZstdCompressionDict | None:
    """Return content as what zstd may refer to; None if there is nothing."""
    held = bytes(content)
    return zstandard.ZstdCompressionDict(held, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if held else None


@contextmanager
def _bytes_of(path: Path) -> Iterator[memoryview]:
    if path.stat().st_size == 0:
        yield memoryview(b"")
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            yield view
        finally:
            view.release()
