"""Two processes that use each other's objects: requests and answers.

Plain values are copied; containers, and instances of classes that both sides have (the prelude's), are shared.
Everything else stays where it was made, behind a handle: it can be called, iterated, indexed and asked for attributes
from the other side.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from types import CoroutineType
from typing import Any

from .frames import MAX_FRAME, ProtocolError, Stream, pack, write
from .remote import SPECIAL, Gone, Remote, RemoteError, RemoteIterator, describe, failure, text, waiting
from .shared import Sharing, state
from .values import NotPlainError, decode, encode

__all__ = ["Peer"]

_DETAIL = 300
_LIMITS = ("MLE", "OLE")
_NEVER_RAISED = (ExceptionGroup, StopIteration, StopAsyncIteration)
"""Exceptions that would quietly end a loop of the tests over results, or that no message rebuilds."""


class Peer(Sharing):
    """One side of the wire.

    Parameters
    ----------
    stream
        What the other side writes, and the descriptor to write to.
    classes
        Classes that both sides have, by name: their instances are shared.
    """

    lazy = True
    parity = 0

    def __init__(self, stream: Stream, classes: Mapping[str, type]) -> None:
        super().__init__(classes, self.parity)
        self.stream = stream
        self.raised: list[BaseException] = []
        self._kept: list[Any] = []
        self._asked = self._answered = 0

    def call(self, target: Remote, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call ``target`` over there."""
        return self._exchange("call", target, list(args), kwargs)

    def do(self, name: str, of: Remote, *args: Any) -> Any:
        """Do with ``of`` over there what a name of `SPECIAL` says."""
        return self._exchange(name, of, list(args), {})

    def serve(self) -> None:
        """Answer requests until the other side hangs up."""
        while (body := self.stream.read()) is not None:
            self._answer(body)

    def permitted(self, name: str, of: Any, args: list[Any]) -> bool:  # noqa: ARG002 - for subclasses
        """Tell whether the other side may do this with an object of this one."""
        return True

    def explained(self, error: BaseException) -> dict[str, Any]:
        """Return what the other side is told of an exception: status, and by which names it may be known there."""
        names = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, BaseException)]
        told = {"status": failure(error), "detail": describe(error), "raised": names, "said": text(error)}
        with suppress(BaseException):
            told["args"] = encode(list(error.args))
            told["with"] = encode(state(error))
        return told

    def changed(self, objects: list[Any]) -> None:
        """Take note of the objects that the other side has changed."""

    def lookup(self, fields: dict[str, Any]) -> Any:
        """Return what the other side means by a name."""
        raise ProtocolError(f"no names are looked up here: {fields!r}")

    # what crosses

    def own(self, value: Any, encode_part: Callable[[Any], Any]) -> Any:
        """Return the encoding of a member or record of a class that both sides have; None if it is none."""
        kind = type(value)
        if kind.__name__ in self.classes:
            if isinstance(value, Enum):
                return {"!": "member", "c": kind.__name__, "v": value.name}
            if isinstance(value, tuple):
                return {"!": "record", "c": kind.__name__, "v": [encode_part(item) for item in tuple.__iter__(value)]}
        return None

    def outgoing(self, value: Any, encode_part: Callable[[Any], Any]) -> Any:  # noqa: ARG002 - handles have no parts
        """Return a handle."""
        if isinstance(value, Remote):
            return value._handle  # noqa: SLF001 - attributes of a Remote are elsewhere
        self._kept.append(value)
        tag = {"!": "remote", "h": len(self._kept) - 1, "n": hasattr(type(value), "__next__")}
        return {**tag, "a": True} if isinstance(value, CoroutineType) else tag

    def incoming(self, tag: str, fields: dict[str, Any]) -> Any:
        """Return the value that a tag of this wire stands for."""
        match tag:
            case "kept":
                return self._kept[fields["h"]]
            case "remote":
                kind = RemoteIterator if fields["n"] is True else Remote
                value: Any = kind(self, {"!": "kept", "h": int(fields["h"])})
                value = waiting(value) if fields.get("a") is True else value
            case "name":
                value = self.lookup(fields)
            case "member":
                value = self.classes[fields["c"]][fields["v"]]
            case "record":
                value = tuple.__new__(self.classes[fields["c"]], fields["v"])
            case "object":
                value = self.object_of(fields)
            case _:
                value = super().incoming(tag, fields)
        return value

    # asking

    def _exchange(self, name: str, of: Remote, args: list[Any], kwargs: dict[str, Any]) -> Any:
        self._asked += 1
        number = self._asked
        named = {key: encode(value, self, 1) for key, value in kwargs.items()}
        request = {"op": name, "of": encode(of, self), "args": [encode(arg, self, 1) for arg in args], "kwargs": named}
        message = {**request, **self.news()}
        try:
            write(self.stream.fd, pack(message))
        except (OSError, ProtocolError) as error:
            raise Gone from error
        while (body := self._heard()).startswith(b'{"op"'):
            self._answer(body)
        return self._understand(body, number)["ok"]

    def _heard(self) -> bytes:
        try:
            body = self.stream.read()
        except (OSError, ProtocolError) as error:
            raise Gone from error
        if body is None:
            raise Gone
        return body

    def _understand(self, body: bytes, number: int) -> dict[str, Any]:
        try:
            answer = self._read(body, number)
        except (ProtocolError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._noted(RemoteError("RE", f"the candidate answered nonsense: {describe(error)}")) from error
        if "status" in answer:
            raise self._noted(self._rebuilt(answer))
        return answer

    def _noted(self, error: BaseException) -> BaseException:
        """Remember that the other side has raised this: the last of all, and whatever else would end a test."""
        self.raised = [*(one for one in self.raised if isinstance(one, SystemExit)), error]
        return error

    def _read(self, body: bytes, number: int | None = None) -> dict[str, Any]:
        """Read a request, or the answer to the request of a number."""
        message = decode(body, self)
        if not isinstance(message, dict):
            raise ProtocolError("not a message")
        if number is not None and (message.get("n") != number or not {"ok", "status"} & message.keys()):
            raise ProtocolError("not an answer to what was asked")
        self.changed(self.hear(message.pop("objects", []), message.pop("gone", [])))
        self.settle()
        return message

    def _rebuilt(self, answer: dict[str, Any]) -> BaseException:
        """Return the other side's exception as one that this side has, with its status."""
        detail = str(answer.get("detail"))[:_DETAIL]
        if answer["status"] in _LIMITS:
            return RemoteError(answer["status"], detail)
        for name in answer.get("raised") or ():
            kind = self.classes.get(name) or getattr(builtins, str(name), None)
            if isinstance(kind, type) and issubclass(kind, BaseException) and self.raisable(kind):
                return self._made(kind, answer)
        return RemoteError("RE", detail)

    def raisable(self, kind: type[BaseException]) -> bool:
        """Tell whether an exception of the other side may be raised here as one of ``kind``."""
        return issubclass(kind, Exception) and not issubclass(kind, _NEVER_RAISED)

    def _made(self, kind: type[BaseException], answer: dict[str, Any]) -> BaseException:
        """Return an exception with the arguments and attributes that the other side's has."""
        given, attributes = answer.get("args"), answer.get("with")
        args = given if isinstance(given, list) else [str(answer.get("said"))[:_DETAIL]]
        if kind.__module__ == "builtins":
            with suppress(Exception):
                return kind(*args)
        error = kind.__new__(kind)
        error.args = tuple(args)
        for name, value in attributes.items() if isinstance(attributes, dict) else ():
            if self.settable(kind, name):
                object.__setattr__(error, name, value)
        return error

    # answering

    def _answer(self, body: bytes) -> None:
        self._answered += 1
        number = self._answered
        try:
            answer = self._performed(self._read(body))
        except Gone:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the code called raises is the answer
            answer = self.explained(error)
        try:
            answer |= self.news()
        except (NotPlainError, RecursionError) as error:
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
        value = of(*args, **request["kwargs"]) if name == "call" else SPECIAL[name](of, *args)
        return {"ok": encode(value, self)}
