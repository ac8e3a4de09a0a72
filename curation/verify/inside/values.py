"""Python values as JSON and back: what JSON has no word for is a tagged object ``{"!": tag, ...}``.

Encoding reads a value through the methods of its built-in base, so that subclasses arrive as what they are made of.
Decoding yields exact built-ins and nothing else; it is safe on bytes written by a hostile program.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import islice
from typing import Any

from .frames import ProtocolError

__all__ = ["MAX_DEPTH", "NotPlainError", "Objects", "check_keys", "decode", "encode", "no_objects", "untagged"]

MAX_DEPTH = 200
"""Deepest nesting of containers that crosses; both parsers stay far from their own limits."""
_MAX_ITEMS = 1_000_000
_SMALL = 1 << 63
_LONGEST_FRACTION = 8192
_FEW_KEYS, _MANY_ALIKE = 1000, 100
_SETS = ("set", "frozenset", "dict_keys")
_HASHED = (*_SETS, "dict", "dict_items", "Counter", "OrderedDict")
_TAG = "!"
_ITERATORS = {
    "accumulate", "callable_iterator", "chain", "combinations", "dict_itemiterator", "dict_keyiterator", "dropwhile",
    "enumerate", "filter", "generator", "islice", "list_iterator", "list_reverseiterator", "map", "permutations",
    "product", "range_iterator", "reversed", "set_iterator", "starmap", "str_ascii_iterator", "str_iterator",
    "takewhile", "tuple_iterator", "zip", "zip_longest",
}  # fmt: skip


class NotPlainError(TypeError):
    """A value that cannot cross, because no JSON says what it is."""


class Objects:
    """What a side does with values that are neither JSON nor tagged: refuses them, unless it knows better."""

    def __init__(self) -> None:
        self.reader = json.JSONDecoder(object_pairs_hook=self._build, parse_constant=_refuse, parse_float=_finite)

    sharing = False
    """Whether containers may cross as references to objects that both sides have."""
    lazy = False
    """Whether iterators stay where they are; otherwise their items cross, and what they yield next is lost."""

    def reference(self, value: Any, kind: type, depth: int) -> dict[str, Any] | None:  # noqa: ARG002 - for subclasses
        """Return what stands for an object that both sides have; None if ``value`` crosses as it is."""
        return None

    def own(self, value: Any, encode_part: Callable[[Any], Any]) -> Any:  # noqa: ARG002 - for subclasses
        """Return the encoding of a value of a class that both sides know; None if it is of another."""
        return None

    def outgoing(self, value: Any, encode_part: Callable[[Any], Any]) -> Any:  # noqa: ARG002 - for subclasses
        """Return the encoding of ``value``."""
        raise NotPlainError(f"a value of type {type(value).__name__} is not JSON")

    def incoming(self, tag: str, fields: dict[str, Any]) -> Any:  # noqa: ARG002 - for subclasses
        """Return the value of a tagged object that `decode` does not know."""
        raise ProtocolError(f"unknown tag {tag!r}")

    def _build(self, pairs: list[tuple[str, Any]]) -> Any:
        fields = _distinct(pairs)
        tag = fields.get(_TAG)
        if tag is None:
            return fields
        if not isinstance(tag, str):
            raise ProtocolError("a tag that is not a word")
        builder = _BUILDERS.get(tag)
        if tag in _HASHED:
            check_keys(fields["v"] if tag in _SETS else [key for key, _ in fields["v"]])
        return builder(fields["v"]) if builder else self.incoming(tag, fields)


class _Untagged(Objects):
    """Takes every object for what it is in JSON."""

    def _build(self, pairs: list[tuple[str, Any]]) -> Any:
        return _distinct(pairs)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ProtocolError("duplicate keys")
    return fields


def _refuse(word: str) -> None:
    raise ProtocolError(f"{word} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ProtocolError(f"{text[:20]} is not finite")
    return value


no_objects = Objects()
untagged = _Untagged()
"""For JSON that nobody has encoded here: what somebody answers."""


def encode(value: Any, objects: Objects = no_objects, depth: int = 0) -> Any:
    """Return ``value`` as something `json.dumps` can write.

    Raises
    ------
    NotPlainError
        If it holds something that cannot cross, or is nested deeper than `MAX_DEPTH`.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int or kind is float:
        return _number(value, kind)
    if objects.sharing and (reference := objects.reference(value, kind, depth)) is not None:
        return reference
    if depth > MAX_DEPTH:
        raise NotPlainError(f"nested deeper than {MAX_DEPTH}")
    if kind is list:
        return [encode(item, objects, depth + 1) for item in value]
    if kind is dict:
        return _mapping("dict", value, objects, depth)
    return _other(value, objects, depth)


def _number(value: float, kind: type) -> Any:
    if kind is int:
        return value if -_SMALL <= value < _SMALL else {_TAG: "int", "v": hex(value)}
    return value if math.isfinite(value) else {_TAG: "float", "v": repr(value)}


def _mapping(tag: str, value: dict[Any, Any], objects: Objects, depth: int) -> Any:
    items = list(dict.items(value))
    if tag == "dict" and all(type(key) is str and key != _TAG for key, _ in items):
        return {key: encode(item, objects, depth + 1) for key, item in items}
    pairs = [[encode(key, objects, depth + 1), encode(item, objects, depth + 1)] for key, item in items]
    return {_TAG: tag, "v": pairs}


