"""Prefect's settings for runs started here: an embedded server, offline, its state in the warehouse."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import WarehouseError

__all__ = ["configure_prefect"]

_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}


def configure_prefect(root: Path) -> None:
    """Set what the embedded server needs, before Prefect is first imported; a person's own settings win.

    Raises
    ------
    WarehouseError
        If the server's folder cannot be made.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "PREFECT_API_URL" not in os.environ:
        home = root.resolve() / "prefect"
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseError(
                f"the warehouse {root} cannot be written: {error.strerror}.",
                hint="choose a folder that you may write to with --warehouse.",
            ) from error
        os.environ.setdefault("PREFECT_HOME", str(home))
