"""Programs that are not Python: compiled in the sandbox, run in the sandbox."""

from __future__ import annotations

import os
from typing import Any

from .frames import write, write_frame
from .program import offer_input

__all__ = ["compile_program", "run_native"]

_SAID = 2000


def compile_program(payload: dict[str, Any], channel: int) -> None:
    """Run the compiler on the source, and write the executable, if it makes one, to standard output."""
    import subprocess

    _write_source(payload)
    done = subprocess.run(payload["command"], stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = done.stderr[:_SAID].decode(errors="replace")
        write_frame(channel, {"status": "CE", "detail": said[:300] or "the compiler gave no reason"})
        return
    if os.path.exists("program"):
        with open("program", "rb") as file:
            write(1, file.read())


def run_native(payload: dict[str, Any], channel: int) -> None:
    """Become the program: a compiled one from its descriptor, or an interpreter on its source."""
    os.close(channel)
    offer_input(payload["program"])
    if "source_name" in payload:
        _write_source(payload)
        os.execv(payload["command"][0], payload["command"])  # noqa: S606 - that is its role
    os.execve(payload["executable"], ["program"], dict(os.environ))  # noqa: S606 - that is its role


def _write_source(payload: dict[str, Any]) -> None:
    with open(payload["source_name"], "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(payload["program"])
