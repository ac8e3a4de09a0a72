"""How text is written: encodings and line ends, told of a whole file or of one that comes in chunks."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import IO, NamedTuple

from dedup.lake.files.faults import NotATable

__all__ = ["Chunks", "Script", "opening", "texts", "unicode"]

_BOM = b"\xef\xbb\xbf"
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


class Script(NamedTuple):
    """How text is written, whatever it says.

    Parameters
    ----------
    encoding
        utf-8, utf-16 or cp1252.
    newline
        What ends a line: a line feed, after a carriage return or not; or a carriage return where there is no line feed.
    """

    encoding: str = "utf-8"
    newline: str = "\n"

    @classmethod
    def of(cls, encoding: str, *, feeds: bool) -> Script:
        """Return the script of a text that has line ``feeds`` or not."""
        return cls(encoding, "\n" if feeds else "\r")


def unicode(content: bytes) -> tuple[bytes, Script]:
    """Return a file's text in UTF-8 without a byte order mark, its lines ended by line feeds, and how it was written.

    Raises
    ------
    NotATable
        ``empty``, ``binary``, ``mixed_encoding`` or ``unknown_encoding``.
    """
    encoding = _encoding_of(content)
    try:
        text = content.removeprefix(_BOM) if encoding == "utf-8" else content.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise NotATable("unknown_encoding", f"it begins as UTF-16 and is not: {error.reason}") from error
    script = Script.of(encoding, feeds=b"\n" in text)
    if not text.strip():
        raise NotATable("empty", f"{len(content)} bytes, and nothing but white space among them")
    return _fed(text, script), script


def opening(head: bytes, script: Script) -> bytes:
    """Return the beginning of a longer text as `unicode` returns a whole one; its last character may be missing."""
    text = head.removeprefix(_BOM) if script.encoding == "utf-8" else head
    return _fed(text.decode(script.encoding, errors="ignore").encode(), script)


def texts(handle: IO[bytes], script: Script, size: int) -> Iterator[bytes]:
    """Yield a file's text as `unicode` would return it, ``size`` bytes of the file at a time."""
    decoder = None if script.encoding == "utf-8" else codecs.getincrementaldecoder(script.encoding)()
    mark = _BOM if decoder is None else b""
    while chunk := handle.read(size):
        text = chunk.removeprefix(mark) if decoder is None else decoder.decode(chunk).encode()
        mark = b""
        yield _fed(text, script)


class Chunks:
    """Tells how a text is written that comes in chunks, as `unicode` does of one that is whole.

    Attributes
    ----------
    head
        The first chunk.
    bytes
        How many came.
    """

    def __init__(self) -> None:
        self.head, self.bytes = b"", 0
        self._feeds = False
        self._utf8, self._utf16 = (codecs.getincrementaldecoder(name)() for name in ("utf-8", "utf-16"))
        self._valid, self._multibyte, self._windows, self._zero = True, False, True, False

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk; raises like `unicode`."""
        self.head = self.head or chunk
        self.bytes += len(chunk)
        if _is_wide(self.head):
            self._feeds = "\n" in self._wide(chunk) or self._feeds
            return
        self._feeds = self._feeds or b"\n" in chunk
        self._zero = self._zero or b"\x00" in chunk
        if chunk.isascii() and self._valid and not self._utf8.getstate()[0]:
            return
        self._multibyte = self._multibyte or _has_multibyte(chunk)
        try:
            if self._valid:
                self._utf8.decode(chunk)
        except UnicodeDecodeError:
            self._valid = False
        try:
            chunk.decode("cp1252")
        except UnicodeDecodeError:
            self._windows = False

    def _wide(self, chunk: bytes, *, final: bool = False) -> str:
        try:
            return self._utf16.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise NotATable("unknown_encoding", f"it begins as UTF-16 and is not: {error.reason}") from error

    def script(self) -> Script:
        """Return how the text is written once all of it was taken; raises like `unicode`."""
        return Script.of(self._encoding(), feeds=self._feeds)

    def _encoding(self) -> str:
        if _is_wide(self.head):
            self._wide(b"", final=True)
            return "utf-16"
        if self._zero:
            raise NotATable("binary", "it holds zero bytes: this is no text")
        if self._valid and not self._utf8.getstate()[0]:
            return "utf-8"
        if self._multibyte:
            raise NotATable("mixed_encoding", "some characters are UTF-8, others are not")
        if not self._windows:
            raise NotATable("unknown_encoding", "it is neither UTF-8 nor Windows-1252")
        return "cp1252"


def _fed(text: bytes, script: Script) -> bytes:
    return text.replace(b"\r", b"\n") if script.newline == "\r" else text


def _is_wide(head: bytes) -> bool:
    """Tell whether a text begins with a byte order mark of UTF-16."""
    return head[:2] in (b"\xff\xfe", b"\xfe\xff")


def _encoding_of(content: bytes) -> str:
    """Return the encoding that all of ``content`` is written in; raises like `unicode`."""
    if _is_wide(content):
        return "utf-16"
    if b"\x00" in content:
        raise NotATable("binary", f"a zero byte at {content.index(0)}: this is no text")
    if content.isascii():
        return "utf-8"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if _has_multibyte(content):
            detail = f"byte {error.start} is not UTF-8, other characters are"
            raise NotATable("mixed_encoding", detail) from error
        try:
            content.decode("cp1252")
        except UnicodeDecodeError as other:
            raise NotATable("unknown_encoding", f"byte {other.start} is neither UTF-8 nor Windows-1252") from error
        return "cp1252"
    return "utf-8"


def _has_multibyte(content: bytes) -> bool:
    """Tell whether some bytes are a character of UTF-8 beyond ASCII."""
    return bool(_MULTIBYTE.search(content))
