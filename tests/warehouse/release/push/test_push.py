"""A pushed release is whole or not there, a killed push goes on where it stood, and no version is overwritten."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.errors import InputError, UsageError, WarehouseError
from tests.warehouse.release.push.hdfs import HdfsStandIn
from tests.warehouse.release.push.hub import HubStandIn
from warehouse.reading import Reader
from warehouse.release.push import push
from warehouse.release.push.place import masked
from warehouse.release.verify import verify_release

KILLS = 8
_REPOSITORY = "hf://datasets/somebody/demo"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_mirror_holds_what_was_released(releases: dict[str, Path], tmp_path: Path):
    """Every byte arrives, nothing else is there, and a second push sends nothing."""
    folder = releases["1.0.0"]
    pushed = push(folder, str(tmp_path))
    assert (len(_files(folder)), 0, str(tmp_path / "demo/1.0.0")) == (
        len(pushed.sent),
        len(pushed.held),
        pushed.where,
    )
    assert _files(folder) == _files(tmp_path / "demo/1.0.0")
    assert [] == verify_release(tmp_path / "demo/1.0.0")
    again = push(folder, str(tmp_path))
    assert ((), len(_files(folder))) == (again.sent, len(again.held))


def test_a_dry_run_sends_nothing(releases: dict[str, Path], tmp_path: Path, hub: HubStandIn, hdfs: HdfsStandIn):
    """It names what would be sent to each place, and the place stays as it was."""
    for to in (str(tmp_path / "mirror"), _REPOSITORY, hdfs.url):
        pushed = push(releases["1.0.0"], to, dry_run=True)
        assert (set(_files(releases["1.0.0"])), "") == ({item.path for item in pushed.sent}, pushed.where)
    assert not (tmp_path / "mirror").exists()
    assert ({}, {}) == (hub.repos, hdfs.files)


def test_a_store_is_read_like_the_folder(releases: dict[str, Path], hdfs: HdfsStandIn):
    """The reader takes the release from the store, row for row."""
    pushed = push(releases["1.0.0"], hdfs.url)
    assert f"{hdfs.url}/demo/1.0.0" == pushed.where
    assert _files(releases["1.0.0"]) == hdfs.release("demo/1.0.0")
    assert list(Reader(releases["1.0.0"])) == list(Reader(pushed.where))


def test_the_hub_gets_one_commit_and_a_tag(releases: dict[str, Path], hub: HubStandIn, tmp_path: Path):
    """The tagged commit, downloaded by `huggingface_hub`, is the release; a version more is a commit more."""
    from huggingface_hub import snapshot_download

    pushed = push(releases["1.0.0"], _REPOSITORY)
    repo = hub.repos["somebody/demo"]
    assert (1, pushed.where, "private") == (hub.commits, repo["tags"]["1.0.0"], repo["visibility"])
    later = push(releases["1.1.0"], _REPOSITORY)
    assert (2, later.where) == (hub.commits, repo["head"])
    for version, folder in releases.items():
        got = snapshot_download("somebody/demo", repo_type="dataset", revision=version, cache_dir=str(tmp_path))
        assert _files(folder) == _files(Path(got))
    assert pushed.where == push(releases["1.0.0"], _REPOSITORY).where
    assert (2, later.where) == (hub.commits, repo["head"])


def test_what_the_hub_adds_of_its_own_is_no_fault(releases: dict[str, Path], tmp_path: Path):
    """`.gitattributes`, which the Hub keeps in each repository, is neither removed nor an extra file."""
    copy = tmp_path / "copy"
    shutil.copytree(releases["1.0.0"], copy)
    (copy / ".gitattributes").write_text("*.parquet filter=lfs\n")
    assert [] == verify_release(copy)


@pytest.mark.parametrize("kind", ["mirror", "store", "hub"])
def test_another_release_of_the_version_is_never_overwritten(  # noqa: PLR0913, PLR0917 - fixtures
    kind: str,
    releases: dict[str, Path],
    tmp_path: Path,
    hub: HubStandIn,
    hdfs: HdfsStandIn,
    forged: Callable[[Path], Path],
):
    """Other content under the same name and version is refused, and what is there stays."""
    to = {"mirror": str(tmp_path / "mirror"), "store": hdfs.url, "hub": _REPOSITORY}[kind]
    push(releases["1.0.0"], to)
    before = (dict(hdfs.files), json.dumps(hub.repos), _files(tmp_path / "mirror"))
    with pytest.raises(WarehouseError, match="never changes"):
        push(forged(releases["1.1.0"]), to)
    assert before == (dict(hdfs.files), json.dumps(hub.repos), _files(tmp_path / "mirror"))


@pytest.fixture
def forged(tmp_path: Path) -> Callable[[Path], Path]:
    """Make a release that calls itself 1.0.0 and holds other rows."""
    from warehouse.release.manifest import render, seal

    def make(folder: Path) -> Path:
        copy = tmp_path / "forged"
        shutil.copytree(folder, copy)
        manifest = json.loads((copy / "manifest.json").read_text()) | {"version": "1.0.0"}
        (copy / "manifest.json").write_text(render(seal(manifest)))
        return copy

    return make


def test_a_damaged_release_is_not_pushed(releases: dict[str, Path], tmp_path: Path):
    """What differs from its manifest goes nowhere."""
    copy = tmp_path / "copy"
    shutil.copytree(releases["1.0.0"], copy)
    next(copy.rglob("*.parquet")).write_bytes(b"")
    with pytest.raises(InputError, match="is not the release that was published"):
        push(copy, str(tmp_path / "mirror"))
    assert not (tmp_path / "mirror").exists()


def test_what_was_lost_at_a_place_is_sent_again(releases: dict[str, Path], tmp_path: Path, hdfs: HdfsStandIn):
    """A file that a mirror or a store lost or damaged is found by its digest, and it alone is sent."""
    for to in (str(tmp_path), hdfs.url):
        push(releases["1.0.0"], to)
    shard = next(path for path in _files(releases["1.0.0"]) if path.endswith(".parquet"))
    (tmp_path / "demo/1.0.0" / shard).write_bytes(b"x" * (releases["1.0.0"] / shard).stat().st_size)
    del hdfs.files[f"/shelf/demo/1.0.0/{shard}"]
    for to in (str(tmp_path), hdfs.url):
        assert [shard] == [item.path for item in push(releases["1.0.0"], to).sent]
    assert _files(releases["1.0.0"]) == hdfs.release("demo/1.0.0") == _files(tmp_path / "demo/1.0.0")


def test_a_killed_push_to_the_hub_goes_on(releases: dict[str, Path], hub: HubStandIn, pusher):
    """Killed in the middle of upload after upload, no reader sees a part, and no file is uploaded twice."""
    folder = releases["1.0.0"]
    shards = sum(path.endswith(".parquet") for path in _files(folder))
    for done in range(1, shards):
        assert -signal.SIGKILL == pusher.push(folder, _REPOSITORY, lambda pid: hub.kill_during(1, pid))
        assert (done, 0) == (len(hub.uploads), hub.commits)
    assert 0 == pusher.push(folder, _REPOSITORY)
    assert {1} == set(Counter(hub.uploads).values())
    assert (shards, 1) == (len(hub.uploads), hub.commits)
    repo = hub.repos["somebody/demo"]
    assert set(_files(folder)) == set(repo["commits"][repo["tags"]["1.0.0"]])


def test_a_killed_push_to_a_store_goes_on(releases: dict[str, Path], hdfs: HdfsStandIn, pusher):
    """Killed in random uploads, the manifest is never there before everything else is, and whole files stay."""
    folder, files = releases["1.0.0"], _files(releases["1.0.0"])
    draw = random.Random(7)
    for _ in range(KILLS):
        point = draw.randrange(4)
        status = pusher.push(folder, hdfs.url, lambda pid, point=point: hdfs.kill_during(point, pid))
        there = hdfs.release("demo/1.0.0")
        assert -signal.SIGKILL == status or "manifest.json" in there
        assert "manifest.json" not in there or files == there
        assert all(files[path] == content for path, content in there.items() if not path.endswith(".part"))
    assert 0 == pusher.push(folder, hdfs.url)
    assert files == hdfs.release("demo/1.0.0")


def test_a_killed_push_to_a_mirror_goes_on(releases: dict[str, Path], tmp_path: Path, pusher):
    """Killed at random moments, the version's folder is whole or absent, and the last push makes it whole."""
    folder = releases["1.0.0"]
    draw = random.Random(3)
    killed = 0
    for number in range(KILLS):
        to = tmp_path / str(number)
        delay = draw.random() * 0.03
        killed += pusher.push(folder, str(to), lambda pid, delay=delay: _strike(pid, delay)) == -signal.SIGKILL
        assert not (to / "demo/1.0.0").exists() or [] == verify_release(to / "demo/1.0.0")
        assert 0 == pusher.push(folder, str(to))
        assert _files(folder) == _files(to / "demo/1.0.0")
        assert not (to / "demo/.1.0.0.partial").exists()
    assert killed


