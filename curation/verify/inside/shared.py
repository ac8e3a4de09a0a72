"""Objects that two processes share: each side has its own, and every message says how they have changed.

Only one side runs at a time. If each tells the other, whenever the turn passes, what has become of the containers and
instances that both hold, they behave as one object would in one process: what is changed on one side is changed on the
other, and what was one object is one object. An object that one side no longer holds is forgotten by both.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from .frames import ProtocolError
from .values import Objects, check_keys, encode

__all__ = ["Sharing", "state"]

_CONTAINERS: dict[str, type] = {
    kind.__name__: kind for kind in (list, dict, set, deque, bytearray, Counter, OrderedDict, defaultdict)
}
_BY_PARTS = (list, dict, set)
"""Containers that may also cross as part of another one, if nothing else holds them."""
_NEVER_SHARED = (Enum, tuple, int, float, str, list, dict, set, BaseException)
_DEEPEST_PART = 50
_ATOMS = {int, float, str, bool, bytes, type(None)}
_UNREAD = object()


class _Entry:
    """A shared object, what the other side knows of it, and a copy if it has been found unchanged and is plain."""

    __slots__ = ("copy", "kind", "known", "value")

    def __init__(self, value: Any, kind: str) -> None:
        self.value, self.kind, self.known, self.copy = value, kind, None, None


class Sharing(Objects):
    """One side's objects that the other has, too.

    Parameters
    ----------
    classes
        Classes that both sides have, by name: their instances are shared.
    parity
        0 or 1, another one on each side: which numbers this side gives.
    """

    sharing = True

    def __init__(self, classes: Mapping[str, type], parity: int) -> None:
        super().__init__()
        self.classes, self._parity, self._next = classes, parity, parity
        self._entries: dict[int, _Entry] = {}
        self._numbers: dict[int, int] = {}
        self._in_object = self._settling = False

    def settable(self, kind: type, name: str) -> bool:  # noqa: ARG002 - for subclasses
        """Tell whether the other side may set an attribute of an instance of ``kind``."""
        return name != "__dict__"

    def reference(self, value: Any, kind: type, depth: int) -> dict[str, Any] | None:
        """Return what stands for ``value`` in a message; None if it crosses as it is."""
        number = self._numbers.get(id(value))
        if number is None:
            name = self._shared_as(value, kind)
            if name is None or (self._in_object and depth < _DEEPEST_PART and _is_part(value, kind)):
                return None
            if self._settling and kind in _BY_PARTS:
                return None
            number = self._enter(value, name, self._next)
            self._next += 2
        tag = {"!": "object", "i": number, "c": self._entries[number].kind}
        return {**tag, "m": value.maxlen} if isinstance(value, deque) else tag

    def news(self) -> dict[str, Any]:
        """Return what has become of shared objects since the last message, and which this side no longer holds."""
        told: dict[int, Any] = {}
        waiting = list(self._entries)
        self._in_object = True
        try:
            while waiting:
                before = len(self._entries)
                for number in waiting:
                    entry = self._entries[number]
                    if entry.copy is None or entry.value != entry.copy:
                        content = self._content(entry.value)
                        entry.copy = _copied(entry.value) if content == entry.known else None
                        if content != entry.known:
                            told[number] = entry.known = content
                waiting = list(self._entries)[before:]
        finally:
            self._in_object = False
        return {"objects": list(told.items()), "gone": self._let_go()}

    def _let_go(self) -> list[int]:
        """Forget the objects that nothing here holds; what holds others was entered before them, as a rule."""
        gone = []
        for number in list(self._entries):
            if sys.getrefcount(self._entries[number].value) <= _ONLY_ENTERED:
                self._forget([number])
                gone.append(number)
        return gone

    def hear(self, objects: list[tuple[int, Any]], gone: list[int]) -> list[Any]:
        """Make shared objects what the other side says they are; return those that were known before."""
        entries = [(self._entries[number], content) for number, content in objects]
        for entry, content in sorted(entries, key=lambda pair: pair[0].kind in _HASHING):
            self._fill(entry.value, content)
        changed = [entry.value for entry, _ in entries if entry.known is not None]
        for entry, _ in entries:
            entry.known, entry.copy = _UNREAD, None
        self._forget(gone)
        return changed

    def settle(self) -> None:
        """Note what the other side knows of the objects that it has told of; the message must have been let go."""
        self._in_object = self._settling = True
        try:
            for entry in [entry for entry in self._entries.values() if entry.known is _UNREAD]:
                entry.known = self._content(entry.value)
        finally:
            self._in_object = self._settling = False

    def object_of(self, fields: dict[str, Any]) -> Any:
        """Return the object that a reference stands for; a new one if it is the first to it."""
        number, kind = fields["i"], fields["c"]
        if number not in self._entries:
            if type(number) is not int or number % 2 == self._parity:
                raise ProtocolError("a number that was not given")
            value = self._blank(kind, fields.get("m"))
            self._enter(value, kind, number)
        return self._entries[number].value

    def _enter(self, value: Any, kind: str, number: int) -> int:
        self._entries[number] = _Entry(value, kind)
        self._numbers[id(value)] = number
        return number

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            entry = self._entries.pop(number, None)
            if entry is not None:
                del self._numbers[id(entry.value)]

    def _shared_as(self, value: Any, kind: type) -> str | None:
        name = kind.__name__
        if _CONTAINERS.get(name) is kind:
            return name
        return name if name in self.classes and not isinstance(value, _NEVER_SHARED) else None

    def _blank(self, kind: str, most: int | None) -> Any:
        if kind == "deque":
            return deque(maxlen=most)
        if kind in _CONTAINERS:
            return _CONTAINERS[kind]()
        return self.classes[kind].__new__(self.classes[kind])

    def _content(self, value: Any) -> Any:
        if isinstance(value, bytearray):
            return value.hex()
        if isinstance(value, dict):
            pairs = [[encode(key, self, 1), encode(item, self, 1)] for key, item in value.items()]
            return [encode(value.default_factory, self, 1), pairs] if isinstance(value, defaultdict) else pairs
        if type(value) in (list, set, deque):
            return [encode(item, self, 1) for item in value]
        return {name: encode(item, self, 1) for name, item in state(value).items()}

    def _fill(self, value: Any, content: Any) -> None:
        if isinstance(value, (list, bytearray)):
            value[:] = content if isinstance(value, list) else bytes.fromhex(content)
        elif isinstance(value, dict):
            if isinstance(value, defaultdict):
                value.default_factory, content = content
            check_keys([key for key, _ in content])
            value.clear()
            (dict if isinstance(value, Counter) else type(value)).update(value, content)
        elif isinstance(value, (set, deque)):
            value.clear()
            if isinstance(value, set):
                check_keys(content)
            (value.update if isinstance(value, set) else value.extend)(content)
        else:
            self._set_state(value, content)

    def _set_state(self, value: Any, attributes: dict[str, Any]) -> None:
        for name in state(value).keys() - attributes.keys():
            object.__delattr__(value, name)
        for name, item in attributes.items():
            if not self.settable(type(value), name):
                raise ProtocolError(f"{name!r} is no attribute to set")
            object.__setattr__(value, name, item)


_HASHING = ("set", "dict", "Counter", "OrderedDict", "defaultdict")
"""Kinds that are filled last, when what they hash is whole."""


def state(value: Any) -> dict[str, Any]:
    """Return the attributes of an instance, in its dictionary or in slots."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(value, name)]
    return {**getattr(value, "__dict__", {}), **{name: getattr(value, name) for name in slots if name[:2] != "__"}}


