"""Plain text out of a pickle that holds nothing else, without ever loading it.

LiveCodeBench packs its private tests as base64(zlib(pickle(JSON text))). Loading a pickle runs whatever its author
wants; here its opcodes are walked, and anything but one text (framed, memoised) is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import zlib
from typing import Any

from curation.sources.drafts import Reason, Reject

__all__ = ["packed_tests", "pickled_text"]

_TEXT = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_HARMLESS = {"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "STOP"}


def pickled_text(data: bytes) -> str:
    """Return the text that a pickle consists of.

    Raises
    ------
    Reject
        If it holds anything else, or is no pickle.

    Examples
    --------
    >>> import pickle
    >>> pickled_text(pickle.dumps("[1, 2]"))
    '[1, 2]'
    """
    found: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in _TEXT:
                found.append(argument)
            elif opcode.name not in _HARMLESS:
                raise Reject(Reason.PICKLED, f"a pickle with the opcode {opcode.name}; only one plain text is read")
    except ValueError as error:
        raise Reject(Reason.PICKLED, f"neither JSON nor a whole pickle: {error}") from error
    if len(found) != 1:
        raise Reject(Reason.PICKLED, f"a pickle of {len(found)} texts; exactly one is read")
    return found[0]


def packed_tests(value: str, max_bytes: int) -> Any:
    """Return the tests that LiveCodeBench's field ``private_test_cases`` holds, as JSON text or packed.

    Parameters
    ----------
    max_bytes
        Size to which the field may unpack.

    Raises
    ------
    Reject
        If it is neither JSON nor packed JSON text, or unpacks to more.
    """
    try:
        return json.loads(value)
    except ValueError:
        data = _unpacked(value, max_bytes)
    try:
        return json.loads(data)
    except ValueError:
        content = pickled_text(data)
    try:
        return json.loads(content)
    except ValueError as error:
        raise Reject(Reason.NOT_JSON, f"private_test_cases: {error}") from error


def _unpacked(value: str, max_bytes: int) -> bytes:
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(value, validate=True), max_bytes)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise Reject(Reason.NOT_JSON, f"private_test_cases is neither JSON nor base64 of zlib: {error}") from error
    if unpacker.unconsumed_tail:
        raise Reject(Reason.TESTS_TOO_LARGE, f"private_test_cases unpacks to more than {max_bytes} bytes")
    if not unpacker.eof:
        raise Reject(Reason.TRUNCATED, "private_test_cases breaks off")
    return data
