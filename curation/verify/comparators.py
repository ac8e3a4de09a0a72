"""How an answer is held against what is expected: named modes, chosen when a problem is read and stored with it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

__all__ = ["same_text", "same_value"]

_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d{1,4})?")
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")


def same_text(mode: str, expected: str, got: str, *, rel_tol: float = 0.0, abs_tol: float = 0.0) -> bool:
    r"""Tell whether the output of a program is the expected one.

    Parameters
    ----------
    mode
        ``exact``: the same text, but for line breaks at its end. ``lines``: line by line, trailing white space and
        trailing empty lines ignored. ``tokens``: the same words in the same order. ``float``: as tokens, and where
        the expected word is a float, within the tolerances. ``unordered``: the same lines in any order.

    Examples
    --------
    >>> same_text("lines", "1 2\n3", "1 2  \r\n3\n\n")
    True
    >>> same_text("float", "0.333 6", "0.3333 6", abs_tol=1e-3), same_text("float", "6", "6.00001", abs_tol=1e-3)
    (True, False)
    """
    if mode == "exact":
        return expected.rstrip("\r\n") == got.rstrip("\r\n")
    if mode in ("lines", "json"):
        wanted = _lines(expected)
        return wanted == _lines(got, len(wanted))
    if mode == "unordered":
        wanted = _lines(expected)
        return Counter(wanted) == Counter(_lines(got, len(wanted)))
    wanted = expected.split()
    given = got.split(maxsplit=len(wanted))
    if mode == "tokens":
        return wanted == given
    return len(wanted) == len(given) and all(
        _close_tokens(a, b, rel_tol, abs_tol) for a, b in zip(wanted, given, strict=True)
    )


def _lines(text: str, most: int = -1) -> list[str]:
    """Return the lines without white space at their ends; beyond ``most`` they stay one, for they are too many."""
    lines = [line.rstrip() for line in text.rstrip().split("\n", most)]
    return lines if lines[0] or len(lines) > 1 else []


def _close_tokens(expected: str, got: str, rel_tol: float, abs_tol: float) -> bool:
    if expected == got:
        return True
    if not _FLOAT.fullmatch(expected) or not _NUMBER.fullmatch(got):
        return False
    return math.isclose(float(expected), float(got), rel_tol=rel_tol, abs_tol=abs_tol)


def same_value(mode: str, expected: Any, got: Any, *, rel_tol: float = 0.0, abs_tol: float = 0.0) -> bool:
    """Tell whether the result of a call is the expected JSON value, type by type.

    Tuples count as arrays and whole floats equal integers of the same value, as JSON has one type for each; a
    boolean equals no number. ``float`` allows the tolerances where the expected number is a float; ``unordered``
    compares the outermost array as a multiset; every other mode is exact.

    Examples
    --------
    >>> same_value("json", [1, True], (1, True)), same_value("json", 1, True)
    (True, False)
    """
    if mode == "unordered" and isinstance(expected, list) and isinstance(got, (list, tuple)):
        return _same_multiset(expected, list(got))
    tolerances = (rel_tol, abs_tol) if mode == "float" else None
    return _same(expected, got, tolerances)


def _same_multiset(expected: list[Any], got: list[Any]) -> bool:
    if len(expected) != len(got):
        return False
    return Counter(map(_canonical, expected)) == Counter(map(_canonical, got))


def _canonical(value: Any) -> Any:
    """Return something hashable that is equal for values that `_same` calls the same, and only for those."""
    if isinstance(value, (list, tuple)):
        return ("array", *map(_canonical, value))
    if isinstance(value, dict):
        return "object", len(value), frozenset((_key(key), _canonical(item)) for key, item in value.items())
    return "number" if type(value) in (int, float) else type(value).__name__, value


def _same(expected: Any, got: Any, tolerances: tuple[float, float] | None) -> bool:
    compare = _BY_TYPE.get(type(expected))
    return compare is not None and compare(expected, got, tolerances)


def _same_number(expected: float, got: Any, tolerances: tuple[float, float] | None) -> bool:
    if type(got) not in (int, float):
        return False
    if expected == got:
        return True
    if tolerances is None or type(expected) is not float:
        return False
    try:
        return math.isclose(expected, got, rel_tol=tolerances[0], abs_tol=tolerances[1])
    except OverflowError:
        return False


def _same_array(expected: list[Any], got: Any, tolerances: tuple[float, float] | None) -> bool:
    return (
        type(got) in (list, tuple)
        and len(expected) == len(got)
        and all(_same(a, b, tolerances) for a, b in zip(expected, got, strict=True))
    )


def _same_object(expected: dict[str, Any], got: Any, tolerances: tuple[float, float] | None) -> bool:
    if not isinstance(got, dict):
        return False
    by_name = {_key(key): value for key, value in got.items()}
    if len(by_name) != len(got) or by_name.keys() != expected.keys():
        return False
    return all(_same(value, by_name[key], tolerances) for key, value in expected.items())


def _key(key: Any) -> str | None:
    """Return a dictionary's key as JSON writes it; None if it cannot."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    if isinstance(key, int):
        return str(key) if key.bit_length() < 1024 else None  # noqa: PLR2004 - str() of huge integers is refused
    return repr(key) if isinstance(key, float) else None


_BY_TYPE: dict[type, Callable[[Any, Any, tuple[float, float] | None], bool]] = {
    type(None): lambda expected, got, _: expected is got,
    bool: lambda expected, got, _: expected is got,
    str: lambda expected, got, _: type(got) is str and expected == got,
    int: _same_number,
    float: _same_number,
    list: _same_array,
    dict: _same_object,
}
