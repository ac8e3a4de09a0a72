"""A release folder holds what was published, stands alone, and shows every harm done to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import GateFailed, InputError, WarehouseError
from schemas.recipe.publish import Publish
from schemas.records import PROMPT_SET, TEST_QUALITY
from tests.tables import prompt_row, prompt_rows
from warehouse.fingerprint import content_hash
from warehouse.release.info import Change, ReleaseInfo
from warehouse.release.licences import conflicts, roll_up
from warehouse.release.shards import shard_sizes
from warehouse.release.verify import FaultKind, verify_release
from warehouse.release.write import Release, write_release

_WHEN = datetime(2026, 3, 4, tzinfo=UTC)


def _info(**changes: object) -> ReleaseInfo:
    return ReleaseInfo("demo", "1.0.0", _WHEN, **changes)  # type: ignore[arg-type]


def _prompts() -> pl.DataFrame:
    first = [prompt_row(n, "stage1", license="MIT" if n % 2 else "CC-BY-4.0") for n in range(300)]
    return prompt_rows([*first, *(prompt_row(n, "stage2.1", license="MIT") for n in range(20))])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published prompt set of two phases, its rows out of order."""
    path = tmp_path_factory.mktemp("published") / "rows.parquet"
    _prompts().sample(fraction=1, shuffle=True, seed=3).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def release(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release of it."""
    folder = tmp_path_factory.mktemp("releases") / "demo" / "1.0.0"
    return write_release(
        [published],
        PROMPT_SET,
        _info(deviations=[{"setting": "medium", "chosen": 1, "paper": "bands by pass rate"}]),
        folder,
    )


def _hurt(release: Release, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(release.folder, folder)
    return folder


def test_the_manifest_adds_up(release: Release, published: Path):
    """Content hash, rows and per-shard sums are those of the published rows."""
    hashed, rows = content_hash([published], PROMPT_SET)
    shards = [shard for part in release.manifest["parts"] for shard in part["shards"]]
    assert (hashed, rows) == (release.manifest["content_hash"], release.manifest["rows"])
    assert rows == sum(shard["rows"] for shard in shards)
    assert [("drive", "stage1", 300, 2), ("drive", "stage2.1", 20, 1)] == [
        (part["config"], part["split"], part["rows"], len(part["shards"])) for part in release.manifest["parts"]
    ]
    assert {"CC-BY-4.0": 150, "MIT": 170} == release.manifest["licences"]["rows"]


def test_rows_lie_in_training_order(release: Release):
    """Reading the shards by name gives the rows of a phase by order_index."""
    shards = release.manifest["parts"][0]["shards"]
    indexes = [n for shard in shards for n in pq.read_table(release.folder / shard["path"])["order_index"].to_pylist()]
    assert list(range(300)) == indexes
    low = [pq.read_table(release.folder / shard["path"])["row_id"].to_pylist() for shard in shards]
    assert [(min(ids), max(ids)) for ids in low] == [(shard["min_id"], shard["max_id"]) for shard in shards]


def test_equal_rows_give_equal_bytes(release: Release, tmp_path: Path):
    """Another order and another file layout of the same rows give the same release, byte for byte."""
    _prompts().head(100).write_parquet(tmp_path / "a.parquet")
    _prompts().slice(100).reverse().write_parquet(tmp_path / "b.parquet", row_group_size=7)
    again = write_release(
        [tmp_path / "b.parquet", tmp_path / "a.parquet"],
        PROMPT_SET,
        _info(deviations=[{"setting": "medium", "chosen": 1, "paper": "bands by pass rate"}]),
        tmp_path / "again" / "1.0.0",
    )
    files = sorted(path.relative_to(again.folder) for path in again.folder.rglob("*.*") if path.is_file())
    assert sorted(p.relative_to(release.folder) for p in release.folder.rglob("*.*") if p.is_file()) == files
    assert all((release.folder / name).read_bytes() == (again.folder / name).read_bytes() for name in files)


def test_datasets_loads_the_folder(release: Release, published: Path, tmp_path: Path):
    """`load_dataset(folder)` gives every phase as a split, row for row and in order, from wherever it was moved."""
    datasets = pytest.importorskip("datasets")
    moved = _hurt(release, tmp_path)
    loaded = datasets.load_dataset(str(moved), cache_dir=str(tmp_path / "cache"))
    assert ["stage1", "stage2.1"] == list(loaded)
    for phase, rows in loaded.items():
        expected = pl.read_parquet(published).filter(phase=phase).sort("order_index")
        assert expected.to_dicts() == rows.to_list()


def test_croissant_is_valid_and_reads_back(release: Release):
    """`mlcroissant` finds no fault and reads the rows that were released."""
    mlcroissant = pytest.importorskip("mlcroissant")
    read = mlcroissant.Dataset(jsonld=str(release.folder / "croissant.json"))
    assert "" == (read.metadata.ctx.issues.report() or "")
    records = list(read.records("drive-stage2.1"))
    expected = _prompts().filter(phase="stage2.1").sort("order_index")
    assert expected["row_id"].to_list() == [row["drive-stage2.1/row_id"].decode() for row in records]
    assert expected["order_index"].to_list() == [row["drive-stage2.1/order_index"] for row in records]


def test_nothing_in_a_release_is_absolute(release: Release):
    """No document names the place where the release was written."""
    texts = [path.read_text() for path in release.folder.glob("*.*")]
    assert 6 == len(texts)
    assert not any(str(release.folder.parent) in text for text in texts)


def test_the_documents_tell_the_version(published: Path, tmp_path: Path):
    """Title, description, deviations and history appear where people look for them."""
    info = _info(
        history=[Change("1.0.0", _WHEN, "- 20 rows added"), Change("0.1.0", _WHEN, "First version.")],
        publish=Publish(title="Demo set", description="Made for a test.", shards=1),
        deviations=[{"setting": "ties", "chosen": "id", "paper": "ties by id"}],
    )
    made = write_release([published], PROMPT_SET, info, tmp_path / "1.0.0")
    card = (made.folder / "README.md").read_text()
    assert "Demo set" == yaml.safe_load(card.split("---")[1])["pretty_name"]
    assert all(text in card for text in ("# Demo set 1.0.0", "Made for a test.", "ties by id"))
    assert "## 1.0.0 (2026-03-04)\n\n- 20 rows added\n" in (made.folder / "CHANGELOG.md").read_text()


def test_any_contract_can_be_released(tmp_path: Path):
    """A table without curricula becomes one configuration with one split, sorted by its key."""
    frame = pl.DataFrame(
        {name: [0] * 3 for name in TEST_QUALITY.names}
        | {
            "problem_id": ["p_c", "p_a", "p_b"],
            "trivial_passed": [[]] * 3,
            "flaky": [False] * 3,
            "verifier_version": ["1"] * 3,
        },
        schema=pl.Schema(TEST_QUALITY.arrow),
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    made = write_release([tmp_path / "rows.parquet"], TEST_QUALITY, _info(), tmp_path / "1.0.0")
    shard = made.folder / "data/default/train/00000-of-00001.parquet"
    assert ["p_a", "p_b", "p_c"] == pq.read_table(shard)["problem_id"].to_pylist()
    assert [] == verify_release(made.folder)


def test_a_version_is_never_written_twice(release: Release, published: Path, tmp_path: Path):
    """The same rows return the release that is there; other rows are refused, and it stays as it is."""
    again = write_release([published], PROMPT_SET, _info(run_id="another"), release.folder)
    assert release.manifest == again.manifest
    _prompts().head(7).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(WarehouseError, match="never changes"):
        write_release([tmp_path / "other.parquet"], PROMPT_SET, _info(), release.folder)
    assert [] == verify_release(release.folder)


def test_a_refused_release_leaves_nothing(tmp_path: Path):
    """A phase whose name no reader could use is refused, and nothing is left behind."""
    prompt_rows([prompt_row(0, "../../etc")]).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="cannot name a folder"):
        write_release([tmp_path / "rows.parquet"], PROMPT_SET, _info(), tmp_path / "releases" / "1.0.0")
    assert [] == list((tmp_path / "releases").iterdir())


def test_an_empty_release_is_refused(tmp_path: Path):
    """No rows, no release."""
    prompt_rows([]).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="no rows"):
        write_release([tmp_path / "rows.parquet"], PROMPT_SET, _info(), tmp_path / "1.0.0")


def _remove(folder: Path) -> None:
    next(folder.rglob("*.parquet")).unlink()


def _add(folder: Path) -> None:
    (folder / "data/drive/stage1/extra.parquet").write_bytes(b"")


def _flip(folder: Path) -> None:
    path = next(folder.rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut(folder: Path) -> None:
    path = next(folder.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-9])


def _edit_card(folder: Path) -> None:
    path = folder / "README.md"
    path.write_text(path.read_text().replace("MIT", "mit"))


def _edit_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"rows": 300', '"rows": 301'))


def _respell_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))


def _link(folder: Path) -> None:
    path = folder / "CHANGELOG.md"
    path.unlink()
    path.symlink_to("README.md")


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (_remove, FaultKind.MISSING),
        (_add, FaultKind.EXTRA),
        (_flip, FaultKind.ALTERED),
        (_cut, FaultKind.TRUNCATED),
        (_edit_card, FaultKind.ALTERED),
        (_edit_manifest, FaultKind.ALTERED),
        (_respell_manifest, FaultKind.ALTERED),
        (_link, FaultKind.ALTERED),
    ],
)
def test_every_harm_is_found(release: Release, tmp_path: Path, harm: Callable[[Path], None], expected: FaultKind):
    """One changed byte, one file more or less, one edited number: the folder is no longer the release."""
    assert [] == verify_release(release.folder)
    folder = _hurt(release, tmp_path)
    harm(folder)
    assert expected in {fault.kind for fault in verify_release(folder)}


def test_a_manifest_cannot_reach_outside(release: Release, tmp_path: Path):
    """A resealed manifest naming a file outside the folder is a fault, and that file is not read."""
    from warehouse.release.manifest import render, seal

    folder = _hurt(release, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0]["path"] = "../secret"
    (folder / "manifest.json").write_text(render(seal(manifest)))
    assert "outside the release" in " ".join(fault.detail for fault in verify_release(folder))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"format": "other"}', '{"format": "sluice-release/1"}'])
def test_without_a_manifest_there_is_no_release(tmp_path: Path, content: str | None):
    """A missing, broken, foreign or hollow manifest is a clear error."""
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="manifest"):
        verify_release(tmp_path)


@given(st.integers(0, 10**7), st.integers(1, 512), st.integers(1, 4096))
def test_shards_cover_all_rows_evenly(rows: int, shards: int, least: int):
    """Shard sizes sum to the rows, differ by at most one, and are never more than asked for."""
    sizes = shard_sizes(rows, Publish(shards=shards, min_shard_rows=least))
    assert rows == sum(sizes)
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == 1 or (len(sizes) <= shards and min(sizes) >= least)


@pytest.mark.parametrize(
    ("licences", "clash"),
    [
        (["MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0"], False),
        (["CC-BY-SA-4.0", "CC-BY-4.0"], False),
        (["CC-BY-SA-3.0", "CC-BY-SA-4.0"], False),
        (["CC-BY-SA-4.0", "GPL-3.0-only"], False),
        (["CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"], False),
        (["LicenseRef-unknown"], False),
        (["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"], True),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], True),
        (["GPL-2.0-only", "GPL-3.0-only"], True),
        (["CC-BY-ND-4.0"], True),
        (["MIT", "LicenseRef-unknown"], True),
    ],
)
def test_licences_that_clash(licences: list[str], clash: bool):  # noqa: FBT001 - a parametrised expectation
    """What the licences' own terms forbid to mix is named, in any order, and nothing else."""
    assert clash == bool(conflicts(licences)) == bool(conflicts(reversed(licences)))


def test_a_clash_is_refused_unless_accepted():
    """The error counts the rows of each side; accepting one side records the clash instead."""
    rows = {"CC-BY-SA-4.0": 7, "CC-BY-NC-4.0": 2}
    with pytest.raises(GateFailed, match=r"CC-BY-NC-4.0 \(2 rows\) with CC-BY-SA-4.0 \(7 rows\)"):
        roll_up(rows)
    rolled = roll_up(rows, accept=["CC-BY-NC-4.0"])
    assert ("CC-BY-NC-4.0 AND CC-BY-SA-4.0", 1) == (rolled.expression, len(rolled.accepted))
