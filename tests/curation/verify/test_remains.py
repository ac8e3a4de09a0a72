"""What judges leave behind, whatever they judged and however they ended: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from curation.verify import Judge, Task
from curation.verify.ladder import detect
from schemas.enums import Isolation, Status
from schemas.recipe.verify import Verify
from tests.hostile import SQUARES

SQUARE = "def f(x): return x * x"


def _calls(program: str) -> Task:
    return Task('{"kind": "calls", "entry_point": "f"}', json.dumps(SQUARES), program)


def _below() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.mark.parametrize("rung", list(Isolation))
@pytest.mark.filterwarnings("ignore:judged code")
def test_nothing_is_left_behind(rung: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After programs that leave files, threads and folders there is no process, descriptor or file more."""
    if rung not in detect().reached:
        pytest.skip(f"this machine does not reach {rung}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tmp_path.chmod(0o711)
    messy = "import os\nfor i in range(40): os.mkdir(f'd{i}'); os.chdir(f'd{i}')\nopen('x', 'w').close()\n" + SQUARE
    processes, descriptors = _below(), psutil.Process().num_fds()
    with Judge(Verify(workers=2), detect().capped(rung)) as judge:
        assert {Status.AC} == {j.status for j in judge.judge(_calls(messy) for _ in range(60))}
    assert (processes, descriptors) == (_below(), psutil.Process().num_fds())
    assert {"sluice-identities"} >= {path.name for path in tmp_path.iterdir()}


def _lives(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != "zombie"
    return False


def _gone(pids: list[int]) -> bool:
    for _ in range(1200):
        if not any(map(_lives, pids)):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("rung", list(Isolation))
def test_a_killed_judge_takes_everything_along(
    rung: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 of the judge no process of it lives on, and the next judge removes its folder."""
    if rung not in detect().reached:
        pytest.skip(f"this machine does not reach {rung}")
    script = textwrap.dedent(
        f"""
        from curation.verify import Judge, Task
        from curation.verify.ladder import detect
        from schemas.enums import Isolation
        from schemas.recipe.verify import Verify
        sleeper = Task('{{"kind": "stdio"}}', '[{{"input": "", "output": ""}}]', "import time; time.sleep(600)")
        with Judge(Verify(workers=3, time_limit_s=300), detect().capped(Isolation("{rung}"))) as judge:
            list(judge.judge([sleeper] * 3))
        """
    )
    tmp_path.chmod(0o711)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], cwd=root, env=environment)
    wanted = 3 * (2 if rung is not Isolation.L3 else 3 if os.geteuid() == 0 else 4)
    try:
        parent = psutil.Process(process.pid)
        for _ in range(600):
            below = parent.children(recursive=True)
            if len(below) >= wanted:
                break
            time.sleep(0.05)
        assert wanted == len(below)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _gone([child.pid for child in below])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert 1 == len(list(tmp_path.glob("sluice-judge-*")))
    with Judge(Verify(workers=1)) as judge:
        assert [judge._home.folder] == list(tmp_path.glob("sluice-judge-*"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rung", [Isolation.L2, Isolation.L3])
def test_memory_stays_flat_over_many_programs(rung: Isolation) -> None:
    """Ten thousand programs, of which every other one leaves a file, leave judge and zygotes as small as they were."""
    if rung not in detect().reached:
        pytest.skip(f"this machine does not reach {rung}")
    me, others = psutil.Process(), set(psutil.Process().children())
    programs = (SQUARE, f"open('left', 'w').close()\n{SQUARE}")
    with Judge(Verify(), detect().capped(rung)) as judge:
        sizes = []
        for number, judgement in enumerate(judge.judge(_calls(programs[n % 2]) for n in range(10_000))):
            assert Status.AC is judgement.status
            if number % 1000 == 999:
                zygotes = set(me.children()) - others
                sizes.append((me.memory_info().rss, sum(zygote.memory_info().rss for zygote in zygotes)))
    (judge_first, zygotes_first), *_, (judge_last, zygotes_last) = sizes
    assert judge_last < judge_first + (4 << 20)
    assert zygotes_last < zygotes_first + (256 << 10)
