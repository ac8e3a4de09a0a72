"""Each thing that a trainer would do to some rows in silence is refused, or cannot happen with what is written."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import ExportRefused
from schemas.ids import canonical_json
from tests.tables import prompt_row, prompt_rows
from warehouse.exports import check, export, target, targets
from warehouse.exports.mds import mds_rows
from warehouse.exports.target import ExportReport, Options

_STEPS = {"steps": ["First.", "Second."], "step_labels": [True, False]}


def _written(tmp_path: Path, name: str, rows: list[dict[str, Any]] | None = None, **options: Any) -> ExportReport:
    path = tmp_path / "published.parquet"
    rows = rows or [prompt_row(n, meta=canonical_json(_STEPS)) for n in range(6)]
    prompt_rows(rows).write_parquet(path)
    return export([path], name, tmp_path / options.pop("place", "out"), Options(**options), dataset="demo@1.0.0")


def _data(report: ExportReport) -> Path:
    return report.folder / report.parts[0].path


@pytest.mark.parametrize("name", ["trl-stepwise", "axolotl-stepwise"])
@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "no_steps"),
        ({"steps": ["First."]}, "no_steps"),
        ({"steps": "First.", "step_labels": [True]}, "no_steps"),
        ({"steps": [], "step_labels": []}, "no_steps"),
        ({"steps": ["First.", "Second."], "step_labels": [True]}, "step_count"),
        ({"steps": ["First."], "step_labels": [0.5]}, "soft_label"),
        ({"steps": ["First."], "step_labels": [None]}, "soft_label"),
        ({"steps": [" "], "step_labels": [True]}, "blank_step"),
    ],
)
def test_steps_that_would_be_cut_or_rounded(name: str, told: dict[str, Any], reason: str, tmp_path: Path):
    """Steps and labels that are missing, unpaired, soft or empty are refused by row id."""
    bad = prompt_row(1, meta=canonical_json(told))
    with pytest.raises(ExportRefused, match=rf"{reason}:.*{bad['row_id']}"):
        _written(tmp_path, name, [prompt_row(0, meta=canonical_json(_STEPS)), bad])


def test_steps_arrive_with_their_labels(tmp_path: Path):
    """Labels given as numbers or truth values are truth values, one per step."""
    told = {"steps": ["First.", "Second.", "Third."], "step_labels": [True, 0, 1.0]}
    report = _written(tmp_path, "trl-stepwise", [prompt_row(0, meta=canonical_json(told))])
    (row,) = pq.read_table(_data(report)).to_pylist()
    assert (told["steps"], [True, False, True]) == (row["completions"], row["labels"])


@pytest.mark.parametrize("name", ["gsm8k", "VIRL39k", "my-hh-rlhf-set", "torl_data", "geometry3k", "clevr_count_70k"])
def test_names_that_areal_takes_for_its_own(name: str, tmp_path: Path):
    """A path that holds the name of a built-in set of AReaL's is refused."""
    with pytest.raises(ExportRefused, match="built-in data set"):
        _written(tmp_path, "areal-rl", place=name)


def test_datasets_loads_what_areal_reads(tmp_path: Path):
    """The folder is as `save_to_disk` leaves it: `load_from_disk`, which AReaL calls, gives every row."""
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_from_disk(str(_data(_written(tmp_path, "areal-rl"))))
    assert [prompt_row(n)["prompt"] for n in range(6)] == loaded["messages"][:]
    assert [prompt_row(n)["row_id"] for n in range(6)] == loaded["row_id"][:]


def test_a_name_that_selects_verls_own_scorer(tmp_path: Path):
    """No source's name does: each stands behind a prefix; a file that was edited to have one is found."""
    report = _written(tmp_path, "verl-rl", [prompt_row(0, source="openai/gsm8k")])
    assert [] == check(report.folder)
    frame = pl.read_parquet(_data(report)).with_columns(data_source=pl.lit("openai/gsm8k"))
    edited = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pq.read_schema(_data(report)))
    pq.write_table(edited, _data(report))
    assert ["built_in_scorer"] == [finding.reason for finding in check(report.folder)]


