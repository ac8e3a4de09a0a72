"""Programs that are not Python: compiled in the sandbox, run in the sandbox."""

from __future__ import annotations

import os
from typing import Any

from .frames import write, write_frame
from .program import offer_input

__all__ = ["compile_program", "run_native"]

_SAID = 2000
_PATIENCE_S = 10.0
"""CPU seconds of compiling after which no further dialect is tried."""


def compile_program(payload: dict[str, Any], channel: int) -> None:
    """Run the compiler on the source, and write the executable, if it makes one, to standard output.

    What is no program in one dialect may be one in another; the complaint is the first one's.
    """
    import resource
    import subprocess

    _write_source(payload)
    said = b""
    for dialect in payload["dialects"]:
        command = [*payload["command"], *dialect]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
        said = said or done.stderr[:_SAID]
        if done.returncode == 0 or resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime > _PATIENCE_S:
            break
    if done.returncode != 0:
        detail = said.decode(errors="replace")[:300]
        write_frame(channel, {"status": "CE", "detail": detail or "the compiler gave no reason"})
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
