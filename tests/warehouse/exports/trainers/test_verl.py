"""verl's own loader, sampler and reward loader read the export row for row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.warehouse.exports.trainers.stubs import stubbed

pytestmark = pytest.mark.trainers
pytest.importorskip("verl", reason="verl is not installed; `make test-trainers` brings it")


def _dataset(report: Any, tokenizer: Any, **settings: Any) -> Any:
    omegaconf = pytest.importorskip("omegaconf")
    from verl.utils.dataset.rl_dataset import RLHFDataset

    config = omegaconf.OmegaConf.create({"max_prompt_length": 512, "shuffle": False, **settings})
    return RLHFDataset(str(report.folder / report.parts[0].path), tokenizer, config)


def test_verl_reads_every_row_in_order(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """With the length filter on, `RLHFDataset` keeps every row and gives back what was published."""
    report = exported("verl-rl")
    read = _dataset(report, tokenizer, filter_overlong_prompts=True, filter_overlong_prompts_workers=1)
    rows = [read[place] for place in range(len(read))]
    read_back(report, "verl", len(rows))
    assert [row["prompt"] for row in expected] == [row["raw_prompt"] for row in rows]
    assert [row["row_id"] for row in expected] == [row["extra_info"]["row_id"] for row in rows]
    assert [row["problem_id"] for row in expected] == [row["extra_info"]["problem_id"] for row in rows]
    assert [row["order_index"] for row in expected] == [row["index"] for row in rows]
    assert all(isinstance(row["reward_model"]["ground_truth"], str) for row in rows)


def test_verl_trains_on_the_rows_that_were_announced(exported: Callable, expected: list, tokenizer: Any):
    """Verl's sampler and loader, as its trainer sets them up, use `epoch_rows` rows in published order."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader")
    from verl.trainer.ppo.utils import create_rl_sampler
    from verl.utils.dataset.rl_dataset import collate_fn

    report = exported("verl-rl", batch_size=8)
    read = _dataset(report, tokenizer, filter_overlong_prompts=False)
    loader = stateful.StatefulDataLoader(
        read,
        batch_size=8,
        drop_last=True,
        collate_fn=collate_fn,
        sampler=create_rl_sampler(read.config, read),
    )
    used = [info["row_id"] for batch in loader for info in batch["extra_info"]]
    assert report.parts[0].epoch_rows == len(used)
    assert [row["row_id"] for row in expected][: len(used)] == used


def test_verl_drops_in_silence_what_the_export_refuses(exported: Callable, tokenizer: Any):
    """The trap is real: an empty prompt is gone after verl's filter, without an error."""
    import polars as pl
    import pyarrow.parquet as pq

    report = exported("verl-rl")
    path = report.folder / report.parts[0].path
    frame = pl.read_parquet(path)
    spoilt = frame.with_columns(prompt=pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise("prompt"))
    pq.write_table(spoilt.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pq.read_schema(path)), path)
    read = _dataset(report, tokenizer, filter_overlong_prompts=True, filter_overlong_prompts_workers=1)
    assert frame.height - 1 == len(read)


def test_verl_loads_the_reward(exported: Callable, expected: list):
    """Verl's reward loader finds the exported function, and the judge that curated gives the rewards."""
    omegaconf = pytest.importorskip("omegaconf")
    reward = pytest.importorskip("verl.trainer.ppo.reward")
    report = exported("verl-rl")
    config = {"path": str(report.folder / "reward/sluice_reward.py"), "name": "compute_score"}
    score = reward.get_custom_reward_fn(omegaconf.OmegaConf.create({"reward": {"custom_reward_function": config}}))
    code, answer = expected[0], expected[1]
    given = [
        (code, f"Here:\n```python\n{code['reference_solutions'][0]}```\n", 1.0),
        (code, f"```python\n{code['wrong_solutions'][0]}```\n", 0.0),
        (
            answer,
            f"The answer is \\boxed{{{answer['reference_solutions'][0]}}}. #### {answer['reference_solutions'][0]}",
            1.0,
        ),
        (answer, f"#### {answer['wrong_solutions'][0]}", 0.0),
    ]
    for row, response, worth in given:
        info = {"problem_id": row["problem_id"], "num_turns": 1}
        got = score(data_source="sluice/x", solution_str=response, ground_truth="", extra_info=info)
        assert worth == got, (row["verifier"], response)


def test_verl_reads_preferences_as_published(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """`RMDataset` gives prompt, chosen and rejected of every row, whole and in order."""
    from verl.utils.dataset.rm_dataset import RMDataset

    report = exported("verl-rm", one_turn=True)
    read = RMDataset([str(report.folder / report.parts[0].path)], tokenizer, max_length=512)
    rows = [row for row in expected if len(row["prompt"]) == 1]
    assert [row["prompt"][0]["content"] for row in rows] == read.prompts
    assert [row["reference_solutions"][0] for row in rows] == read.chosen_responses
    assert [row["wrong_solutions"][0] for row in rows] == read.rejected_responses
    read_back(report, "verl", len([read[place]["input_ids"] for place in range(len(read))]))


def test_verl_trains_on_the_answers(exported: Callable, read_back: Callable, expected: list, tokenizer: Any):
    """`MultiTurnSFTDataset` templates every conversation; what is trained on is the answer, word for word."""
    omegaconf = pytest.importorskip("omegaconf")
    with stubbed("verl.models.transformers.qwen2_vl"):
        sft = pytest.importorskip("verl.utils.dataset.multiturn_sft_dataset")
        report = exported("verl-sft")
        config = omegaconf.OmegaConf.create({"max_length": 1024, "truncation": "error", "pad_mode": "no_padding"})
        read = sft.MultiTurnSFTDataset(str(report.folder / report.parts[0].path), tokenizer, config)
        rows = [read[place] for place in range(len(read))]
    read_back(report, "verl", len(rows))
    for row, tokens in zip(expected, rows, strict=True):
        trained = tokens["input_ids"][tokens["loss_mask"].bool()]
        assert row["reference_solutions"][0].strip() in tokenizer.decode(trained)
