"""Two versions of a release, stand-ins for the places they are pushed to, and a process that pushes until killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.recipe.publish import Publish
from schemas.records import PROMPT_SET
from tests.tables import prompt_row, prompt_rows
from tests.warehouse.release.push.hdfs import HdfsStandIn
from tests.warehouse.release.push.hub import HubStandIn
from warehouse.release.info import ReleaseInfo
from warehouse.release.write import write_release

_ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Versions 1.0.0 and 1.1.0 of a dataset: eight shards, then four that hold other rows."""
    root = tmp_path_factory.mktemp("released")
    made = {}
    for version, rows, shards in (("1.0.0", 64, 8), ("1.1.0", 48, 4)):
        prompt_rows([prompt_row(n) for n in range(rows)]).write_parquet(root / "rows.parquet")
        publish = Publish(shards=shards, min_shard_rows=1)
        info = ReleaseInfo("demo", version, datetime(2026, 1, 1, tzinfo=UTC), publish=publish)
        made[version] = write_release([root / "rows.parquet"], PROMPT_SET, info, root / "demo" / version).folder
    return made


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A Hub on this machine, that `huggingface_hub` talks to over plain LFS."""
    constants = pytest.importorskip("huggingface_hub.constants")
    with HubStandIn() as standing:
        monkeypatch.setattr(constants, "ENDPOINT", standing.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", standing.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_ENDPOINT", standing.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_TOKEN", standing.token)
        yield standing


@pytest.fixture
def hdfs() -> Iterator[HdfsStandIn]:
    """A store on this machine."""
    pytest.importorskip("fsspec")
    with HdfsStandIn() as standing:
        yield standing


class Pusher:
    """A process that pushes in processes of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "killable.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )

    def push(self, folder: Path, to: str, before: Callable[[int], None] = lambda _: None) -> int:
        """Push, ``before`` being told the process that will; return its exit status, negative if it was killed."""
        self._say(json.dumps({"folder": str(folder), "to": to}))
        before(int(self.process.stdout.readline()))
        self._say("go")
        return os.waitstatus_to_exitcode(int(self.process.stdout.readline()))

    def _say(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@pytest.fixture
def pusher(request: pytest.FixtureRequest) -> Iterator[Pusher]:
    """A process that pushes; it begins after the stand-ins that the test asks for."""
    for name in ("hub", "hdfs"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    one = Pusher()
    yield one
    one.process.stdin.close()
    one.process.wait(timeout=60)
    one.process.stdout.close()
