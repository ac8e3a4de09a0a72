"""A whole program on real pipes, as ``__main__``."""

from __future__ import annotations

import atexit
import io
import os
import sys
import traceback
from contextlib import suppress
from types import ModuleType
from typing import Any

from .frames import write_frame

__all__ = ["BOM", "run_program"]

BOM = "\ufeff"
"""What editors put before UTF-8; Python passes over it in a file, and not in a string."""


def run_program(payload: dict[str, Any], channel: int) -> None:
    """Run the program as ``python main.py`` would, and leave with its exit status.

    When the main code has ended a frame says so, so that the judge need not wait for sleeping threads.
    """
    leave = os._exit
    source = payload["program"].removeprefix(BOM)
    sys.stdin = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, "r", closefd=False)), encoding="utf-8", errors="surrogateescape"
    )
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8", errors="surrogateescape"
    )
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False),
        encoding="utf-8",
        errors="backslashreplace",
        write_through=True,
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.argv = ["main.py"]
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=__builtins__, __file__="main.py")
    sys.modules["__main__"] = main
    try:
        code = compile(source, "main.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, UnicodeError) as error:
        write_frame(channel, {"load": "CE", "detail": f"{type(error).__name__}: {error}"[:300]})
        leave(1)
    status = 0
    try:
        exec(code, main.__dict__)  # noqa: S102 - running the program is what this process is for
    except SystemExit as error:
        status = _exit_status(error.code)
    except BaseException as error:  # noqa: BLE001
        traceback.print_exception(error)
        status = 1
    _finish(channel, status)
    leave(status)


def _exit_status(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)  # noqa: T201 - what the interpreter does
    return 1


def _finish(channel: int, status: int) -> None:
    """Flush, tell that the main code is done, then do what the interpreter does on its way out."""
    _flush()
    with suppress(OSError):
        write_frame(channel, {"main": status})
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()  # noqa: SLF001 - joins non-daemon threads
    atexit._run_exitfuncs()  # noqa: SLF001
    _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
