"""Exports hold exactly what was published, in the shape each trainer reads, or do not exist."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import ExportRefused, InputError, UsageError
from schemas.ids import canonical_json
from tests.tables import prompt_row, prompt_rows
from warehouse.exports import check, export, readiness, target, targets
from warehouse.exports.row import internal
from warehouse.exports.target import Options

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)


def _published(tmp_path: Path, rows: list[dict]) -> list[Path]:
    path = tmp_path / "published.parquet"
    prompt_rows(rows).sample(fraction=1, shuffle=True, seed=5).write_parquet(path)
    return [path]


_STEPS = canonical_json({"steps": ["First.", "Second."], "step_labels": [True, False]})


def _two_phases(first: int = 40) -> list[dict]:
    phases = [("stage1", n) for n in range(first)] + [("stage2.1", n) for n in range(9)]
    return [prompt_row(n, phase, meta=_STEPS) for phase, n in phases]


def _said(text: str, role: str = "user") -> dict[str, str]:
    return {"role": role, "content": text}


@pytest.mark.parametrize("name", targets())
def test_every_target_writes_what_its_own_check_accepts(name: str, tmp_path: Path):
    """All rows arrive, phase by phase, and the contract of the target holds."""
    rows = _two_phases()
    report = export(_published(tmp_path, rows), name, tmp_path / "out", dataset="demo@1.0.0")
    each = 2 if target(name).explodes else 1
    assert [("stage1", 40 * each), ("stage2.1", 9 * each)] == [(p.part.split, p.loader_rows) for p in report.parts]
    assert [] == check(tmp_path / "out")
    data = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out" / "data").rglob("*.*")}
    assert data == {file["path"] for part in report.parts for file in part.files}


@pytest.mark.parametrize("name", targets())
def test_exports_do_not_depend_on_row_order(name: str, tmp_path: Path):
    """Published files in another order and layout give the same bytes."""
    rows = _two_phases()
    prompt_rows(rows[:17]).write_parquet(tmp_path / "a.parquet", row_group_size=13)
    prompt_rows(rows[17:]).reverse().write_parquet(tmp_path / "b.parquet")
    first = export(_published(tmp_path, rows), name, tmp_path / "first")
    again = export([tmp_path / "b.parquet", tmp_path / "a.parquet"], name, tmp_path / "again")
    assert first.digest == again.digest


def test_verl_rows_are_what_its_reader_wants(tmp_path: Path):
    """Fixed struct, string ground truth, index in training order, everything else as JSON text."""
    report = export(_published(tmp_path, _two_phases()), "verl-rl", tmp_path / "out", dataset="demo@1.0.0")
    read = pq.read_table(report.folder / report.parts[0].path).to_pylist()
    row = prompt_row(3)
    assert list(range(40)) == [one["extra_info"]["index"] for one in read]
    assert ("sluice/made", row["prompt"], "math") == tuple(read[3][k] for k in ("data_source", "prompt", "ability"))
    assert {"style": "rule", "ground_truth": "4"} == read[3]["reward_model"]
    assert (row["problem_id"], row["row_id"]) == tuple(read[3]["extra_info"][k] for k in ("problem_id", "row_id"))
    meta = json.loads(read[3]["extra_info"]["meta"])
    assert ("demo@1.0.0", "Apache-2.0") == tuple(json.loads(meta["provenance"])[k] for k in ("dataset", "license"))


def test_the_plain_folder_reads_back_row_for_row(tmp_path: Path):
    """`datasets` gives every published column of every row, in order."""
    datasets = pytest.importorskip("datasets")
    published = _published(tmp_path, _two_phases(2500))
    report = export(published, "datasets", tmp_path / "out")
    loaded = datasets.load_dataset(str(report.folder), cache_dir=str(tmp_path / "cache"))
    for phase, rows in loaded.items():
        expected = pl.read_parquet(published).filter(phase=phase).sort("order_index")
        assert expected.to_dicts() == rows.to_list()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(_TEXT, min_size=1, max_size=5, unique=True), answer=_TEXT)
def test_exports_round_trip(texts: list[str], answer: str, tmp_path_factory: pytest.TempPathFactory):
    """Whatever a prompt and an answer say, `datasets` reads it from each file format exactly as published."""
    datasets = pytest.importorskip("datasets")
    folder = tmp_path_factory.mktemp("trip")
    tests = canonical_json([{"answer": answer}])
    rows = [prompt_row(n, prompt=[_said(text)], tests=tests) for n, text in enumerate(texts)]
    published = _published(folder, rows)
    for name, column in (("trl-prompt-only", "ground_truth"), ("trl-prompt-completion", None)):
        report = export(published, name, folder / name)
        path = str(report.folder / report.parts[0].path)
        read = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(folder / "cache"))
        assert [row["prompt"] for row in rows] == read["prompt"][:]
        assert [row["row_id"] for row in rows] == read["row_id"][:]
        assert column is None or [answer] * len(rows) == read[column][:]


def test_code_travels_fenced_and_with_its_tests():
    """A reference program becomes a fenced block, and the ground truth of code is its tests as one string."""
    tests = canonical_json([{"input": "1", "output": "2"}, {"input": "2", "output": "3"}])
    row = prompt_row(
        0,
        verifier=canonical_json({"kind": "stdio", "compare": "tokens"}),
        tests=tests,
        language="python",
        reference_solutions=["print(int(input()) + 1)\n"],
        wrong_solutions=[],
    )
    made = internal(prompt_rows([row]), "demo@1.0.0").to_dicts()[0]
    assert "```python\nprint(int(input()) + 1)\n```" == made["response"]
    assert (tests, None) == (made["ground_truth"], made["rejected"])


def test_epoch_rows_tell_what_the_loader_drops(tmp_path: Path):
    """With a batch of 64, verl's loader leaves out the tail of an epoch; TRL's does not."""
    published = _published(tmp_path, [prompt_row(n) for n in range(200)])
    for name, used in (("verl-rl", 192), ("trl-prompt-only", 200)):
        report = export(published, name, tmp_path / name, Options(batch_size=64))
        assert (200, used) == (report.parts[0].loader_rows, report.parts[0].epoch_rows)


def test_phases_are_chosen_by_name(tmp_path: Path):
    """One phase alone; a misspelt one is refused with the nearest."""
    published = _published(tmp_path, _two_phases())
    report = export(published, "verl-rl", tmp_path / "out", Options(phases=["drive-stage2.1"]))
    assert ["drive-stage2.1"] == [part.part.name for part in report.parts]
    with pytest.raises(UsageError, match=r"drive-stage2.1"):
        export(published, "verl-rl", tmp_path / "out", Options(phases=["drive-stage2"]))


def test_extra_columns_become_reward_arguments(tmp_path: Path):
    """Columns asked for travel along; unknown ones, reserved ones and closed targets are refused."""
    published = _published(tmp_path, _two_phases())
    report = export(published, "trl-prompt-only", tmp_path / "out", Options(extra=["band", "pass_rate"]))
    read = pq.read_table(report.folder / report.parts[0].path)
    assert ["band", "pass_rate"] == read.schema.names[-2:]
    assert [] == check(report.folder)
    for name, extra, message in (
        ("trl-prompt-only", "bnad", "did you mean 'band'"),
        ("trl-prompt-only", "completions", "uses the name"),
        ("verl-rl", "band", "fixed set"),
    ):
        with pytest.raises(UsageError, match=message):
            export(published, name, tmp_path / "no", Options(extra=[extra]))


def test_an_export_replaces_only_an_export(tmp_path: Path):
    """A second export takes the first one's place; a folder of something else is left alone."""
    published = _published(tmp_path, [prompt_row(n) for n in range(3)])
    export(published, "verl-rl", tmp_path / "out")
    export(published, "trl-prompt-only", tmp_path / "out")
    assert "trl-prompt-only" == json.loads((tmp_path / "out/export.json").read_text())["target"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(UsageError, match="is not an export"):
        export(published, "verl-rl", tmp_path / "mine")
    assert ["mine", "out", "published.parquet"] == sorted(path.name for path in tmp_path.iterdir())


def test_nothing_to_export_and_nowhere_known(tmp_path: Path):
    """No rows, and a target that does not exist, are clear errors."""
    with pytest.raises(InputError, match="no rows"):
        export(_published(tmp_path, []), "verl-rl", tmp_path / "out")
    with pytest.raises(UsageError, match="did you mean 'verl-rl'"):
        target("verl_rl")


def test_the_reward_finds_every_problem_by_id(tmp_path: Path):
    """Verifier and tests of each problem stand once in the reward's own file, byte for byte."""
    rows = [prompt_row(n, phase, dup_index=d) for n in range(5) for phase, d in (("sft", 0), ("sft", 1), ("stage1", 0))]
    rows = [row | {"order_index": place} for place, row in enumerate(rows)]
    report = export(_published(tmp_path, rows), "verl-rl", tmp_path / "out")
    with sqlite3.connect(report.folder / "reward/problems.sqlite") as store:
        found = store.execute("SELECT problem_id, verifier, tests FROM problems").fetchall()
    assert sorted({(row["problem_id"], row["verifier"], row["tests"]) for row in rows}) == found
    compile((report.folder / "reward/sluice_reward.py").read_text(), "sluice_reward.py", "exec")


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("verl-rl", {"prompt": []}, "no_messages"),
        ("verl-rl", {"prompt": [_said(" ")]}, "blank_message"),
        ("verl-rl", {"prompt": [{"role": "user", "content": None}]}, "blank_message"),
        ("verl-rl", {"prompt": [_said("x", "tool")]}, "role_order"),
        ("verl-rl", {"prompt": [_said("x", "system")]}, "role_order"),
        ("trl-prompt-only", {"prompt": []}, "no_messages"),
        ("trl-prompt-only", {"prompt": [_said("be brief", "system")]}, "role_order"),
        ("trl-prompt-only", {"prompt": [_said("x"), _said("y")]}, "role_order"),
        ("trl-preference", {"wrong_solutions": []}, "no_rejected"),
        ("trl-messages", {"prompt": [_said("x"), _said("y")]}, "role_order"),
        ("verl-sft", {"reference_solutions": [""]}, "blank_message"),
        ("verl-rm", {"prompt": [_said("be brief", "system"), _said("x")]}, "role_order"),
        ("openrlhf-rl", {"prompt": [_said("see <image> there")]}, "image_mark"),
        ("openrlhf-sft", {"reference_solutions": [" "]}, "blank_message"),
        ("nemo-rl-response", {"prompt": [_said("be brief", "system"), _said("x")]}, "role_order"),
        ("nemo-rl-preference", {"prompt": []}, "no_messages"),
        ("skyrl-rl", {"prompt": []}, "no_messages"),
        ("slime-rl", {"tests": '[{"answer":" "}]'}, "blank_label"),
        ("roll-rl", {"prompt": [_said("1+1?")]}, "too_short"),
        ("llama-factory-sft", {"prompt": [_said("x", "observation"), _said("y")]}, "role_order"),
        ("axolotl-preference", {"wrong_solutions": ["message"]}, "found_elsewhere"),
        ("axolotl-preference", {"reference_solutions": ["4 "]}, "trailing_space"),
        ("prime-rl-sft", {"reference_solutions": [""]}, "blank_message"),
        ("verifiers", {"prompt": [_said("x", "developer")]}, "role_order"),
        ("webdataset", {"prompt": []}, "no_messages"),
        ("rllm-rl", {"prompt": [_said("x"), _said("y", "assistant"), _said("z")]}, "role_order"),
        ("axolotl-sft", {"prompt": [_said("x", "critic")]}, "role_order"),
        ("trl-prompt-completion", {"reference_solutions": []}, "no_response"),
        ("trl-prompt-completion", {"reference_solutions": [" "]}, "blank_message"),
    ],
)
def test_traps_are_refused_with_row_ids(name: str, changes: dict, reason: str, tmp_path: Path):
    """What the trainer would drop or choke on is refused by row id, and nothing is written."""
    bad = prompt_row(1) | changes | {"row_id": "s_" + "b" * 24}
    with pytest.raises(ExportRefused, match=rf"(?s){reason}:.*s_{'b' * 24}.*Hint"):
        export(_published(tmp_path, [prompt_row(0), bad, prompt_row(2)]), name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "place", "harm"),
    [
        ("openrlhf-rl", "one,two", "split"),
        ("openrlhf-sft", "me@home", "split"),
        ("axolotl-sft", "v1.csv.d", "read as that type"),
        ("slime-rl", "x@[0:3]", "slice"),
    ],
)
def test_places_that_a_trainer_misreads_are_refused(name: str, place: str, harm: str, tmp_path: Path):
    """A path that the trainer would split, slice or take for another type is refused before anything is written."""
    with pytest.raises(ExportRefused, match=harm):
        export(_published(tmp_path, [prompt_row(0)]), name, tmp_path / place)
    assert not (tmp_path / place).exists()


