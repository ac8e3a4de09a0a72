"""Folders for what does not fit into memory: gone with the work, or with the next work if that was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.stages import Workspace

__all__ = ["SPILL", "spill_folder", "spill_lock"]

SPILL = Path("work") / ".spill"
"""Where such folders lie in a warehouse."""


@contextmanager
def spill_folder(workspace: Workspace | None = None) -> Iterator[Path]:
    """Make a folder for one piece of work; those of work that was killed are removed first.

    Parameters
    ----------
    workspace
        The warehouse on whose disk it lies; without one, or if that may only be read, it lies among the system's
        temporary files.
    """
    if workspace is None or not os.access(workspace.root, os.W_OK):
        workspace = Workspace(Path(tempfile.gettempdir()) / f"sluice-{os.getuid()}")
    _remove_orphans(workspace)
    folder = workspace.root / SPILL / uuid.uuid4().hex
    with workspace.lock(spill_lock(folder)):
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            _remove(workspace, folder)


def spill_lock(folder: Path) -> str:
    """Return the name of the lock that is held as long as a folder is in use."""
    return f"spill-{folder.name}"


def _remove_orphans(workspace: Workspace) -> None:
    for folder in (workspace.root / SPILL).glob("*/"):
        with workspace.lock(spill_lock(folder), wait=False) as unused:
            if unused:
                _remove(workspace, folder)


def _remove(workspace: Workspace, folder: Path) -> None:
    """Remove a folder and its lock, which is held now: whoever waits for it sees that the file is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    (workspace.root / "locks" / f"{spill_lock(folder)}.lock").unlink(missing_ok=True)