def _strike(pid: int, delay: float) -> None:
    def kill() -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    threading.Timer(delay, kill).start()


def test_secrets_are_told_to_nobody(releases: dict[str, Path], hub: HubStandIn, monkeypatch: pytest.MonkeyPatch):
    """A wrong token, and a store's address with a password in it, fail without being repeated."""
    monkeypatch.setenv("HF_TOKEN", "hf_wrongButSecret")
    with pytest.raises(WarehouseError) as refused:
        push(releases["1.0.0"], _REPOSITORY)
    assert "401" in str(refused.value)
    assert "hf_wrongButSecret" not in str(refused.value)
    assert hub.repos == {}
    with pytest.raises(WarehouseError) as unreachable:
        push(releases["1.0.0"], "webhdfs://me:sesame@127.0.0.1:9/shelf")
    assert "sesame" not in str(unreachable.value)
    assert "webhdfs://***@127.0.0.1:9/shelf" in str(unreachable.value)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("https://u:p@host/x", "https://***@host/x"),
        ("token hf_abcdefgh refused", "token *** refused"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("s3://bucket/plain", "s3://bucket/plain"),
    ],
)
def test_credentials_are_masked(told: str, shown: str):
    """Passwords in addresses, tokens and bearer headers are stars; everything else stays."""
    assert shown == masked(told)


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        ("hf://datasets/demo", UsageError, "names no repository"),
        ("nowhere://bucket/x", InputError, "names no store"),
    ],
)
def test_places_that_cannot_be(to: str, error: type[Exception], message: str, releases: dict[str, Path]):
    """An address that names nothing is a clear error."""
    with pytest.raises(error, match=message):
        push(releases["1.0.0"], to)
