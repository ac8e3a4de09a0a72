"""Exports and pushes through the command line: options reach the export, refusals are told, secrets are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.cli import _run
from schemas.records import PROMPT_SET
from tests.built import DATASET, build
from warehouse.release.info import ReleaseInfo
from warehouse.release.verify import verify_release
from warehouse.release.write import write_release


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with two versions, the later one released, to export from and push from."""
    warehouse = build(tmp_path_factory.mktemp("built") / "warehouse")
    version = warehouse.version(DATASET)
    info = ReleaseInfo(version.name, version.version, version.published_at)
    folder = warehouse.root / "releases" / version.name / version.version
    write_release(warehouse.files(version.name, version.version), PROMPT_SET, info, folder)
    return warehouse.root


def _asked(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str, str]:
    code = _run(list(map(str, arguments)))
    said = capsys.readouterr()
    return code, said.out, said.err


def _json(capsys: pytest.CaptureFixture, *arguments: object) -> Any:
    code, out, err = _asked(capsys, *arguments, "--json")
    assert 0 == code, err
    return json.loads(out)


def test_all_targets_are_written_or_told_why_not(house: Path, capsys: pytest.CaptureFixture, tmp_path: Path):
    """`--all` writes what the rows allow, says why the rest is refused, and what it wrote passes `--check`."""
    done = _json(capsys, "export", DATASET, "--all", "-w", house, "--out", tmp_path / "out")
    written = {one["target"] for one in done if not one["refused"]}
    refused = {one["target"]: one["refused"] for one in done if one["refused"]}
    assert written == {path.name for path in (tmp_path / "out").iterdir()}
    assert {"verl-rl", "trl-prompt-only", "mds", "verifiers-taskset"} <= written
    assert "no_steps" in refused["trl-stepwise"]
    code, out, _ = _asked(capsys, "export", DATASET, "--all", "--check", "-w", house, "--out", tmp_path / "out")
    assert (0, len(written)) == (code, out.replace("\n", " ").count("as its trainer reads it"))


def test_options_reach_the_export(house: Path, capsys: pytest.CaptureFixture, tmp_path: Path):
    """Phase, batch size, further columns and seed stand in what was written."""
    out = tmp_path / "out"
    told = ("--phase", "drive-stage1", "--batch-size", 2, "--column", "band", "--seed", 5)
    _json(capsys, "export", DATASET, "--to", "trl-prompt-only", *told, "-w", house, "--out", out)
    parts = json.loads((out / "export.json").read_text())["parts"]
    assert [("drive", "stage1")] == [(part["curriculum"], part["phase"]) for part in parts]
    assert "band" in pl.read_parquet_schema(out / parts[0]["path"])
    code, said, _ = _asked(capsys, "export", DATASET, "--to", "verl-rl", "--batch-size", 1000, "-w", house)
    assert 11 == code
    assert "no_batch" in said


def test_a_refusal_is_told_with_its_reasons(house: Path, capsys: pytest.CaptureFixture):
    """One target asked for and refused: exit code 11, the reason and a hint."""
    code, out, _ = _asked(capsys, "export", DATASET, "--to", "verl-sft", "--in-order", "-w", house)
    assert 11 == code
    assert "shuffles the rows" in out


def test_a_limit_needs_a_tokenizer(house: Path, capsys: pytest.CaptureFixture):
    """Prompts are counted with the tokenizer that will be trained with, or not at all."""
    code, _, err = _asked(capsys, "export", DATASET, "--to", "verl-rl", "--max-prompt-tokens", 9, "-w", house)
    assert 2 == code
    assert "go together" in err


def test_nothing_to_check(house: Path, capsys: pytest.CaptureFixture):
    """Checking before anything was exported is a clear error."""
    code, _, err = _asked(capsys, "export", DATASET, "--all", "--check", "-w", house)
    assert 3 == code
    assert "nothing was exported yet" in err


def test_a_release_is_pushed_to_a_mirror(house: Path, capsys: pytest.CaptureFixture, tmp_path: Path):
    """A dry run tells, a push sends, another push finds everything there."""
    mirror = tmp_path / "mirror"
    dry = _json(capsys, "push", DATASET, mirror, "--dry-run", "-w", house)
    assert not mirror.exists()
    sent = _json(capsys, "push", DATASET, mirror, "-w", house)
    assert dry["sent"] == sent["sent"]
    assert [] == verify_release(Path(sent["where"]))
    code, out, _ = _asked(capsys, "push", DATASET, mirror, "-w", house)
    assert 0 == code
    assert f"sent 0 files (0 bytes), {len(sent['sent'])} were there already" in out.replace("\n", " ")


def test_a_place_that_cannot_be_reached(house: Path, capsys: pytest.CaptureFixture):
    """The error names the place without its password, and says what to do."""
    code, out, err = _asked(capsys, "push", DATASET, "webhdfs://me:sesame@127.0.0.1:9/shelf", "-w", house)
    assert 6 == code
    assert "cannot be written" in err
    assert "sesame" not in out + err