@pytest.mark.parametrize("name", [name for name, one in targets().items() if one.entry == "train.parquet"])
def test_nothing_is_left_to_null_fill(name: str, tmp_path: Path):
    """Rows that differ in kind have one type, without extensions: read together, nothing is filled in."""
    datasets = pytest.importorskip("datasets")
    code = canonical_json({"kind": "stdio", "compare": "tokens"})
    tests = canonical_json([{"input": "1", "output": "2"}, {"input": "2", "output": "3"}])
    other = prompt_row(0, "stage2", verifier=code, tests=tests, language="python", meta=canonical_json(_STEPS))
    report = _written(tmp_path, name, [prompt_row(0, meta=canonical_json(_STEPS)), other])
    parts = [str(report.folder / part.path) for part in report.parts]
    apart = [row for path in parts for row in pq.read_table(path).to_pylist()]
    together = datasets.load_dataset("parquet", data_files=parts, split="train", cache_dir=str(tmp_path / "cache"))
    assert apart == together.to_list()
    schema = pq.read_schema(parts[0])
    assert not any(isinstance(field.type, pa.BaseExtensionType) for field in schema)


@pytest.mark.parametrize("name", targets())
def test_the_data_folder_holds_data_alone(name: str, tmp_path: Path):
    """One type of file, no script that a loader would run, no dot where a reader cuts the path."""
    report = _written(tmp_path, name)
    files = [path for path in (report.folder / "data").rglob("*") if path.is_file()]
    beside = {"index.json", "state.json", "dataset_info.json"}
    assert 1 == len({path.suffix for path in files if path.name not in beside})
    assert not any(path.suffix == ".py" for path in files)
    assert "." not in Path(report.parts[0].path).parent.as_posix()


@pytest.mark.parametrize("name", targets())
def test_order_is_kept_or_the_export_refused(name: str, tmp_path: Path):
    """Asked to keep the order, a target whose trainer shuffles whatever it is told is refused; the others go on."""
    if target(name).keeps_order:
        assert 6 <= _written(tmp_path, name, in_order=True).rows
    else:
        with pytest.raises(ExportRefused, match="shuffles"):
            _written(tmp_path, name, in_order=True)


@pytest.mark.parametrize("phase", ["latest_test", "validation", "dev1"])
def test_phases_named_like_splits_land_where_they_belong(phase: str, tmp_path: Path):
    """`datasets` guesses splits from names; written out, a phase is never taken for another split."""
    datasets = pytest.importorskip("datasets")
    report = _written(tmp_path, "datasets", [prompt_row(n, phase) for n in range(4)] + [prompt_row(9)])
    loaded = datasets.load_dataset(str(report.folder), cache_dir=str(tmp_path / "cache"))
    assert {phase: 4, "stage1": 1} == {split: len(rows) for split, rows in loaded.items()}


def test_mds_holds_no_pickle_and_shows_damage(tmp_path: Path):
    """Columns are text, numbers and JSON; a shard that was cut and an index that was edited are found."""
    report = _written(tmp_path, "mds")
    index = json.loads((_data(report) / "index.json").read_text())
    assert {"str", "json"} == set(index["shards"][0]["column_encodings"])
    shard = _data(report) / "shard.00000.mds"
    rows = list(mds_rows(shard, target("mds").schema))
    assert [prompt_row(n)["prompt"] for n in range(6)] == [row["prompt"] for row in rows]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-5])
    assert ["columns"] == [finding.reason for finding in check(report.folder)]
    shard.write_bytes(whole)
    (_data(report) / "index.json").write_text(json.dumps(index | {"shards": []}))
    assert ["columns"] == [finding.reason for finding in check(report.folder)]


def test_mds_shards_hold_4096_rows(tmp_path: Path):
    """A shard ends at 4,096 rows, and the index counts those of each."""
    report = _written(tmp_path, "mds", [prompt_row(n) for n in range(5000)])
    index = json.loads((_data(report) / "index.json").read_text())
    assert [4096, 904] == [shard["samples"] for shard in index["shards"]]
    assert [] == check(report.folder)


def test_slime_prints_and_skips_a_broken_line(tmp_path: Path):
    """A line that is not JSON, which slime would pass over, is found by its number."""
    report = _written(tmp_path, "slime-rl")
    with _data(report).open("a") as lines:
        lines.write('{"prompt": \n')
    assert ":7 is not JSON" in " ".join(finding.harm for finding in check(report.folder))


