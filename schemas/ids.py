"""Names that follow from content: canonical JSON, digests, and the id of each kind of record."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["canonical_json", "digest", "normalise_text", "problem_id", "record_id", "statement"]

_WHITESPACE = re.compile(r"\s+")


def canonical_json(value: Any) -> str:
    """Serialise ``value`` so that equal values give equal text: sorted keys, no spaces, no NaN.

    Raises
    ------
    ValueError
        If the value holds NaN or an infinity.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Return 32 hex digits (128 bits of SHA-256) naming ``value``: bytes, text, or anything JSON can hold.

    Examples
    --------
    >>> digest({"a": 1}) == digest('{"a":1}')
    True
    """
    if not isinstance(value, bytes):
        text = value if isinstance(value, str) else canonical_json(value)
        value = text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(value).hexdigest()[:32]


def record_id(prefix: str, *parts: Any) -> str:
    """Return a short stable id, such as ``r_5d41402abc4b2a76b9719d91``, for a tuple of JSON values."""
    return f"{prefix}_{digest(list(parts))[:24]}"


def normalise_text(text: str) -> str:
    r"""Return text with Unicode composed (NFC) and runs of white space made one space.

    Examples
    --------
    >>> normalise_text(" a\r\n b ")
    'a b'
    """
    return _WHITESPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()


def statement(prompt: Sequence[Mapping[str, str]]) -> str:
    """Return the text that a problem states: the contents of its non-system messages, one per paragraph."""
    return "\n\n".join(message["content"] for message in prompt if message["role"] != "system")


def problem_id(prompt: Sequence[Mapping[str, str]], verifier: str, tests: str) -> str:
    """Name a problem by what it asks and how it is judged; the same in every source and run.

    Parameters
    ----------
    prompt
        Messages; white space and the system message do not count.
    verifier, tests
        The JSON columns of the problem contract, in canonical form.
    """
    return record_id("p", normalise_text(statement(prompt)), verifier, tests)
