"""Further trainers' own loaders read the export row for row; each is skipped where it is not installed."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.trainers
datasets = pytest.importorskip("datasets")


def _data(report: Any) -> str:
    return str(report.folder / report.parts[0].path)


def _answers(row: dict[str, Any]) -> tuple[str, str]:
    """Return the reference and the known-wrong answer as an assistant writes them."""
    fence = "```python\n{}\n```" if row["language"] else "{}"
    return tuple(fence.format(row[name][0].rstrip()) for name in ("reference_solutions", "wrong_solutions"))


def test_skyrl(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """SkyRL's `PromptDataset`, length filter and all, keeps every row; our ids travel in the extras."""
    skyrl = pytest.importorskip("skyrl.train.dataset.dataset")
    report = exported("skyrl-rl")
    read = skyrl.PromptDataset(_data(report), tokenizer, max_prompt_length=512, num_workers=1)
    rows = [read[place] for place in range(len(read))]
    read_back(report, "skyrl", len(rows))
    assert [row["prompt"] for row in expected] == [prompt for prompt, *_ in rows]
    assert [row["row_id"] for row in expected] == [extra["extra_info"]["row_id"] for *_, extra, _ in rows]
    assert {"sluice"} == {env for _, env, *_ in rows}


def test_slime(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """Slime's reader takes every line; prompt, label and metadata are those published."""
    slime = pytest.importorskip("slime.utils.data")
    report = exported("slime-rl")
    read = slime.Dataset(
        _data(report),
        tokenizer,
        None,
        512,
        prompt_key="prompt",
        label_key="label",
        metadata_key="metadata",
        apply_chat_template=True,
    )
    read_back(report, "slime", len(read.samples))
    for row, sample in zip(expected, read.samples, strict=True):
        assert tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True) == sample.prompt
        assert (row["row_id"], row["problem_id"]) == (sample.metadata["row_id"], sample.metadata["problem_id"])


def test_slime_calls_the_exported_reward(exported: Callable, expected: list, monkeypatch: pytest.MonkeyPatch):
    """Slime loads the reward by its dotted name, and it judges by the metadata's problem id."""
    misc = pytest.importorskip("slime.utils.misc")
    report = exported("slime-rl")
    monkeypatch.syspath_prepend(str(report.folder / "reward"))
    right, wrong = _answers(expected[0])
    samples = [SimpleNamespace(metadata={"problem_id": expected[0]["problem_id"]}, response=r) for r in (right, wrong)]
    reward = misc.load_function("sluice_reward.slime_reward")
    assert [1.0, 0.0] == [asyncio.run(reward(None, sample)) for sample in samples]


