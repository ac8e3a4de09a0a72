"""Prefect for runs started here: an embedded server, offline, its state in the warehouse, that never outlives a run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from schemas.errors import WarehouseError
from warehouse.stages import Workspace

__all__ = ["prefect_server"]

_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_UI_ENABLED": "false",
}
_START_S = 180.0
_STOP_S = 10.0


@contextmanager
def prefect_server(root: Path) -> Iterator[None]:
    """Make Prefect ready for flows over a warehouse, whether imported yet or not; a person's own settings win.

    Where no server is set (``PREFECT_API_URL``), one of our own runs for as long as this context. It ends with this
    process however that ends: Prefect's own embedded server stays behind after a kill.

    Raises
    ------
    WarehouseError
        If the server's folder cannot be made, or the server does not start.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "PREFECT_API_URL" in os.environ:
        yield
        return
    home = _home(root)
    os.environ.setdefault("PREFECT_HOME", str(home))
    process, url = _started(Workspace(root.resolve()), home / "server.log")
    os.environ["PREFECT_API_URL"] = url
    try:
        _heed_environment()
        yield
    finally:
        del os.environ["PREFECT_API_URL"]
        _heed_environment()
        _stop(process)


def _heed_environment() -> None:
    """Make Prefect read its settings again if it was imported before they were made; it starts a server otherwise."""
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context
        from prefect.logging.configuration import setup_logging

        refresh_global_settings_context()
        setup_logging()


def _home(root: Path) -> Path:
    home = root.resolve() / "prefect"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(
            f"the warehouse {root} cannot be written: {error.strerror}.",
            hint="choose a folder that you may write to with --warehouse.",
        ) from error
    return home


def _started(workspace: Workspace, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server on a port of its own; one at a time, for each first brings its database up to date."""
    with workspace.lock("prefect"), log.open("ab") as said, socket.create_server(("127.0.0.1", 0)) as door:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "flows.server", str(door.fileno())],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            pass_fds=[door.fileno()],
            start_new_session=True,
            cwd=Path(__file__).resolve().parent.parent,
        )
        url = f"http://127.0.0.1:{door.getsockname()[1]}/api"
        try:
            _wait(process, url, log)
        except BaseException:
            _stop(process)
            raise
    return process, url


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", timeout=2.0).is_success:
                return
        time.sleep(0.1)
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = next((line for line in reversed(lines) if line.strip()), "no message")
    raise WarehouseError(
        f"the embedded Prefect server does not start: {said.strip()}",
        hint=f"{log} tells more; PREFECT_API_URL names a server of your own instead.",
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Hang up, which ends the server, and wait for it."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
