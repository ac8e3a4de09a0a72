"""The direction of imports, and what importing a package may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_RANK = {"schemas": 0, "warehouse": 1, "dedup": 2, "privacy": 2, "curation": 2, "flows": 3}
_HEAVY = ("torch", "vllm", "pyspark", "prefect", "great_expectations", "datasets", "transformers")


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    absolute = {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return absolute | {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }


@pytest.mark.parametrize("package", _RANK)
def test_imports_follow_the_direction(package: str) -> None:
    """Lower packages never import higher ones, and dedup, privacy and curation stay apart."""
    wrong = [
        f"{path.relative_to(_ROOT)} imports {name}"
        for path in (_ROOT / package).rglob("*.py")
        for name in _imports(path) & set(_RANK) - {package}
        if _RANK[name] >= _RANK[package]
    ]

    assert [] == wrong


@pytest.mark.parametrize("package", [name for name in _RANK if name != "flows"])
def test_importing_a_package_pulls_nothing_heavy(package: str) -> None:
    """Each module of a package imports without torch, vllm, pyspark, prefect, great_expectations or datasets."""
    modules = [
        ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((_ROOT / package).rglob("*.py"))
        if path.stem != "__main__" and "templates" not in path.parts
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {_HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=_ROOT, check=False)

    assert ("", 0) == (result.stderr, result.returncode)
    assert "" == result.stdout.strip()
