"""The candidate's side: load a program, then call its functions, for recorded calls or on a tester's behalf."""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from types import CodeType, ModuleType
from typing import Any

from .frames import ProtocolError, Stream, write_frame
from .peers import Peer
from .program import UnreadableError, compiled
from .remote import describe, failure
from .values import encode

__all__ = ["answer_calls", "load", "own_classes", "resolve", "run_calls", "serve"]


def load(payload: dict[str, Any]) -> ModuleType:
    """Execute the prelude and the program as a module called ``solution``.

    Raises
    ------
    UnreadableError
        If the program does not compile.
    BaseException
        Whatever the program raises.
    """
    module = ModuleType("solution")
    module.__file__ = "solution.py"
    sys.modules["solution"] = module
    code = compiled(payload["program"], "<program>")
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
    root, code = _compiled_expression(expression)
    if root not in module.__dict__:
        raise NameError(f"the program defines no {root!r}")
    return eval(code, module.__dict__)  # noqa: S307 - the problem's own expression


@lru_cache(maxsize=16)
def _compiled_expression(expression: str) -> tuple[str, CodeType]:
    return root_name(expression), compile(expression.strip(), "<candidate>", "eval", dont_inherit=True)


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
    except UnreadableError as error:
        write_frame(channel, {"t": -1, "nonce": nonce, "status": "CE", "detail": str(error)})
    except BaseException as error:  # noqa: BLE001 - SystemExit and friends included
        write_frame(channel, {"t": -1, "nonce": nonce, "status": failure(error), "detail": describe(error)})
    return None


def run_calls(payload: dict[str, Any], channel: int) -> None:
    """Make every recorded call in order and report each result under its index."""
    leave = os._exit
    module = _loaded(payload, channel)
    if module is None:
        return
    answer_calls(module, payload, channel)
    leave(0)


def answer_calls(module: ModuleType, payload: dict[str, Any], channel: int) -> None:
    """Make the calls on a program that has been loaded."""
    for index, (args, kwargs) in enumerate(payload["calls"]):
        try:
            target = resolve(module, payload["candidate"])
            report = {"t": index, "ok": encode(target(*args, **kwargs))}
        except BaseException as error:  # noqa: BLE001
            report = {"t": index, "status": failure(error), "detail": describe(error)}
        _send(channel, {"nonce": payload["nonce"], **report})


def _send(channel: int, report: dict[str, Any]) -> None:
    try:
        write_frame(channel, report)
    except (ProtocolError, MemoryError, RecursionError, ValueError) as error:
        slim = {key: report[key] for key in ("nonce", "t", "n") if key in report}
        write_frame(channel, {**slim, "status": "OLE", "detail": describe(error)})


class _Candidate(Peer):
    """The program's side of the wire to its tester."""

    parity = 1

    def __init__(self, channel: int, module: ModuleType, shared: dict[str, type]) -> None:
        names = module.__dict__
        super().__init__(Stream(channel), {name: names.get(name, kind) for name, kind in shared.items()})
        self.module = module
        self._found: dict[tuple[str, int], Any] = {}

    def lookup(self, fields: dict[str, Any]) -> Any:
        """Return what the program means by an expression; the same object all through a test."""
        asked = (fields["v"], fields["t"])
        if asked not in self._found:
            self._found[asked] = resolve(self.module, fields["v"])
        return self._found[asked]


def serve(payload: dict[str, Any], channel: int) -> None:
    """Answer a tester's requests until it hangs up."""
    leave = os._exit
    module = _loaded(payload, channel)
    if module is None:
        return
    write_frame(channel, {"t": -1, "ok": True})
    _Candidate(channel, module, payload.get("shared", {})).serve()
    leave(0)
