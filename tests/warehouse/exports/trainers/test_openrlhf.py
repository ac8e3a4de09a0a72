"""OpenRLHF's own data sets read the export row for row."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.trainers
pytest.importorskip("openrlhf.datasets.prompts_dataset", reason="OpenRLHF is not installed; see `make test-trainers`")


def _strategy(**keys: Any) -> SimpleNamespace:
    """Return what its data sets ask of a strategy."""
    data = SimpleNamespace(apply_chat_template=True, **keys)
    return SimpleNamespace(args=SimpleNamespace(data=data), is_rank_0=lambda: True, print=print)


def _blended(report: Any, strategy: SimpleNamespace) -> Any:
    from openrlhf.datasets.utils import blending_datasets

    return blending_datasets(str(report.folder / report.parts[0].path), strategy=strategy)


def test_prompts_labels_and_sources_arrive(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """`PromptDataset` templates every prompt, in order, with the problem id as its label."""
    from openrlhf.datasets.prompts_dataset import PromptDataset

    strategy = _strategy(input_key="input", label_key="label")
    report = exported("openrlhf-rl")
    read = PromptDataset(_blended(report, strategy), tokenizer, strategy)
    rows = [read[place] for place in range(len(read))]
    read_back(report, "openrlhf", len(rows))
    for row, (source, prompt, label, images) in zip(expected, rows, strict=True):
        assert (row["source"], row["problem_id"], None) == (source, label, images)
        assert tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True) == prompt


def test_answers_arrive(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """`SFTDataset` filters nothing out and trains on the answers."""
    from openrlhf.datasets.sft_dataset import SFTDataset

    strategy = _strategy(input_key="input", output_key="output")
    report = exported("openrlhf-sft")
    read = SFTDataset(_blended(report, strategy), tokenizer, 4096, strategy, num_processors=1)
    read_back(report, "openrlhf", len(read))
    for row, response in zip(expected, read.responses, strict=True):
        assert row["reference_solutions"][0].strip() in response


def test_preferences_arrive(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """`RewardDataset` compares the reference with the known-wrong answer, row for row."""
    from openrlhf.datasets.reward_dataset import RewardDataset

    strategy = _strategy(prompt_key="input", chosen_key="chosen", rejected_key="rejected")
    report = exported("openrlhf-preference")
    read = RewardDataset(_blended(report, strategy), tokenizer, 4096, strategy, num_processors=1)
    read_back(report, "openrlhf", len(read))
    for row, chosen, rejected in zip(expected, read.chosens, read.rejects, strict=True):
        assert row["reference_solutions"][0].strip() in chosen
        assert row["wrong_solutions"][0].strip() in rejected
