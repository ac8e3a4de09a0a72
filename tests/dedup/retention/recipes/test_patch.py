"""Patches from one file to another."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.retention.recipes import patch as patches
from dedup.retention.recipes.patch import applied, difference
from schemas.errors import InputError


def _files(folder: Path, base: bytes, target: bytes) -> tuple[Path, Path]:
    (folder / "base").write_bytes(base)
    (folder / "target").write_bytes(target)
    return folder / "base", folder / "target"


def _back(base: Path, blocks: list[bytes]) -> bytes:
    out = io.BytesIO()
    applied(base, blocks, out)
    return out.getvalue()


@given(base=st.binary(max_size=300), target=st.binary(max_size=300))
def test_a_patch_gives_the_target(tmp_path_factory: pytest.TempPathFactory, base: bytes, target: bytes) -> None:
    """Any file becomes any other one, empty ones included."""
    old, new = _files(tmp_path_factory.mktemp("patch"), base, target)
    assert target == _back(old, list(difference(old, new)))


@pytest.mark.parametrize("shift", [-3, 0, 5])
def test_large_files_go_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: int) -> None:
    """Several blocks, each against its stretch of the base, give the target and stay small."""
    for name, size in (("WHOLE", 1 << 16), ("_BLOCK", 1 << 16), ("_SLACK", 1 << 12)):
        monkeypatch.setattr(patches, name, size)
    draw = random.Random(1)
    lines = [f"{number},{draw.random()}\n" for number in range(20_000)]
    edited = [line.upper() if number % 1000 else line + "x" * max(shift, 0) for number, line in enumerate(lines)]
    old, new = _files(tmp_path, "".join(lines).encode(), "".join(edited[max(-shift, 0) :]).encode())
    blocks = list(difference(old, new))
    assert len(blocks) > 5
    assert new.read_bytes() == _back(old, blocks)
    assert sum(map(len, blocks)) < new.stat().st_size / 50


def test_a_patch_refuses_another_base(tmp_path: Path) -> None:
    """A base that is too short, and a block cut off, are named instead of giving other bytes in silence."""
    content = random.Random(2).randbytes(5_000)
    old, new = _files(tmp_path, content, content[100:] + b"!")
    blocks = list(difference(old, new))
    with pytest.raises(InputError, match="does not fit"):
        _back(old, [blocks[0][:-9]])
    old.write_bytes(content[:50])
    with pytest.raises(InputError, match="does not fit"):
        _back(old, blocks)