def test_a_trainer_that_shuffles_is_refused_where_order_matters(tmp_path: Path):
    """Asked to keep the order, an export to a trainer that always shuffles is refused; others go on."""
    published = _published(tmp_path, [prompt_row(n) for n in range(3)])
    with pytest.raises(ExportRefused, match="shuffles"):
        export(published, "verl-sft", tmp_path / "out", Options(in_order=True))
    export(published, "verl-rl", tmp_path / "out", Options(in_order=True))
    assert "not kept" in (export(published, "verl-sft", tmp_path / "sft").folder / "README.md").read_text()


def test_llama_factory_is_told_every_column_and_tag(tmp_path: Path):
    """Each phase is a data set of its own in dataset_info.json, with a file that is there."""
    report = export(_published(tmp_path, _two_phases()), "llama-factory-preference", tmp_path / "out")
    told = json.loads((report.folder / "dataset_info.json").read_text())
    assert ["drive-stage1", "drive-stage2.1"] == list(told)
    for entry in told.values():
        first = json.loads((report.folder / entry["file_name"]).open().readline())
        assert set(entry["columns"].values()) <= set(first)
        assert {"messages", "chosen", "rejected"} == set(entry["columns"])
        assert {"role_tag", "content_tag"} <= set(entry["tags"])


