"""The candidate's side: load a program, then call its functions, for recorded calls or on a tester's behalf."""

from __future__ import annotations

import builtins
import os
import re
import sys
from types import ModuleType
from typing import Any

from .frames import ProtocolError, Stream, write_frame
from .values import NotPlainError, Objects, decode, encode

__all__ = ["describe", "load", "own_classes", "run_calls", "serve"]

_DETAIL = 300


def describe(error: BaseException) -> str:
    """Return type and message of an exception in one short line, whatever its ``__str__`` does."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a hostile __str__ may raise anything
        text = ""
    return f"{type(error).__name__}: {text}"[:_DETAIL].encode("utf-8", "replace").decode()


def load(payload: dict[str, Any]) -> ModuleType:
    """Execute the prelude and the program as a module called ``solution``.

    Raises
    ------
    SyntaxError
        If the program does not compile.
    BaseException
        Whatever the program raises.
    """
    module = ModuleType("solution")
    sys.modules["solution"] = module
    code = compile(payload["program"], "<program>", "exec", dont_inherit=True)
    if prelude := payload["prelude"]:
        exec(compile(prelude, "<prelude>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        payload["shared"] = own_classes(module.__dict__, "solution")
    module.__dict__.pop(root_name(payload.get("candidate", "")), None)
    exec(code, module.__dict__)  # noqa: S102 - running the program is what this process is for
    return module


def root_name(expression: str) -> str:
    """Return the name that an expression such as ``Solution().solve`` begins with."""
    return re.split(r"\W", expression.strip(), maxsplit=1)[0]


def resolve(module: ModuleType, expression: str) -> Any:
    """Evaluate an expression on what the program itself has defined.

    Raises
    ------
    NameError
        If its first name is only a built-in, or the prelude's.
    """
    if root_name(expression) not in module.__dict__:
        raise NameError(f"the program defines no {root_name(expression)!r}")
    return eval(expression, module.__dict__)  # noqa: S307 - the problem's own expression


def own_classes(namespace: dict[str, Any], module: str) -> dict[str, type]:
    """Return the classes that the code of ``module`` itself has defined in a namespace."""
    return {
        name: kind
        for name, kind in namespace.items()
        if isinstance(kind, type) and getattr(kind, "__module__", None) == module
    }


def _loaded(payload: dict[str, Any], channel: int) -> ModuleType | None:
    """Load the program; on failure say so on the channel and return None."""
    nonce = payload["nonce"]
    try:
        return load(payload)
    except (SyntaxError, UnicodeError, ValueError) as error:
        compiled = not isinstance(error, SyntaxError) or error.filename != "<program>"
        status = "RE" if compiled else "CE"
        write_frame(channel, {"t": -1, "nonce": nonce, "status": status, "detail": describe(error)})
    except BaseException as error:  # noqa: BLE001 - SystemExit and friends included
        write_frame(channel, {"t": -1, "nonce": nonce, "status": _failure(error), "detail": describe(error)})
    return None


def _failure(error: BaseException) -> str:
    return "MLE" if isinstance(error, MemoryError) else "RE"


def run_calls(payload: dict[str, Any], channel: int) -> None:
    """Make every recorded call in order and report each result under its index."""
    leave = os._exit
    module = _loaded(payload, channel)
    if module is None:
        return
    for index, (args, kwargs) in enumerate(payload["calls"]):
        try:
            target = resolve(module, payload["candidate"])
            report = {"t": index, "ok": encode(target(*args, **kwargs))}
        except BaseException as error:  # noqa: BLE001
            report = {"t": index, "status": _failure(error), "detail": describe(error)}
        _send(channel, {"nonce": payload["nonce"], **report})
    leave(0)


def _send(channel: int, report: dict[str, Any]) -> None:
    try:
        write_frame(channel, report)
    except (ProtocolError, MemoryError, RecursionError, ValueError) as error:
        slim = {key: report[key] for key in ("nonce", "t", "n") if key in report}
        write_frame(channel, {**slim, "status": "OLE", "detail": describe(error)})


class _Handles(Objects):
    """Keeps what cannot cross and sends a handle for it; instances of the prelude's classes cross by attributes."""

    def __init__(self, module: ModuleType, shared: set[str]) -> None:
        super().__init__()
        self.module = module
        self.shared = shared
        self.kept: list[Any] = []
        self.begin()

    def begin(self) -> None:
        """Forget the instances of the last message."""
        self.sent: dict[int, int] = {}
        self.table: list[Any] = []
        self.made: dict[int, Any] = {}
        self._alive: list[Any] = []

    def outgoing(self, value: Any, encode_part: Any) -> Any:  # noqa: ARG002 - parts are encoded by `attributes`
        name = type(value).__name__
        if name in self.shared and isinstance(getattr(value, "__dict__", None), dict):
            if id(value) not in self.sent:
                self.sent[id(value)] = len(self._alive)
                self._alive.append(value)
            return {"!": "object", "i": self.sent[id(value)], "c": name}
        self.kept.append(value)
        return {"!": "remote", "h": len(self.kept) - 1}

    def attributes(self) -> list[Any]:
        """Return the attributes of every instance sent, and of those they lead to."""
        at = 0
        table = []
        while at < len(self._alive):
            table.append(encode(dict(self._alive[at].__dict__), self))
            at += 1
        return table

    def incoming(self, tag: str, fields: dict[str, Any]) -> Any:
        if tag == "remote":
            return self.kept[fields["h"]]
        if tag == "object":
            index = fields["i"]
            if index not in self.made:
                kind = getattr(self.module, fields["c"])
                self.made[index] = kind.__new__(kind)
            return self.made[index]
        return super().incoming(tag, fields)

    def fill(self, table: list[dict[str, Any]]) -> None:
        """Give the instances received their attributes."""
        for index, attributes in enumerate(table):
            if index in self.made:
                self.made[index].__dict__.update(attributes)


