"""The isolation ladder: what this machine allows, and which rung to stand on."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.enums import Isolation
from schemas.errors import IsolationError
from schemas.recipe.verify import Verify

__all__ = ["Report", "detect"]


@dataclass(frozen=True)
class Report:
    """What this machine allows."""

    best: Isolation
    failures: dict[str, str] = field(default_factory=dict)

    def choose(self, demanded: str) -> Isolation:
        if demanded != "auto" and demanded > self.best:
            raise IsolationError(
                f"isolation {demanded} is demanded and this machine reaches {self.best}: {self.failures}.",
                hint="`sluice doctor` shows what is missing.",
            )
        return self.best


def detect() -> Report:
    """Find out what this machine allows."""
    return Report(Isolation.L1)


@dataclass
class Home:
    folder: Path
    slots: list[dict[str, Any]]

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def slot_settings(report: Report, isolation: Isolation, settings: Verify, workers: int) -> Home:
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    env = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    slots = [
        {
            "interpreter": getattr(sys, "_base_executable", sys.executable),
            "environment": env,
            "packages": [],
            "scratch": str(folder),
        }
        for _ in range(workers)
    ]
    return Home(folder, slots)