def test_every_trap_is_named_at_once(tmp_path: Path):
    """All reasons are collected before the refusal, each with its count."""
    rows = [prompt_row(n, prompt=[]) | {"row_id": f"s_{n:024x}"} for n in range(12)]
    rows.append(prompt_row(12, prompt=[_said("x", "tool")]))
    with pytest.raises(ExportRefused) as refused:
        export(_published(tmp_path, rows), "verl-rl", tmp_path / "out")
    assert all(text in refused.value.message for text in ("no_messages", "12 rows", "role_order", "..."))


def test_tar_shards_are_whole_and_plain(tmp_path: Path):
    """A member per row, named by its id, without time or owner; a shard may be damaged, and check says so."""
    report = export(_published(tmp_path, [prompt_row(n) for n in range(5)]), "webdataset", tmp_path / "out")
    path = report.folder / report.parts[0].path / "000000.tar"
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    assert [f"{prompt_row(n)['row_id']}.json" for n in range(5)] == [member.name for member in members]
    assert {(0, 0, "")} == {(member.mtime, member.uid, member.uname) for member in members}
    path.write_bytes(path.read_bytes()[:1500])
    assert ["row_count"] == [finding.reason for finding in check(report.folder)]


def test_repeated_ids_are_refused(tmp_path: Path):
    """Two rows of one id cannot be told apart in logs and rewards."""
    with pytest.raises(ExportRefused, match="repeated_id"):
        export(_published(tmp_path, [prompt_row(0), prompt_row(0)]), "verl-rl", tmp_path / "out")


