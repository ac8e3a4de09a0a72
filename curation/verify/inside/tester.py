"""The tester's side: run assert suites against a candidate that lives in another process.

The candidate is a proxy. Its results arrive as plain built-ins, so nothing a program defines (``__eq__``, subclasses,
patched modules) ever runs here; what is not plain stays over there, behind a handle that can be called, have its
attributes read, and be passed back, but not compared.
"""

from __future__ import annotations

import builtins
import os
from collections import deque
from types import CodeType
from typing import Any

from .candidate import describe, own_classes
from .frames import ProtocolError, Stream, pack, write_frame
from .values import NotPlainError, Objects, decode, encode

__all__ = ["run_suite"]


class CandidateError(Exception):
    """The candidate raised, or answered something unusable."""

    def __init__(self, status: str, detail: str) -> None:
        self.status = status
        super().__init__(detail)


class CandidateGone(BaseException):
    """The candidate's process has ended; no test can catch this by accident."""


class Remote:
    """Something that lives in the candidate's process."""

    __slots__ = ("_handle", "_link")

    def __init__(self, link: _Link, handle: int) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_handle", handle)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._link.call(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._link.ask({"op": "attribute", "of": self, "name": name})

    def __setattr__(self, name: str, value: Any) -> None:
        self._link.ask({"op": "assign", "of": self, "name": name, "value": value})

    def _refuse(self, *_: Any) -> Any:
        raise CandidateError("RE", "the result is not a plain value and cannot be compared")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __len__ = __iter__ = __hash__ = _refuse  # type: ignore[assignment]
    __contains__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __abs__ = __float__ = __int__ = _refuse


class RemoteName(Remote):
    """A name of the candidate's program, looked up when first used."""

    __slots__ = ("_name",)

    def __init__(self, link: _Link, name: str) -> None:
        super().__init__(link, -1)
        object.__setattr__(self, "_name", name)


class _Shared(Objects):
    """Instances of the prelude's classes cross by their attributes, other objects by handle."""

    def __init__(self, link: _Link, classes: dict[str, type]) -> None:
        super().__init__()
        self.link = link
        self.classes = classes
        self.begin()

    def begin(self) -> None:
        """Forget the instances of the last message."""
        self.sent: dict[int, int] = {}
        self.alive: list[Any] = []
        self.made: dict[int, Any] = {}

    def outgoing(self, value: Any, encode_part: Any) -> Any:
        if isinstance(value, RemoteName):
            value = self.link.resolve(value)
            if not isinstance(value, Remote):
                return encode_part(value)
        if isinstance(value, Remote):
            return {"!": "remote", "h": value._handle}  # noqa: SLF001 - attributes of a Remote are elsewhere
        name = type(value).__name__
        if self.classes.get(name) is type(value):
            if id(value) not in self.sent:
                self.sent[id(value)] = len(self.alive)
                self.alive.append(value)
            return {"!": "object", "i": self.sent[id(value)], "c": name}
        return super().outgoing(value, encode_part)

    def attributes(self) -> list[Any]:
        """Return the attributes of every instance sent, and of those they lead to."""
        table: list[Any] = []
        while len(table) < len(self.alive):
            table.append(encode(dict(self.alive[len(table)].__dict__), self))
        return table

    def incoming(self, tag: str, fields: dict[str, Any]) -> Any:
        if tag == "remote":
            return Remote(self.link, int(fields["h"]))
        if tag == "object":
            index = int(fields["i"])
            if index not in self.made:
                kind = self.classes[fields["c"]]
                self.made[index] = kind.__new__(kind)
            return self.made[index]
        return super().incoming(tag, fields)

    def fill(self, table: list[dict[str, Any]]) -> None:
        """Give the instances received their attributes."""
        for index, attributes in enumerate(table):
            if index in self.made:
                self.made[index].__dict__.update(attributes)


