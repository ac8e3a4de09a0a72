"""Judges at every rung this machine reaches, and the traps that an escape would spring."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.verify import Judge
from curation.verify.ladder import detect
from schemas.enums import Isolation
from schemas.recipe.verify import Verify

SETTINGS = Verify(time_limit_s=1.0, memory_mb=256, workers=2)
SECRET = "never-tell-3f1c"  # a canary, not a credential


@pytest.fixture(scope="session")
def judges() -> Iterator[dict[Isolation, Judge]]:
    """A judge per rung, started when first asked for."""
    made: dict[Isolation, Judge] = {}

    class Rungs(dict):
        def __missing__(self, rung: Isolation) -> Judge:
            if rung not in detect().reached:
                pytest.skip(f"this machine does not reach {rung}: {detect().failures.get(rung)}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self[rung] = made[rung] = Judge(SETTINGS, detect().capped(rung)).__enter__()
            return self[rung]

    yield Rungs()
    for judge in made.values():
        judge.__exit__(None, None, None)


@pytest.fixture(scope="session")
def judge(judges: dict[Isolation, Judge]) -> Judge:
    """A judge at the strongest rung."""
    return judges[detect().best]


@pytest.fixture(scope="session")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What hostile programs are told to go for: a secret, a file, a port, a socket, a process."""
    folder = tmp_path_factory.mktemp("outside")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o777)
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o666)
    os.environ["SLUICE_TEST_CANARY"] = SECRET
    with socket.socket() as port, socket.socket(socket.AF_UNIX) as abstract:
        port.bind(("127.0.0.1", 0))
        port.listen()
        name = f"sluice-{os.getpid()}"
        if sys.platform == "linux":
            abstract.bind(f"\0{name}")
            abstract.listen()
        victim = subprocess.Popen(["sleep", "3600"])
        yield {
            "ABSTRACT": name,
            "CANARY": str(folder / "canary"),
            "FOLDER": str(folder),
            "PID": str(os.getpid()),
            "PORT": str(port.getsockname()[1]),
            "REPOSITORY": str(Path(__file__).resolve().parents[3]),
            "SECRET": SECRET,
            "SECRETFILE": str(secret),
            "VICTIM": str(victim.pid),
        }
        victim.kill()
        victim.wait()
        del os.environ["SLUICE_TEST_CANARY"]


@pytest.fixture
def unharmed(traps: dict[str, str]) -> Iterator[None]:
    """Check after a program that nothing outside was touched."""
    yield
    assert not Path(traps["CANARY"]).exists()
    assert Path(traps["SECRETFILE"]).read_text() == SECRET
    assert [Path(traps["SECRETFILE"]).name] == [path.name for path in Path(traps["FOLDER"]).iterdir()]
    os.kill(int(traps["VICTIM"]), 0)
