"""The examples in docstrings: each prints what it says."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("schemas", "warehouse", "dedup", "privacy", "curation", "flows")
_MODULES = [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in _PACKAGES
    for path in sorted((_ROOT / package).rglob("*.py"))
    if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
]


@pytest.mark.parametrize("name", _MODULES)
def test_examples_print_what_they_say(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of a module runs, in an empty folder, and gives the result that stands below it."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)

    assert 0 < sum(len(found.examples) for found in doctest.DocTestFinder().find(module))
    assert 0 == doctest.testmod(module).failed
