"""The folder that programs work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.verify.inside.scratch import Scratch


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Folders within a temporary one, at the rungs without a file system of their own."""
    monkeypatch.chdir(tmp_path)
    return Scratch(str(tmp_path), None, None)


def test_an_untouched_folder_is_kept(scratch: Scratch) -> None:
    """A job that leaves nothing behind gives its folder to the next."""
    assert scratch.provide()
    scratch.settle()
    assert not scratch.provide()


def test_used_folders_are_replaced_where_they_were(scratch: Scratch) -> None:
    """However many jobs leave files, each finds its folder empty and under one name: names in HOME cost memory."""
    places = set()
    for _ in range(5):
        assert scratch.provide()
        assert [] == list(Path(scratch.path).iterdir())
        (Path(scratch.path) / "left").touch()
        places.add(scratch.path)
        scratch.settle()
    assert 1 == len(places)
    assert not any(Path(place).exists() for place in places)


def test_a_folder_that_cannot_go_is_passed_over(scratch: Scratch) -> None:
    """Where something keeps the name taken, the next job works elsewhere."""
    scratch.provide()
    taken = scratch.path
    (Path(taken) / "left").touch()
    scratch.settle()
    Path(taken).mkdir()
    assert scratch.provide()
    assert taken != scratch.path
    scratch.settle()