def test_a_phase_smaller_than_a_batch_is_refused(tmp_path: Path):
    """An epoch that would use no row at all is no epoch."""
    with pytest.raises(ExportRefused, match="no_batch"):
        export(_published(tmp_path, [prompt_row(0)]), "verl-rl", tmp_path / "out", Options(batch_size=2))


def _stranger(folder: Path) -> None:
    (folder / "data/README.md").write_text("read me")


def _less(folder: Path) -> None:
    path = folder / "data/drive-stage1/train.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)


def _retyped(folder: Path) -> None:
    path = folder / "data/drive-stage1/train.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["ability"]), path)


def _gone(folder: Path) -> None:
    (folder / "data/drive-stage1/train.parquet").unlink()


def _emptied(folder: Path) -> None:
    path = folder / "data/drive-stage1/train.parquet"
    frame = pl.read_parquet(path)
    emptied = frame.with_columns(prompt=pl.col("prompt").list.head(0)).to_arrow(compat_level=pl.CompatLevel.oldest())
    pq.write_table(emptied.cast(pq.read_schema(path)), path)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (_stranger, "stranger"),
        (_less, "row_count"),
        (_retyped, "columns"),
        (_gone, "missing_file"),
        (_emptied, "no_messages"),
    ],
)
def test_check_finds_later_harm(harm, reason: str, tmp_path: Path):
    """A stray file, a lost row, a lost column, a lost file or an emptied prompt is found in an existing export."""
    report = export(_published(tmp_path, [prompt_row(n) for n in range(4)]), "verl-rl", tmp_path / "out")
    assert [] == check(report.folder)
    harm(report.folder)
    assert [reason] == [finding.reason for finding in check(report.folder)]


