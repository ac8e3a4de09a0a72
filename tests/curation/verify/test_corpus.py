"""Every program of the corpus gets the verdict it deserves, and none touches anything outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from multiprocessing import Process
from pathlib import Path

import pytest

from curation.verify import Judge
from curation.verify.ladder import detect
from schemas.enums import Isolation
from tests.hostile import GROUPS, Program, corpus

QUICK = ("forging", "outside", "unusual")
ROOT = Path(__file__).resolve().parents[3]


def _programs(*groups: str) -> list:
    return [pytest.param(program, id=program.id) for group in groups for program in corpus(group)]


def _check(judge: Judge, program: Program, traps: dict[str, str]) -> None:
    tasks = list(program.tasks(traps))
    judgements = list(judge.judge(tasks))
    assert 0 < len(tasks) == len(judgements)
    for judgement in judgements:
        assert judgement.status in program.expected, (judgement.status, judgement.detail)
        assert judge.isolation == judgement.isolation


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("program", _programs(*QUICK))
def test_quick_programs_at_the_strongest_rung(judge: Judge, traps: dict[str, str], program: Program) -> None:
    """Forged success is refused, escapes fail, unusual but right programs are accepted."""
    _check(judge, program, traps)


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("program", _programs("forging", "unusual"))
def test_quick_programs_one_rung_down(judges: dict, traps: dict[str, str], program: Program) -> None:
    """Without namespaces the verdicts are the same."""
    _check(judges[Isolation.L2], program, traps)


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("program", _programs("outside"))
def test_escapes_one_rung_down(judges: dict, traps: dict[str, str], program: Program) -> None:
    """Seccomp, Landlock and identity alone hold every escape."""
    _check(judges[Isolation.L2], program, traps)


@pytest.mark.slow
@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("rung", [Isolation.L2, Isolation.L3])
@pytest.mark.parametrize("program", _programs("endless", "exhausting"))
def test_programs_that_eat_the_machine(judges: dict, traps: dict[str, str], program: Program, rung: Isolation) -> None:
    """Loops, sleeps, bombs and floods end at their limit, each with the status of that limit."""
    _check(judges[rung], program, traps)


@pytest.mark.slow
@pytest.mark.parametrize("program", _programs("forging", "endless", "unusual"))
def test_limits_alone(judges: dict, traps: dict[str, str], tmp_path: Path, program: Program) -> None:
    """Verdicts at the weakest rung are right too; it promises nothing about escapes, so its traps are its own."""
    if program.title == "multiprocessing":
        pytest.skip("limits alone do not refuse processes")
    own = {"FOLDER": str(tmp_path), "CANARY": str(tmp_path / "canary"), "SECRETFILE": str(tmp_path / "secret")}
    _check(judges[Isolation.L1], program, {**traps, **own})


def _spin() -> None:
    while True:
        pass


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_verdicts_under_load_and_again(judge: Judge, traps: dict[str, str]) -> None:
    """With as many busy loops as cores, and asked again, every verdict of the corpus stays right."""
    programs = [program for group in GROUPS for program in corpus(group)]
    pairs = [(program, task) for program in programs for task in program.tasks(traps)]
    loops = [Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for loop in loops:
        loop.start()
    try:
        for _ in range(2):
            judged = judge.judge(task for _, task in pairs)
            wrong = [(p.id, j.status) for (p, _), j in zip(pairs, judged, strict=True) if j.status not in p.expected]
            assert [] == wrong
    finally:
        for loop in loops:
            loop.kill()


def _interpreter() -> str | None:
    """Return a Python of this version that an ordinary user can start."""
    for candidate in (
        sys.executable,
        shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin"),
    ):
        if candidate and all(folder.stat().st_mode & 1 for folder in Path(candidate).resolve().parents):
            return candidate
    return None


def _as_ordinary_user(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python as a user without rights, in this checkout and with what this one can import."""
    python = _interpreter()
    if python is None:
        pytest.skip("no Python that an ordinary user can start")
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    site = [path for path in sys.path if path.endswith("site-packages")]
    environment = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *site]),
        "TMPDIR": str(tmp_path),
    }
    return subprocess.run(
        [python, *arguments],
        cwd=ROOT,
        env=environment,
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the suite runs as an ordinary user already")
def test_an_ordinary_user_reaches_the_strongest_rung(tmp_path: Path) -> None:
    """Where user namespaces are to be had, a judge without rights isolates as strongly as root's."""
    try:
        subprocess.run(["unshare", "-Urmpf", "--mount-proc", "true"], check=True, user=65534, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no user namespaces for ordinary users: {error}")
    script = "from curation.verify.ladder import detect; print(detect().best.value)"
    done = _as_ordinary_user(tmp_path, "-c", script)
    assert detect().best.value == done.stdout.strip(), done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(os.geteuid() != 0, reason="the suite runs as an ordinary user already")
def test_as_an_ordinary_user(tmp_path: Path) -> None:
    """The same corpus holds when the judge has no rights of its own."""
    arguments = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow", str(Path(__file__))]
    done = _as_ordinary_user(tmp_path, *arguments)
    assert 0 == done.returncode, done.stdout[-3000:]
