"""TRL trains on the export: one real step of GRPO with the exported reward, one of SFT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.trainers
trl = pytest.importorskip("trl", reason="TRL is not installed; `make test-trainers` brings it")
datasets = pytest.importorskip("datasets")


def _load(report: Any, cache: Path) -> Any:
    path = str(report.folder / report.parts[0].path)
    return datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(cache))


_QUIET = {"use_cpu": True, "report_to": [], "save_strategy": "no", "max_steps": 1, "logging_steps": 1}


def test_grpo_takes_a_step_with_the_exported_reward(  # noqa: PLR0913, PLR0917 - fixtures
    exported: Callable,
    read_back: Callable,
    expected: list,
    tokenizer: Any,
    model: Any,
    tmp_path: Path,
    reward_module: Callable,
):
    """The trainer asks the exported reward about the first rows in published order, ids and all."""
    report = exported("trl-prompt-only", extra=["band", "pass_rate"])
    rows = _load(report, tmp_path)
    read_back(report, "trl", len(rows))
    assert [row["row_id"] for row in expected] == rows["row_id"][:]
    assert [row["prompt"] for row in expected] == rows["prompt"][:]
    module, seen = reward_module(report.folder), []

    def reward(completions: list, problem_id: list, row_id: list, **others: Any) -> list:
        given = module.reward(completions, problem_id)
        seen.append((problem_id, row_id, given, others["ground_truth"], others["band"]))
        return given

    trainer = trl.GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=reward,
        train_dataset=rows,
        args=trl.GRPOConfig(
            **_QUIET,
            output_dir=str(tmp_path / "out"),
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=8,
            shuffle_dataset=False,
        ),
    )
    trainer.train()
    problem_ids, row_ids, given, _, bands = seen[0]
    doubled = [row for row in expected[:2] for _ in range(2)]
    assert [row["row_id"] for row in doubled] == row_ids
    assert [row["problem_id"] for row in doubled] == problem_ids
    assert [row["band"] for row in doubled] == bands
    assert len(doubled) == len(given)
    assert set(given) <= {0.0, 1.0}


def test_the_reward_tells_right_from_wrong(exported: Callable, expected: list, reward_module: Callable):
    """References get 1, known-wrong answers 0, whether completions are text or messages."""
    report = exported("trl-prompt-only")
    module = reward_module(report.folder)
    code = expected[0]
    right, wrong = (f"```python\n{code[name][0]}```" for name in ("reference_solutions", "wrong_solutions"))
    ids = [code["problem_id"]] * 2
    assert [1.0, 0.0] == module.reward([right, wrong], ids)
    as_messages = [[{"role": "assistant", "content": text}] for text in (right, wrong)]
    assert [1.0, 0.0] == module.reward(as_messages, ids, log_extra=None)
    with pytest.raises(KeyError, match="is not of this export"):
        module.reward(["x"], ["p_unknown"])


def test_sft_takes_a_step(  # noqa: PLR0913, PLR0917 - fixtures
    exported: Callable, read_back: Callable, expected: list, tokenizer: Any, model: Any, tmp_path: Path
):
    """Every row is tokenised, and what is trained on is the completion, word for word."""
    report = exported("trl-prompt-completion")
    rows = _load(report, tmp_path)
    trainer = trl.SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=rows,
        args=trl.SFTConfig(**_QUIET, output_dir=str(tmp_path / "out"), per_device_train_batch_size=2, max_length=None),
    )
    read_back(report, "trl", len(trainer.train_dataset))
    for row, tokens in zip(expected, trainer.train_dataset, strict=True):
        trained = [t for t, label in zip(tokens["input_ids"], tokens["labels"], strict=True) if label != -100]
        solution = row["reference_solutions"][0].strip()
        assert solution in tokenizer.decode(trained)
        assert row["prompt"][-1]["content"] in tokenizer.decode(tokens["input_ids"])
    result = trainer.train()
    assert 1 == result.global_step
    assert result.training_loss > 0


def test_sft_on_conversations_sees_every_row(  # noqa: PLR0913, PLR0917 - fixtures
    exported: Callable, read_back: Callable, expected: list, tokenizer: Any, model: Any, tmp_path: Path
):
    """Messages are templated whole: prompt, then answer, for every row in order."""
    report = exported("trl-messages")
    args = trl.SFTConfig(**_QUIET, output_dir=str(tmp_path / "out"), max_length=None)
    trainer = trl.SFTTrainer(model=model, processing_class=tokenizer, train_dataset=_load(report, tmp_path), args=args)
    read_back(report, "trl", len(trainer.train_dataset))
    for row, tokens in zip(expected, trainer.train_dataset, strict=True):
        text = tokenizer.decode(tokens["input_ids"])
        assert all(message["content"] in text for message in row["prompt"])
        assert row["reference_solutions"][0].strip() in text


def test_dpo_takes_a_step(  # noqa: PLR0913, PLR0917 - fixtures
    exported: Callable, read_back: Callable, expected: list, tokenizer: Any, model: Any, tmp_path: Path
):
    """Chosen and rejected are tokenised apart, whole, for every row, and one optimisation step runs."""
    report = exported("trl-preference")
    model.save_pretrained(tmp_path / "model")
    trainer = trl.DPOTrainer(
        model=str(tmp_path / "model"),
        processing_class=tokenizer,
        train_dataset=_load(report, tmp_path),
        args=trl.DPOConfig(**_QUIET, output_dir=str(tmp_path / "out"), per_device_train_batch_size=2, max_length=None),
    )
    read_back(report, "trl", len(trainer.train_dataset))
    for row, tokens in zip(expected, trainer.train_dataset, strict=True):
        assert row["reference_solutions"][0].strip() in tokenizer.decode(tokens["chosen_ids"])
        assert row["wrong_solutions"][0].strip() in tokenizer.decode(tokens["rejected_ids"])
    assert 1 == trainer.train().global_step


def test_unpaired_rows_are_two_per_problem(
    exported: Callable, read_back: Callable, expected: list, tokenizer: Any, tmp_path: Path
):
    """TRL templates each verdict; labels are real booleans, true first."""
    report = exported("trl-unpaired")
    rows = _load(report, tmp_path)
    read_back(report, "trl", len(rows))
    assert 2 * len(expected) == len(rows)
    assert [True, False] * len(expected) == rows["label"][:]
    for row in rows:
        templated = trl.apply_chat_template({k: row[k] for k in ("prompt", "completion", "label")}, tokenizer)
        assert row["completion"][0]["content"] in templated["completion"]


def test_steps_are_labelled_one_by_one(
    exported: Callable, read_back: Callable, expected: list, tokenizer: Any, tmp_path: Path
):
    """TRL's process reward trainer puts each step's label on the token that ends it, for every row."""
    prm = pytest.importorskip("trl.experimental.prm")
    report = exported("trl-stepwise", one_turn=True)
    rows = _load(report, tmp_path)
    asked = [row for row in expected if len(row["prompt"]) == 1]
    assert [row["row_id"] for row in asked] == rows["row_id"][:]
    settings = {"step_separator": "\n", "max_length": None, "max_completion_length": None}
    made = [
        prm.PRMTrainer.tokenize_row(row, tokenizer, **settings, train_on_last_step_only=False, is_eval=False)
        for row in rows
    ]
    read_back(report, "trl", len(made))
    for row, tokens in zip(rows, made, strict=True):
        assert [1, 1, 0] == [label for label in tokens["labels"] if label != -100]
        text = tokenizer.decode(tokens["input_ids"])
        assert text == row["prompt"] + "".join(f"{step}\n" for step in row["completions"])


def test_trl_chokes_on_what_the_export_refuses(tokenizer: Any):
    """The trap is real: a prompt of a system message alone cannot be templated."""
    with pytest.raises(ValueError, match="role"):
        trl.apply_chat_template({"prompt": [{"role": "system", "content": "be brief"}]}, tokenizer)