def test_roll(exported: Callable, read_back: Callable, expected: list, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """ROLL reads the phase's folder as one type of file, and the messages from their JSON string."""
    monkeypatch.chdir(tmp_path)
    roll = pytest.importorskip("roll.datasets.dataset")
    report = exported("roll-rl")
    place = Path(_data(report))
    arguments = SimpleNamespace(
        file_name=place.parent.name,
        dataset_dir=str(place.parent.parent),
        prompt=None,
        response=None,
        preprocessing_num_workers=1,
    )
    rows = roll.get_dataset(arguments)
    read_back(report, "roll", len(rows))
    assert [row["row_id"] for row in expected] == rows["id"][:]
    assert [row["prompt"] for row in expected] == [json.loads(text) for text in rows["messages"]]
    assert [row["tests"] for row in expected] == rows["test_cases"][:]


def test_rllm(exported: Callable, read_back: Callable, expected: list):
    """Rllm's `Dataset.load_data` gives one free-form row per question."""
    rllm = pytest.importorskip("rllm.data.dataset")
    report = exported("rllm-rl", one_turn=True)
    rows = rllm.Dataset.load_data(_data(report)).get_data()
    read_back(report, "rllm", len(rows))
    asked = [row for row in expected if len(row["prompt"]) == 1]
    assert [(row["row_id"], row["prompt"][0]["content"]) for row in asked] == [(r["id"], r["question"]) for r in rows]


@pytest.mark.usefixtures("silent")
def test_nemo_rl_responses(exported: Callable, read_back: Callable, expected: list):
    """NeMo RL's `ResponseDataset` makes problem and answer its two messages; the task's name is whole."""
    nemo = pytest.importorskip("nemo_rl.data.datasets.response_datasets.response_dataset")
    report = exported("nemo-rl-response", one_turn=True)
    read = nemo.ResponseDataset(_data(report), split="train")
    asked = [row for row in expected if len(row["prompt"]) == 1]
    read_back(report, "nemo_rl", len(read.dataset))
    assert "drive-stage1-train" == read.task_name
    said = [[message["content"] for message in messages] for messages in read.dataset["messages"]]
    assert [[row["prompt"][0]["content"], json.loads(row["tests"])[0]["answer"]] for row in asked] == said


@pytest.mark.usefixtures("silent")
def test_nemo_rl_preferences(exported: Callable, read_back: Callable, expected: list):
    """NeMo RL's `PreferenceDataset` sees two completions per row, the reference ranked first."""
    nemo = pytest.importorskip("nemo_rl.data.datasets.preference_datasets.preference_dataset")
    report = exported("nemo-rl-preference")
    rows = nemo.PreferenceDataset(_data(report), split="train").dataset
    read_back(report, "nemo_rl", len(rows))
    for row, read in zip(expected, rows, strict=True):
        assert row["prompt"] == read["context"]
        ranked = sorted(read["completions"], key=lambda completion: completion["rank"])
        assert _answers(row) == tuple(completion["completion"][0]["content"] for completion in ranked)


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", ["llama-factory-sft", "llama-factory-preference"])
def test_llama_factory(name: str, exported: Callable, read_back: Callable, expected: list, tmp_path: Path):
    """Its parser finds the phase in dataset_info.json, and its converter drops no row and adds no word."""
    parser = pytest.importorskip("llamafactory.data.parser")
    converter = pytest.importorskip("llamafactory.data.converter")
    report = exported(name)
    (described,) = parser.get_dataset_list(["drive-stage1"], str(report.folder))
    path = str(report.folder / described.dataset_name)
    rows = datasets.load_dataset("json", data_files=path, split="train", cache_dir=str(tmp_path))
    convert = converter.get_dataset_converter(described.formatting, described, SimpleNamespace(media_dir=None))
    read_back(report, "llamafactory", len(rows))
    for row, read in zip(expected, map(convert, rows), strict=True):
        turns = [message for message in row["prompt"] if message["role"] != "system"]
        system = "".join(message["content"] for message in row["prompt"] if message["role"] == "system")
        assert (turns, system) == (read["_prompt"], read["_system"])
        answers = _answers(row)[: len(read["_response"])]
        assert answers == tuple(message["content"] for message in read["_response"])


def test_axolotl_preferences(exported: Callable, read_back: Callable, expected: list, tokenizer: Any, tmp_path: Path):
    """Axolotl's transform finds prompt, chosen and rejected of every row."""
    axolotl = pytest.importorskip("axolotl.prompt_strategies.dpo.chat_template")
    dicts = pytest.importorskip("axolotl.utils.dict")
    report = exported("axolotl-preference")
    rows = datasets.load_dataset("json", data_files=_data(report), split="train", cache_dir=str(tmp_path))
    read_back(report, "axolotl", len(rows))
    transform = axolotl.default(dicts.DictDefault({"datasets": [{"chat_template": "tokenizer_default"}]}))
    transform = transform[0] if isinstance(transform, tuple) else transform
    for row, read in zip(expected, rows, strict=True):
        made = transform(read, tokenizer=tokenizer)
        right, wrong = _answers(row)
        asked = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        assert asked == made["prompt"]
        assert made["chosen"].startswith(right)
        assert made["rejected"].startswith(wrong)


def test_axolotl_sft(exported: Callable, read_back: Callable, expected: list, tokenizer: Any, tmp_path: Path):
    """Axolotl's chat template strategy trains on the answer of every row."""
    axolotl = pytest.importorskip("axolotl.prompt_strategies.chat_template")
    dicts = pytest.importorskip("axolotl.utils.dict")
    report = exported("axolotl-sft")
    rows = datasets.load_dataset("json", data_files=_data(report), split="train", cache_dir=str(tmp_path))
    read_back(report, "axolotl", len(rows))
    settings = dicts.DictDefault({"sequence_len": 1024, "train_on_inputs": False, "chat_template": "tokenizer_default"})
    strategy = axolotl.load(tokenizer, settings, {"field_messages": "messages"})
    for row, read in zip(expected, rows, strict=True):
        tokens = strategy.tokenize_prompt(read)
        trained = [token for token, label in zip(tokens["input_ids"], tokens["labels"], strict=True) if label != -100]
        assert _answers(row)[0] in tokenizer.decode(trained)


def test_axolotl_steps(exported: Callable, read_back: Callable, expected: list, tokenizer: Any, tmp_path: Path):
    """Axolotl's stepwise strategy labels the end of every step, and would cut what is not paired."""
    axolotl = pytest.importorskip("axolotl.prompt_strategies.stepwise_supervised")
    report = exported("axolotl-stepwise", one_turn=True)
    rows = datasets.load_dataset("json", data_files=_data(report), split="train", cache_dir=str(tmp_path))
    read_back(report, "axolotl", len(rows))
    strategy = axolotl.StepwiseSupervisedPromptTokenizingStrategy(tokenizer, step_separator="\n")
    asked = [row["row_id"] for row in expected if len(row["prompt"]) == 1]
    assert asked == rows["row_id"][:]
    for row in rows:
        assert [1, 1, 0] == [label for label in strategy.tokenize_prompt(row)["labels"] if label != -100]
    unpaired = strategy.tokenize_prompt({"prompt": "p", "completions": ["a", "b"], "labels": [True]})
    assert 1 == sum(label != -100 for label in unpaired["labels"])


def test_axolotl_rl(
    exported: Callable,
    read_back: Callable,
    expected: list,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    """Axolotl loads rows and reward by their dotted names; rows stay as they are, the reward judges them."""
    strategies = pytest.importorskip("axolotl.prompt_strategies.dpo")
    report = exported("axolotl-rl")
    monkeypatch.syspath_prepend(str(report.folder / "reward"))
    monkeypatch.delitem(sys.modules, "sluice_reward", raising=False)
    transform = strategies.load("sluice_reward.axolotl_rows", {}, dataset_idx=0)
    rows = datasets.load_dataset("json", data_files=_data(report), split="train", cache_dir=str(tmp_path))
    rows = rows.map(transform)
    read_back(report, "axolotl", len(rows))
    assert [(row["prompt"], row["problem_id"]) for row in expected] == [(r["prompt"], r["problem_id"]) for r in rows]
    judge = importlib.import_module("sluice_reward").reward
    assert [1.0, 0.0] == judge(list(_answers(expected[0])), [expected[0]["problem_id"]] * 2)


def test_webdataset(exported: Callable, read_back: Callable, expected: list):
    """WebDataset's reader gives one decoded sample per row, in order, by its key."""
    webdataset = pytest.importorskip("webdataset")
    report = exported("webdataset")
    shards = sorted(str(path) for path in Path(_data(report)).glob("*.tar"))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
    read_back(report, "webdataset", len(samples))
    assert [row["row_id"] for row in expected] == [sample["__key__"] for sample in samples]
    assert [row["prompt"] for row in expected] == [sample["json"]["prompt"] for sample in samples]
