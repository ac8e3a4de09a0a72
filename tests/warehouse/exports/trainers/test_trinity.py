"""Trinity-RFT's own readers and formatters take the exports row for row."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.warehouse.exports.trainers.stubs import stubbed

pytestmark = pytest.mark.trainers
reader = pytest.importorskip("trinity.buffer.reader.file_reader", reason="Trinity-RFT is not installed")


@pytest.fixture(autouse=True)
def _text_alone() -> Iterator[None]:
    """Its formatters import vLLM, and use it for pictures and films."""
    with stubbed("vllm"):
        yield


def _read(report: Any, size: int = 1, **settings: Any) -> Any:
    from trinity.common.config import FormatConfig

    keys = settings.pop("format")
    config = SimpleNamespace(
        path=str(report.folder / report.parts[0].path),
        name="sluice",
        subset_name=None,
        split="train",
        batch_size=size,
        total_epochs=1,
        total_steps=None,
        enable_progress_bar=False,
        data_selector=None,
        is_eval=False,
        index=0,
        format=FormatConfig(**keys),
        **settings,
    )
    return reader.FileReader(config)


def _all(reader: Any, size: int = 1) -> list[Any]:
    taken = []
    while True:
        try:
            taken += reader._read_sync(size)
        except StopIteration:
            return taken


_TASK = {
    "default_workflow_type": "simple_workflow",
    "default_reward_fn_type": "sluice_reward",
    "schema_type": "task",
    "repeat_times": 1,
    "rollout_args": None,
    "workflow_args": {},
    "reward_fn_args": {},
    "format": {"prompt_key": "prompt", "response_key": "problem_id"},
}


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], type]:
    """Load an export's plugin as Trinity does, and return the reward that it registered."""
    rewards = pytest.importorskip("trinity.common.rewards")

    def load(report: Any) -> type:
        monkeypatch.syspath_prepend(str(report.folder / "reward"))
        monkeypatch.delitem(sys.modules, "sluice_reward", raising=False)
        rewards.REWARD_FUNCTIONS.modules.pop("sluice_reward", None)
        plugin = report.folder / "plugins/sluice_plugin.py"
        spec = importlib.util.spec_from_file_location("trinity.plugins.sluice_plugin", plugin)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        return rewards.REWARD_FUNCTIONS.get("sluice_reward")

    return load


def test_tasks_arrive(exported: Callable, read_back: Callable, plugged: Callable, expected: list):
    """Each task's description is the prompt, its truth the problem id, its reward the exported one, in order."""
    report = exported("trinity-rl", one_turn=True)
    reward = plugged(report)
    tasks = _all(_read(report, **_TASK))
    assert {reward} == {task.reward_fn for task in tasks}
    asked = [row for row in expected if len(row["prompt"]) == 1]
    read_back(report, "trinity-rft", len(tasks))
    assert [(row["prompt"][0]["content"], row["problem_id"]) for row in asked] == [
        (task.task_desc, task.truth) for task in tasks
    ]


def test_the_last_batch_is_dropped_as_announced(exported: Callable, plugged: Callable):
    """With batches of 8, an epoch uses `epoch_rows` rows."""
    report = exported("trinity-rl", one_turn=True, batch_size=8)
    plugged(report)
    assert report.parts[0].epoch_rows == len(_all(_read(report, 8, **_TASK), 8))


def test_conversations_arrive(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """Its SFT formatter templates every conversation and trains on the answer."""
    report = exported("trinity-sft")
    keys = {"prompt_type": "messages", "messages_key": "messages"}
    read = _all(_read(report, schema_type="sft", tokenizer_path=tokenizer.name_or_path, format=_typed(keys)))
    read_back(report, "trinity-rft", len(read))
    for row, one in zip(expected, read, strict=True):
        assert row["reference_solutions"][0].strip() in tokenizer.decode(one.tokens[one.prompt_length :])


def test_preferences_arrive(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """Its DPO formatter sees the reference chosen and the known-wrong answer rejected."""
    report = exported("trinity-preference")
    keys = {"prompt_type": "messages", "messages_key": "messages", "chosen_key": "chosen", "rejected_key": "rejected"}
    read = _all(_read(report, schema_type="dpo", tokenizer_path=tokenizer.name_or_path, format=_typed(keys)))
    read_back(report, "trinity-rft", len(read))
    for row, one in zip(expected, read, strict=True):
        assert row["reference_solutions"][0].strip() in tokenizer.decode(one.chosen)
        assert row["wrong_solutions"][0].strip() in tokenizer.decode(one.rejected)


def _typed(keys: dict[str, str]) -> dict[str, Any]:
    from trinity.common.constants import PromptType

    return keys | {"prompt_type": PromptType(keys["prompt_type"])}


def test_the_plugin_judges(exported: Callable, plugged: Callable, expected: list):
    """Loaded as Trinity loads plugins, the reward is found by name and judges by problem id."""
    judge = plugged(exported("trinity-rl", one_turn=True))()
    row = next(row for row in expected if len(row["prompt"]) == 1)
    said = [f"#### {row[name][0]}" for name in ("reference_solutions", "wrong_solutions")]
    assert [1.0, 0.0] == [judge(response=text, truth=row["problem_id"])["sluice"] for text in said]