class _Link:
    """Requests to the candidate and its replies, one at a time."""

    def __init__(self, fd: int, classes: dict[str, type]) -> None:
        self.fd = fd
        self.answers = Stream(fd)
        self.asked = 0
        self.shared = _Shared(self, classes)
        self.raised: BaseException | None = None
        self._names: dict[str, Any] = {}

    def begin_test(self) -> None:
        """Forget what the last test looked up and saw raised."""
        self.raised = None
        self._names = {}

    def resolve(self, name: RemoteName) -> Any:
        """Return what the candidate's program means by a name."""
        text = name._name  # noqa: SLF001 - attributes of a Remote are elsewhere
        if text not in self._names:
            self._names[text] = self.ask({"op": "name", "name": text})
        return self._names[text]

    def call(self, target: Remote, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call ``target``; if it returns None, show its changes to the arguments here."""
        request = {"op": "call", "of": target, "args": list(args), "kwargs": kwargs}
        answer = self._exchange(request)
        if changed := answer.get("args"):
            for old, new in zip([*args, *kwargs.values()], [*changed[0], *changed[1].values()], strict=False):
                _update(old, new)
        return answer["ok"]

    def ask(self, request: dict[str, Any]) -> Any:
        """Send one request and return its value."""
        return self._exchange(request)["ok"]

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked = number = self.asked + 1
        self.shared.begin()
        message = encode({**request, "n": number}, self.shared)
        message["objects"] = self.shared.attributes()
        try:
            data = memoryview(pack(message))
            while data:
                data = data[os.write(self.fd, data) :]
            self.shared.begin()
            body = self.answers.read()
        except (OSError, ProtocolError) as error:
            raise CandidateGone from error
        if body is None:
            raise CandidateGone
        return self._understand(body, number)

    def _understand(self, body: bytes, number: int) -> dict[str, Any]:
        try:
            answer = self._read_answer(body, number)
        except (ProtocolError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self.raised = CandidateError("RE", f"the candidate answered nonsense: {describe(error)}")
            raise self.raised from error
        if "ok" not in answer:
            self.raised = _rebuild(answer)
            raise self.raised
        return answer

    def _read_answer(self, body: bytes, number: int) -> dict[str, Any]:
        answer = decode(body, self.shared)
        if not isinstance(answer, dict) or answer.get("n") != number or not ("ok" in answer or "status" in answer):
            raise ProtocolError("not an answer to what was asked")
        self.shared.fill(answer.get("objects") or [])
        return answer


def _rebuild(answer: dict[str, Any]) -> Exception:
    """Return the candidate's exception as a built-in one of the same name, with its status."""
    detail = str(answer.get("detail"))[:300]
    if answer["status"] in ("MLE", "OLE"):
        return CandidateError(answer["status"], detail)
    kind = getattr(builtins, str(answer.get("raised")), None)
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, (ExceptionGroup, UnicodeError)):
        return kind(detail)
    return CandidateError("RE", detail)


def _update(old: Any, new: Any) -> None:
    """Make an argument hold what the candidate left in it, in place."""
    if type(old) is not type(new):
        return
    if isinstance(old, list):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, deque):
        old.clear()
        old.extend(new)
    elif hasattr(old, "__dict__"):
        old.__dict__.update(new.__dict__)


def _names(code: CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


def run_suite(payload: dict[str, Any], channel: int, link_fd: int) -> None:
    """Run every test of the suite in a namespace of its own and report each status.

    The report of a test is ``{"t": index, "status": ..., "detail": ...}``; ``XX`` means that the suite itself is
    broken: it does not compile, or fails before it has asked the candidate anything.
    """
    try:
        prelude: dict[str, Any] = {"__name__": "suite"}
        exec(compile(payload["prelude"], "<prelude>", "exec", dont_inherit=True), prelude)  # noqa: S102
        codes = [compile(test, f"<test {i}>", "exec", dont_inherit=True) for i, test in enumerate(payload["tests"])]
    except Exception as error:  # noqa: BLE001
        write_frame(channel, {"t": -1, "status": "XX", "detail": f"the suite does not load: {describe(error)}"})
        return
    link = _Link(link_fd, own_classes(prelude, "suite"))
    if failure := _greeting(link.answers):
        write_frame(channel, {"t": -1, **failure})
        return
    for index, code in enumerate(codes):
        try:
            report = _run_test(code, dict(prelude), payload, link)
        except CandidateGone:
            report = {"status": "gone", "detail": ""}
        write_frame(channel, {"t": index, **report})
        if report["status"] == "gone":
            return


def _greeting(answers: Stream) -> dict[str, str] | None:
    """Wait until the program is loaded; return what went wrong, if anything did."""
    try:
        body = answers.read()
        message = decode(body) if body is not None else None
    except (OSError, ProtocolError):
        return {"status": "RE", "detail": "the program wrote to the channel"}
    if message is None:
        return {"status": "gone", "detail": ""}
    if not isinstance(message, dict):
        return {"status": "RE", "detail": "the program wrote to the channel"}
    if message.get("ok") is True:
        return None
    status, detail = message.get("status"), str(message.get("detail"))[:300]
    return {"status": status if status in ("CE", "RE", "MLE") else "RE", "detail": detail}


def _run_test(code: CodeType, namespace: dict[str, Any], payload: dict[str, Any], link: _Link) -> dict[str, str]:
    for name in _names(code):
        if name not in namespace and not hasattr(builtins, name):
            namespace[name] = RemoteName(link, name)
    entry, candidate = payload["entry_point"], payload["candidate"]
    namespace[entry] = RemoteName(link, entry)
    namespace["candidate"] = RemoteName(link, candidate)
    link.begin_test()
    try:
        exec(code, namespace)  # noqa: S102 - running the tests is what this process is for
    except NotPlainError as error:
        return {"status": "XX", "detail": f"the test passes what cannot cross: {error}"}
    except Exception as error:  # noqa: BLE001
        return _failed(error, link)
    return {"status": "AC", "detail": ""}


def _failed(error: Exception, link: _Link) -> dict[str, str]:
    if error is link.raised or isinstance(error, CandidateError):
        return {"status": getattr(error, "status", "RE"), "detail": describe(error)}
    if isinstance(error, MemoryError):
        return {"status": "MLE", "detail": "the answer is too large to compare"}
    if isinstance(error, AssertionError):
        return {"status": "WA", "detail": describe(error)}
    return {"status": "WA", "detail": f"the test fails on the answer: {describe(error)}"}
