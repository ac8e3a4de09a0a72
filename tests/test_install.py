"""A newcomer's first minutes: a clean clone, a fresh environment, the README's own commands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_a_clean_clone_installs_and_answers(tmp_path: Path) -> None:
    """`git clone`, `make`, and the command line works from the new environment, package data included."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(_ROOT), str(clone)], check=True)
    subprocess.run(["make", ".venv/.core", f"PYTHON={sys.executable}"], cwd=clone, check=True, capture_output=True)
    sluice = clone / ".venv" / "bin" / "sluice"
    for arguments in (["--version"], ["schema"], ["schema", "recipe"], ["plan", "recipes/demo.yaml"], ["doctor"]):
        ran = subprocess.run([sluice, *arguments], cwd=clone, capture_output=True, text=True, check=False)
        assert (0, "") == (ran.returncode, ran.stderr), arguments
    code = "import sys, schemas, warehouse, curation, dedup, privacy; print('torch' in sys.modules)"
    python = subprocess.run(
        [clone / ".venv" / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    )
    assert "False" == python.stdout.strip()


def test_the_locks_satisfy_what_the_project_asks_for() -> None:
    """Every dependency is in the core lock, every tool of the tests in the dev lock, which holds the former."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    core, dev = (_locked(name) for name in ("core", "dev"))
    extras = project["optional-dependencies"]
    tools = [*extras["dev"][1:], *extras["datasets"], *extras["spark"], *extras["fuzz"]]

    assert set() == {_name(line) for line in project["dependencies"]} - set(core)
    assert set() == {_name(line) for line in tools} - set(dev)
    assert core.items() <= dev.items()


def _locked(name: str) -> dict[str, str]:
    lines = (_ROOT / "requirements" / f"{name}.lock").read_text().splitlines()
    return {_name(line): line.partition("==")[2] for line in lines if line and not line.startswith("#")}


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=;, ]", requirement, maxsplit=1)[0].lower().replace("_", "-")