def serve(payload: dict[str, Any], channel: int) -> None:
    """Answer a tester's requests until it hangs up."""
    leave = os._exit
    module = _loaded(payload, channel)
    if module is None:
        return
    write_frame(channel, {"t": -1, "ok": True})
    handles = _Handles(module, set(payload.get("shared", ())))
    requests = Stream(channel)
    while (body := requests.read()) is not None:
        handles.begin()
        request = decode(body, handles)
        handles.fill(request.get("objects", []))
        try:
            answer = _answer(request, module, handles)
        except BaseException as error:  # noqa: BLE001
            answer = {"status": _failure(error), "detail": describe(error), "raised": _builtin_name(error)}
        _send(channel, {"n": request["n"], **answer})
    leave(0)


def _builtin_name(error: BaseException) -> str:
    """Return the name of the nearest built-in exception class, so that a test may expect it."""
    kind = next((base for base in type(error).__mro__ if getattr(builtins, base.__name__, None) is base), Exception)
    return kind.__name__ if issubclass(kind, Exception) else "RuntimeError"


def _answer(request: dict[str, Any], module: ModuleType, handles: _Handles) -> dict[str, Any]:
    operation = request["op"]
    if operation == "name":
        value = resolve(module, request["name"])
    elif operation == "attribute":
        value = getattr(request["of"], request["name"])
    elif operation == "assign":
        value = setattr(request["of"], request["name"], request["value"])
    else:
        value = request["of"](*request["args"], **request["kwargs"])
    handles.begin()
    answer = {"ok": encode(value, handles)}
    if operation == "call" and value is None:
        answer["args"] = _in_place(request, handles)
    answer["objects"] = handles.attributes()
    return answer


def _in_place(request: dict[str, Any], handles: _Handles) -> Any:
    """Return the arguments as the call left them: a function that returns None works by changing them."""
    try:
        return encode([request["args"], request["kwargs"]], handles)
    except NotPlainError:
        return None
