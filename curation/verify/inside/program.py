"""A whole program on real pipes, as ``__main__``."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
from contextlib import suppress
from types import CodeType, ModuleType
from typing import Any

from .frames import write_frame

__all__ = ["UnreadableError", "compiled", "run_program"]

_BOM = "\ufeff"
"""What editors put before UTF-8; Python passes over it in a file, and not in a string."""
_CHUNK = 1 << 20
_STDIN = "/dev/stdin"
_READS_ITSELF = ("__file__", "argv", "getsource", "main.py")
"""What stands in a program that may want to see its own text."""


class UnreadableError(Exception):
    """The program is not one that Python can compile."""


def compiled(source: str, name: str) -> CodeType:
    """Compile a program as if it stood in a file.

    Raises
    ------
    UnreadableError
        If it cannot be compiled: its syntax, its nesting, or characters that no file holds.
    """
    try:
        return compile(source.removeprefix(_BOM), name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}"[:300].encode("utf-8", "replace").decode()) from None


def run_program(payload: dict[str, Any], channel: int) -> None:
    """Run the program as ``python main.py`` would, and leave with its exit status.

    When the main code has ended a frame says so, so that the judge need not wait for sleeping threads.
    """
    leave = os._exit
    _open_streams()
    sys.argv = ["main.py"]
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=__builtins__, __file__="main.py")
    sys.modules["__main__"] = main
    try:
        code = compiled(payload["program"], "main.py")
    except UnreadableError as error:
        write_frame(channel, {"load": "CE", "detail": str(error)})
        leave(1)
    offer_input(payload["program"])
    _offer_source(payload["program"])
    status = 0
    try:
        exec(code, main.__dict__)  # noqa: S102 - running the program is what this process is for
    except SystemExit as error:
        status = _exit_status(error.code)
    except BaseException as error:  # noqa: BLE001
        sys.__excepthook__(type(error), error, error.__traceback__)
        status = 1
    _finish(channel, status, main.__dict__)
    leave(status)


def _open_streams() -> None:
    """Open the standard streams as the interpreter does."""
    sys.stdin = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, "r", closefd=False)), encoding="utf-8", errors="surrogateescape"
    )
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8", errors="surrogateescape"
    )
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), encoding="utf-8", errors="backslashreplace", write_through=True
    )
    sys.stdin.mode, sys.stdout.mode, sys.stderr.mode = "r", "w", "w"
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def offer_input(program: str) -> None:
    """Put the input where a program that opens it by name finds it, in a world without ``/proc``."""
    if (_STDIN in program or "/fd/0" in program) and os.path.islink(_STDIN) and not os.path.exists(_STDIN):
        target = os.open(os.readlink(_STDIN), os.O_WRONLY | os.O_CREAT)
        at = 0
        while chunk := os.pread(0, _CHUNK, at):
            at += os.write(target, chunk)
        os.close(target)


def _offer_source(program: str) -> None:
    """Put a program that may read itself where its name says that it is."""
    if any(word in program for word in _READS_ITSELF):
        with open("main.py", "w", encoding="utf-8", newline="") as file:
            file.write(program)


def _exit_status(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)  # noqa: T201 - what the interpreter does
    return 1


def _finish(channel: int, status: int, names: dict[str, Any]) -> None:
    """Flush, tell that the main code is done, then do what the interpreter does on its way out."""
    _flush()
    with suppress(OSError):
        write_frame(channel, {"main": status})
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()  # noqa: SLF001 - joins non-daemon threads
    atexit._run_exitfuncs()  # noqa: SLF001
    _flush()
    for name in names:
        names[name] = None
    gc.collect()
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
