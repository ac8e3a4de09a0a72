"""Two processes that use each other's objects: requests and answers.

Plain values and instances of classes that both sides have (the prelude's) are copied. Everything else stays where it
was made, behind a handle: it can be called, iterated, indexed and asked for attributes from the other side.
"""

from __future__ import annotations

import builtins
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from enum import Enum
from types import NoneType
from typing import Any

from .frames import MAX_FRAME, ProtocolError, Stream, pack, write
from .remote import SPECIAL, Gone, Remote, RemoteError, RemoteIterator, describe, failure, text
from .values import Objects, decode, encode

__all__ = ["Peer"]

_DETAIL = 300
_FIXED = (bool, int, float, complex, str, bytes, frozenset, range, NoneType)
"""Types of arguments that a call cannot change."""
_CONTAINERS = (list, dict, set, deque, bytearray)
_LIMITS = ("MLE", "OLE")
_NEVER_RAISED = (ExceptionGroup, UnicodeError, StopIteration, StopAsyncIteration)
"""Built-in exceptions that need more than a message, or would quietly end a loop of the tests over results."""


class Peer(Objects):
    """One side of the wire.

    Parameters
    ----------
    stream
        What the other side writes, and the descriptor to write to.
    classes
        Classes that both sides have, by name: their instances are copied.
    """

    lazy = True

    def __init__(self, stream: Stream, classes: Mapping[str, type]) -> None:
        super().__init__()
        self.stream, self.classes = stream, classes
        self.raised: BaseException | None = None
        self._used: dict[int, tuple[Any, Any, Any]] = {}
        self._kept: list[Any] = []
        self._asked = self._answered = 0
        self._begin()

    def call(self, target: Remote, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call ``target`` over there, and show here what the call did to its arguments."""
        given = [*args, *kwargs.values()]
        sent = [self._as_first_given(value) for value in given]
        named = dict(zip(kwargs, sent[len(args) :], strict=True))
        answer = self._exchange({"op": "call", "of": target, "args": sent[: len(args)], "kwargs": named})
        for at, new in answer.get("changed", ()):
            if answer.get("ok") is not None and isinstance(given[at], _CONTAINERS):
                with suppress(RecursionError):
                    self._used[id(given[at])] = given[at], new, deepcopy(sent[at])
            _update(given[at], new)
        return given[answer["same"]] if "same" in answer else answer["ok"]

    def _as_first_given(self, value: Any) -> Any:
        """Return an argument as it was before a call that returned its result used it up, if nobody changed it since.

        A function may treat its arguments as its own; a test that gives one twice means the same both times.
        """
        used = self._used.get(id(value))
        return deepcopy(used[2]) if used and used[0] is value and used[1] == value else value

    def do(self, name: str, of: Remote, *args: Any) -> Any:
        """Do with ``of`` over there what a name of `SPECIAL` says."""
        return self._exchange({"op": name, "of": of, "args": list(args)})["ok"]

    def serve(self) -> None:
        """Answer requests until the other side hangs up."""
        while (body := self.stream.read()) is not None:
            self._answer(body)

    def permitted(self, name: str, of: Any, args: list[Any]) -> bool:  # noqa: ARG002 - for subclasses
        """Tell whether the other side may do this with an object of this one."""
        return True

    def explained(self, error: BaseException) -> dict[str, Any]:
        """Return what the other side is told of an exception: status, and by which names it may be known there."""
        names = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, Exception)]
        return {"status": failure(error), "detail": describe(error), "raised": names, "said": text(error)}

    def lookup(self, fields: dict[str, Any]) -> Any:
        """Return what the other side means by a name."""
        raise ProtocolError(f"no names are looked up here: {fields!r}")

    # what crosses

    def _begin(self) -> None:
        """Forget the instances of the last message."""
        self._numbers: dict[int, int] = {}
        self._instances: list[Any] = []
        self._made: dict[int, Any] = {}

    def own(self, value: Any, encode_part: Callable[[Any], Any]) -> Any:
        """Return the encoding of an instance of a class that both sides have; None if it is none."""
        kind = type(value)
        if kind.__name__ not in self.classes:
            return None
        if isinstance(value, Enum):
            return {"!": "member", "c": kind.__name__, "v": value.name}
        if isinstance(value, tuple):
            return {"!": "record", "c": kind.__name__, "v": [encode_part(item) for item in tuple.__iter__(value)]}
        if isinstance(value, (int, float, str, list, dict, set, BaseException)):
            return None
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._instances)
            self._instances.append(value)
        return {"!": "object", "i": self._numbers[id(value)], "c": kind.__name__}

    def outgoing(self, value: Any, encode_part: Callable[[Any], Any]) -> Any:  # noqa: ARG002 - handles have no parts
        """Return a handle."""
        if isinstance(value, Remote):
            return value._handle  # noqa: SLF001 - attributes of a Remote are elsewhere
        self._kept.append(value)
        return {"!": "remote", "h": len(self._kept) - 1, "n": hasattr(type(value), "__next__")}

    def incoming(self, tag: str, fields: dict[str, Any]) -> Any:
        """Return the value that a tag of this wire stands for."""
        match tag:
            case "kept":
                return self._kept[fields["h"]]
            case "remote":
                kind = RemoteIterator if fields["n"] is True else Remote
                value: Any = kind(self, {"!": "kept", "h": int(fields["h"])})
            case "name":
                value = self.lookup(fields)
            case "member":
                value = self.classes[fields["c"]][fields["v"]]
            case "record":
                value = tuple.__new__(self.classes[fields["c"]], fields["v"])
            case "object":
                value = self._instance(fields["i"], self.classes[fields["c"]])
            case _:
                value = super().incoming(tag, fields)
        return value

    def _instance(self, number: int, kind: type) -> Any:
        if number not in self._made:
            self._made[number] = kind.__new__(kind)
        return self._made[number]

    def _attributes(self) -> list[Any]:
        """Return the attributes of every instance sent, and of those they lead to."""
        table: list[Any] = []
        while len(table) < len(self._instances):
            table.append(encode(_state(self._instances[len(table)]), self))
        return table

    def _fill(self, table: list[dict[str, Any]]) -> None:
        """Give the instances received their attributes."""
        for index, attributes in enumerate(table):
            for name, value in attributes.items():
                object.__setattr__(self._made[index], name, value)

    # asking

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        number = self._asked
        self._begin()
        try:
            write(self.stream.fd, pack(self._with_objects(encode(request, self))))
            while True:
                body = self.stream.read()
                if body is None:
                    raise Gone
                if not body.startswith(b'{"op"'):
                    return self._understand(body, number)
                self._answer(body)
        except (OSError, ProtocolError) as error:
            raise Gone from error

    def _with_objects(self, message: dict[str, Any]) -> dict[str, Any]:
        return {**message, "objects": self._attributes()}

    def _understand(self, body: bytes, number: int) -> dict[str, Any]:
        try:
            answer = self._read(body, number)
        except (ProtocolError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self.raised = RemoteError("RE", f"the candidate answered nonsense: {describe(error)}")
            raise self.raised from error
        if "status" in answer:
            self.raised = self._rebuilt(answer)
            raise self.raised
        return answer

    def _read(self, body: bytes, number: int | None = None) -> dict[str, Any]:
        """Read a request, or the answer to the request of a number."""
        self._begin()
        message = decode(body, self)
        if not isinstance(message, dict):
            raise ProtocolError("not a message")
        if number is not None and (message.get("n") != number or not {"ok", "same", "status"} & message.keys()):
            raise ProtocolError("not an answer to what was asked")
        self._fill(message.get("objects") or [])
        return message

    def _rebuilt(self, answer: dict[str, Any]) -> BaseException:
        """Return the other side's exception as one that this side has, with its status."""
        detail = str(answer.get("detail"))[:_DETAIL]
        if answer["status"] in _LIMITS:
            return RemoteError(answer["status"], detail)
        for name in answer.get("raised") or ():
            kind = self.classes.get(name) or getattr(builtins, str(name), None)
            if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, _NEVER_RAISED):
                return _exception(kind, str(answer.get("said"))[:_DETAIL])
        return RemoteError("RE", detail)

    # answering

    def _answer(self, body: bytes) -> None:
        self._answered += 1
        number = self._answered
        try:
            answer = self._with_objects(self._performed(self._read(body)))
        except Gone:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the code called raises is the answer
            answer = self.explained(error)
        self._send({"n": number, **answer})

    def _send(self, answer: dict[str, Any]) -> None:
        try:
            frame = pack(answer)
        except (ProtocolError, MemoryError, RecursionError, ValueError) as error:
            detail = f"an answer larger than {MAX_FRAME} bytes: {describe(error)}"
            frame = pack({"n": answer["n"], "status": "OLE", "detail": detail[:_DETAIL]})
        write(self.stream.fd, frame)

    def _performed(self, request: dict[str, Any]) -> dict[str, Any]:
        name, of, args = request["op"], request["of"], request["args"]
        if not self.permitted(name, of, args):
            raise PermissionError(f"{name} is not for the other side to do")
        if name != "call":
            value = SPECIAL[name](of, *args)
            self._begin()
            return {"ok": encode(value, self)}
        given = [*args, *request["kwargs"].values()]
        before = self._seen(given)
        value = of(*args, **request["kwargs"])
        after = self._seen(given)
        changed = [*after[0].items()] if after != before else []
        if not changed:
            self._begin()
        same = next((at for at in after[0] if value is given[at]), None)
        result = {"ok": encode(value, self)} if same is None else {"same": same}
        return {**result, "changed": changed} if changed else result

    def _seen(self, given: list[Any]) -> tuple[dict[int, Any], list[Any]]:
        """Return how arguments that may change look now, by position, and the attributes of instances among them."""
        self._begin()
        seen = {at: encode(value, self) for at, value in enumerate(given) if _changeable(value)}
        return seen, self._attributes()


def _changeable(value: Any) -> bool:
    return not isinstance(value, (*_FIXED, Remote)) and not callable(value)


def _state(value: Any) -> dict[str, Any]:
    """Return the attributes of an instance, in its dictionary or in slots."""
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(value, name)]
    return {**getattr(value, "__dict__", {}), **{name: getattr(value, name) for name in slots if name[:2] != "__"}}


def _exception(kind: type[Exception], said: str) -> Exception:
    try:
        return kind(said)
    except TypeError:
        error = kind.__new__(kind)
        error.args = (said,)
        return error


def _update(old: Any, new: Any) -> None:
    """Make an argument hold what the other side has left in it, in place."""
    if type(old) is not type(new):
        return
    if isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, (dict, set, deque)):
        old.clear()
        (old.extend if isinstance(old, deque) else old.update)(new)
    else:
        for name, value in _state(new).items():
            object.__setattr__(old, name, value)