def _other(value: Any, objects: Objects, depth: int) -> Any:
    own = objects.own(value, lambda part: encode(part, objects, depth + 1))
    if own is not None:
        return own
    for base, reader in _READERS:
        if isinstance(value, base):
            return encode(reader(value), objects, depth + 1)
    for base, tag, reader in _SEQUENCES:
        if isinstance(value, base):
            return {_TAG: tag, "v": [encode(item, objects, depth + 1) for item in reader(value)]}
    for base, tag in ((Counter, "Counter"), (OrderedDict, "OrderedDict"), (dict, "dict")):
        if isinstance(value, base):
            return _mapping(tag, value, objects, depth)
    tagged = _text(value)
    return _by_name(value, objects, depth) if tagged is None else tagged


def _text(value: Any) -> dict[str, Any] | None:
    """Return the encoding of a value that a few words say, or None."""
    for base, tag, text in _TEXTS:
        if isinstance(value, base):
            return {_TAG: tag, "v": text(value)}
    kind = type(value)
    if say := _NAMED.get((kind.__module__, kind.__name__)):
        return {_TAG: kind.__name__, "v": say(value)}
    if kind is type and value in _TYPES.values():
        return {_TAG: "type", "v": value.__name__}
    return None


def _by_name(value: Any, objects: Objects, depth: int) -> Any:
    kind = type(value)
    if kind.__name__ in _ITERATORS and not objects.lazy:
        return {_TAG: "iter", "v": [encode(item, objects, depth + 1) for item in _bounded(value)]}
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        return encode(value.tolist(), objects, depth + 1)
    return objects.outgoing(value, lambda part: encode(part, objects, depth + 1))


def _bounded(values: Iterable[Any]) -> list[Any]:
    items = list(islice(values, _MAX_ITEMS + 1))
    if len(items) > _MAX_ITEMS:
        raise NotPlainError(f"an iterator of more than {_MAX_ITEMS} items")
    return items


_READERS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, lambda value: int.__add__(value, 0)),
    (float, lambda value: float.__add__(value, 0.0)),
    (str, str.__str__),
    (list, lambda value: list(list.__iter__(value))),
)
_SEQUENCES: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (tuple, "tuple", tuple.__iter__),
    (set, "set", set.__iter__),
    (frozenset, "frozenset", frozenset.__iter__),
    (deque, "deque", deque.__iter__),
    (type({}.keys()), "dict_keys", iter),
    (type({}.values()), "dict_values", iter),
    (type({}.items()), "dict_items", iter),
    (range, "range", lambda value: (value.start, value.stop, value.step)),
)
_TEXTS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (bytes, "bytes", lambda value: bytes(value).hex()),
    (bytearray, "bytearray", lambda value: bytes(value).hex()),
    (complex, "complex", lambda value: [repr(value.real), repr(value.imag)]),
)
_NAMED: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("decimal", "Decimal"): str,
    ("fractions", "Fraction"): lambda value: [hex(value.numerator), hex(value.denominator)],
    ("datetime", "date"): lambda value: value.isoformat(),
    ("datetime", "datetime"): lambda value: value.isoformat(),
    ("datetime", "time"): lambda value: value.isoformat(),
    ("datetime", "timedelta"): lambda value: [value.days, value.seconds, value.microseconds],
}
"""Values of modules that are imported only where a program has imported them."""
_TYPES = {kind.__name__: kind for kind in (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)}


def _fraction(numerator: str, denominator: str) -> Any:
    if len(numerator) + len(denominator) > _LONGEST_FRACTION:
        raise ProtocolError("a fraction that takes too long to reduce")
    return import_module("fractions").Fraction(int(numerator, 16), int(denominator, 16))


_BUILDERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda v: int(v, 16),
    "float": lambda v: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[v],
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
    "range": lambda v: range(*v),
    "dict": dict,
    "dict_keys": lambda v: dict.fromkeys(v).keys(),
    "dict_values": lambda v: dict(enumerate(v)).values(),
    "dict_items": lambda v: dict(v).items(),
    "Counter": lambda v: Counter(dict(v)),
    "OrderedDict": OrderedDict,
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "complex": lambda v: complex(float(v[0]), float(v[1])),
    "Decimal": lambda v: import_module("decimal").Decimal(v),
    "Fraction": lambda v: _fraction(*v),
    "date": dt.date.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda v: dt.timedelta(*v),
    "iter": lambda v: iter(list(v)),
    "type": lambda v: _TYPES[v],
}


def decode(body: bytes | str, objects: Objects = no_objects) -> Any:
    """Read one JSON document with tags, strictly.

    Raises
    ------
    ProtocolError
        On anything but well-formed JSON: duplicate keys, NaN or Infinity as words, numbers of thousands of digits,
        nesting beyond the parser's limit, unknown or malformed tags.
    """
    try:
        text = body if isinstance(body, str) else body.decode()
        value, end = objects.reader.raw_decode(text)
    except ProtocolError:
        raise
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise ProtocolError(f"not a well-formed value: {type(error).__name__}") from error
    if end != len(text):
        raise ProtocolError("more than one value")
    return value


def check_keys(keys: list[Any]) -> None:
    """Refuse keys made to collide: each would be compared with all before it."""
    if len(keys) <= _FEW_KEYS:
        return
    hashes = sorted(hash(key) for key in keys)
    if any(a == b for a, b in zip(hashes, hashes[_MANY_ALIKE:], strict=False)):
        raise ProtocolError(f"more than {_MANY_ALIKE} keys collide")