def test_text_that_is_not_text_is_named(tmp_path: Path):
    """Broken UTF-8, broken JSON and a missing key in a JSON Lines file are findings, with the line."""
    published = _published(tmp_path, [prompt_row(n) for n in range(3)])
    for harm, said in ((b"\xff\xfe\n", "does not read"), (b"{\n", ":4 is not JSON"), (b'{"input": []}\n', ":4 has")):
        report = export(published, "openrlhf-rl", tmp_path / "out")
        with (report.folder / report.parts[0].path).open("ab") as handle:
            handle.write(harm)
        (finding,) = [finding for finding in check(report.folder) if finding.reason == "columns"]
        assert said in finding.harm


def test_check_wants_an_export(tmp_path: Path):
    """A folder that is no export is a clear error."""
    with pytest.raises(InputError, match="is not an export"):
        check(tmp_path)


def test_readiness_says_what_an_export_would_say(tmp_path: Path):
    """Every target that readiness accepts can be exported, and every other one is refused for the reasons it gave."""
    rows = [prompt_row(0), prompt_row(1) | {"wrong_solutions": []}, prompt_row(2) | {"prompt": [_said("<image>?")]}]
    published = _published(tmp_path, rows)
    found = {ready.target: ready for ready in readiness(published)}
    assert set(targets()) == set(found)
    for name, ready in found.items():
        if ready.findings:
            with pytest.raises(ExportRefused, match=ready.findings[0].reason):
                export(published, name, tmp_path / name)
        else:
            assert ready.rows == export(published, name, tmp_path / name).parts[0].loader_rows
    assert {"openrlhf-rl", "trl-preference"} <= {name for name, ready in found.items() if ready.findings}
    assert not found["verl-rl"].findings


@pytest.mark.parametrize("record", ["{}", "[]", '{"target": "verl-rl", "parts": [{}]}'])
def test_a_folder_that_says_nothing_of_an_export_is_refused(tmp_path: Path, record: str) -> None:
    """A record without what an export says of itself is an error that names it, not a traceback."""
    (tmp_path / "export.json").write_text(record)
    with pytest.raises(InputError, match=r"export\.json lacks what an export says"):
        check(tmp_path)