@pytest.mark.parametrize(
    "name", ["prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric"]
)
def test_trl_passes_no_column_in_place_of_an_argument(name: str):
    """The names of the other arguments of reward functions are no column's."""
    assert name in target("trl-prompt-only").reserved
    assert name not in target("trl-prompt-only").schema.names


def test_llama_factory_adds_no_words(tmp_path: Path):
    """Its `openai` formatting adds to the system prompt; the export asks for `sharegpt`, and for ranking by name."""
    told = json.loads((_written(tmp_path, "llama-factory-preference").folder / "dataset_info.json").read_text())
    assert [("sharegpt", True)] == [(entry["formatting"], entry["ranking"]) for entry in told.values()]


def test_roll_finds_a_domain_and_messages_in_every_row(tmp_path: Path):
    """Messages are a JSON string, and no row is left to be taken for mathematics."""
    rows = [json.loads(line) for line in _data(_written(tmp_path, "roll-rl")).open()]
    assert {"sluice"} == {row["domain"] for row in rows}
    assert [prompt_row(n)["prompt"] for n in range(6)] == [json.loads(row["messages"]) for row in rows]


def test_verifiers_numbers_its_examples(tmp_path: Path):
    """`example_id` is a whole number: any other would be renamed."""
    assert pa.int64() == pq.read_schema(_data(_written(tmp_path, "verifiers"))).field("example_id").type


def test_gym_rows_name_their_agent(tmp_path: Path):
    """A row without an agent stops the collection of rollouts before it begins."""
    rows = [json.loads(line) for line in _data(_written(tmp_path, "nemo-gym")).open()]
    assert {"sluice_agent"} == {row["agent_ref"]["name"] for row in rows}


def test_the_seed_of_a_shuffling_trainer_is_told(tmp_path: Path):
    """How to start a trainer that shuffles names the seed that makes its order the same again."""
    report = _written(tmp_path, "trl-preference", seed=41)
    assert "seed=41" in (report.folder / "README.md").read_text()


def test_no_placeholder_is_left_in_how_to_start(tmp_path: Path):
    """Every README names real paths."""
    for name in targets():
        text = (_written(tmp_path, name, place=name).folder / "README.md").read_text()
        assert not re.search(r"\{(data|reward|seed|module|name|version)\}", text), name


@pytest.fixture
def reward(tmp_path: Path) -> ModuleType:
    """The reward module of an export, imported by its path."""
    folder = _written(tmp_path, "verl-rl").folder
    spec = importlib.util.spec_from_file_location("sluice_reward", folder / "reward/sluice_reward.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_trainers_signature_reaches_the_judge(reward: ModuleType):
    """Called as verl, TRL, AReaL and slime call it, the reward is the verdict on the problem of that id."""
    row = prompt_row(3)
    for answer, worth in (("#### 4", 1.0), ("#### 5", 0.0)):
        sample = SimpleNamespace(metadata={"problem_id": row["problem_id"]}, response=answer)
        given = [
            reward.compute_score("sluice/made", answer, "", {"problem_id": row["problem_id"]}),
            *reward.reward([answer], [row["problem_id"]], ground_truth=["4"]),
            reward.areal_reward("", answer, [], [], row["problem_id"], row_id=row["row_id"]),
            asyncio.run(reward.slime_reward(None, sample)),
        ]
        assert [worth] * 4 == given


def test_openrlhf_gives_tensors(reward: ModuleType):
    """OpenRLHF's reward is called with whole texts; what follows the prompt is judged by the label's problem."""
    pytest.importorskip("torch", reason="torch is not installed; `make test-trainers` brings it")
    row = prompt_row(3)
    given = reward.reward_func(["What? #### 4", "What? #### 5"], ["What? "] * 2, [row["problem_id"]] * 2)
    assert [1.0, 0.0] == given["rewards"].tolist()


def test_a_taskset_is_a_package(tmp_path: Path):
    """Named after the dataset, versioned with it, it ships its rows and its reward."""
    import tomllib

    folder = _written(tmp_path, "verifiers-taskset").folder
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert ("sluice-demo", "1.0.0") == (project["project"]["name"], project["project"]["version"])
    for place in project["tool"]["setuptools"]["package-dir"].values():
        assert (folder / place).is_dir()
    for name in ("__init__.py", "taskset.py"):
        compile((folder / "package" / name).read_text(), name, "exec")