def _copied(value: Any) -> Any:
    """Return a copy that `==` compares in no time, as long as nothing has changed; None if there may be more to see."""
    if type(value) is list:
        if set(map(type, value)) <= _ATOMS:
            return value.copy()
        if all(type(item) is list and set(map(type, item)) <= _ATOMS for item in value):
            return [item.copy() for item in value]
    if type(value) is dict and set(map(type, value)) | set(map(type, value.values())) <= _ATOMS:
        return value.copy()
    return None


def _is_part(value: Any, kind: type) -> bool:
    """Tell whether nothing holds ``value`` but the container whose items are being encoded."""
    return kind in _BY_PARTS and sys.getrefcount(value) <= _ONLY_CONTAINED


class _Probe(Objects):
    """Finds out how many references the interpreter counts where there is none but the container's."""

    sharing = True
    counted = 0

    def reference(self, value: Any, kind: type, depth: int) -> None:  # noqa: ARG002 - called as `Sharing`'s is
        self.counted = _counted(value, kind)


def _counted(value: Any, kind: type) -> int:  # noqa: ARG001 - called as `_is_part` is
    return sys.getrefcount(value)


def _probed(encoding: Callable[[Any, Objects], Any]) -> int:
    probe = _Probe()
    encoding([[]], probe)
    return probe.counted


_ONLY_CONTAINED = _probed(lambda value, probe: [encode(item, probe, 1) for item in value])
_ENTERED = _Entry([], "list")
_ONLY_ENTERED = sys.getrefcount(_ENTERED.value)
