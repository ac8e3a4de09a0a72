"""A whole build of the demo, shared by the tests that look at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def sluice(*arguments: str | Path, timeout: float = 900, **environment: str) -> Ran:
    """Run the command line in a process of its own, from the checkout."""
    code = "from flows.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=timeout,
        env={**os.environ, **environment},
        check=False,
    )
    return Ran(found.returncode, found.stdout, found.stderr)


@dataclass(frozen=True)
class Demo:
    """The demo, built: its warehouse and what the command told."""

    root: Path
    told: dict[str, Any]

    def ask(self, *arguments: str | Path) -> Ran:
        """Run a command on the demo's warehouse."""
        return sluice(*arguments, "--warehouse", self.root)

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return self.ask("sql", query, "--json").json


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, built through a real Prefect server as a newcomer builds it."""
    root = tmp_path_factory.mktemp("demo") / "warehouse"
    ran = sluice("run", "recipes/demo.yaml", "--warehouse", root, "--json")
    assert (0, "") == (ran.code, "" if ran.code == 0 else ran.err)
    return Demo(root, ran.json)


@pytest.fixture
def command() -> Callable[..., Ran]:
    """The command line."""
    return sluice
