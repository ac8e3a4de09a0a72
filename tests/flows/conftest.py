"""A whole build of the demo, shared by the tests that look at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.cli import _run
from flows.orchestration import prefect_server

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
        env={**_without_server(), **environment},
        check=False,
    )
    return Ran(found.returncode, found.stdout, found.stderr)


def _without_server() -> dict[str, str]:
    """Return the environment of a person who set nothing of Prefect's, whatever `server` has set here."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect server for all flows that run in this process; its address."""
    with prefect_server(tmp_path_factory.mktemp("server")):
        yield os.environ["PREFECT_API_URL"]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """The command line, in this process."""

    def asked(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = _run([*map(str, arguments)])
        return Ran(code, *capsys.readouterr())

    return asked


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
