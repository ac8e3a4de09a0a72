"""Paths in recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.recipe.paths import located


def test_relative_paths_begin_at_the_recipe() -> None:
    """What is not absolute is looked for beside the recipe."""
    assert Path("recipes/a.jsonl") == located("a.jsonl", Path("recipes"))
    assert Path("/data/a.jsonl") == located("/data/a.jsonl", Path("recipes"))


def test_a_setting_of_the_machine_stands_for_its_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`${NAME}` is an environment variable; relative values begin where the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_TEST_DATA", "here")

    assert tmp_path / "here" / "a.jsonl" == located("${SLUICE_TEST_DATA}/a.jsonl", Path("recipes"))


def test_a_setting_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which variable to export."""
    monkeypatch.delenv("SLUICE_TEST_DATA", raising=False)

    with pytest.raises(InputError, match="SLUICE_TEST_DATA, which is not set"):
        located("${SLUICE_TEST_DATA}/a.jsonl", Path("recipes"))
