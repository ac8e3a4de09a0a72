"""What a zygote reads of its children's time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curation.verify.inside.lockdown import Cage


@pytest.mark.parametrize(
    ("threads", "starved"),
    [
        ([(2, 7)], 7.0),
        ([(4, 0)], 0.0),
        ([(1, 9), (1, 9), (1, 9), (1, 9)], 24.0),
        ([(1, 3)] * 4, 0.0),
        ([(2, 6), (0, 1)], 6.0),
    ],
)
def test_waiting_for_siblings_is_not_starving(tmp_path: Path, threads: list[tuple[int, int]], starved: float) -> None:
    """What threads waited beyond all that their siblings ran is the machine's doing; the rest may be their own."""
    for number, (ran, waited) in enumerate(threads):
        task = tmp_path / "7" / "task" / str(number)
        task.mkdir(parents=True)
        (task / "schedstat").write_text(f"{ran}000000000 {waited}000000000 5\n")
    cage = Cage.__new__(Cage)
    cage.proc = os.open(tmp_path, os.O_RDONLY)
    try:
        assert starved == cage.starved_s(7)
        assert 0.0 == cage.starved_s(8)
    finally:
        os.close(cage.proc)
