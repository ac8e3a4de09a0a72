"""Prompts longer than the trainer takes are found with the trainer's own tokenizer, at the very token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.errors import ExportRefused, InputError

pytestmark = pytest.mark.trainers
pytest.importorskip("transformers", reason="transformers is not installed; `make test-trainers` brings it")


def _lengths(expected: list, tokenizer: Any) -> list[int]:
    texts = [
        tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True) for row in expected
    ]
    return [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]


@pytest.mark.parametrize(("name", "spare"), [("verl-rl", 0), ("trl-prompt-only", 0), ("openrlhf-sft", 3)])
def test_one_token_decides(name: str, spare: int, exported: Callable, expected: list, tokenizer: Any):
    """At the longest prompt's length the export is written; one token less and that row is named."""
    lengths = _lengths(expected, tokenizer)
    longest = max(lengths)
    limit = longest + spare
    report = exported(name, tokenizer=tokenizer.name_or_path, max_prompt_tokens=limit)
    assert len(expected) == report.rows
    ids = [row["row_id"] for row, length in zip(expected, lengths, strict=True) if length == longest]
    with pytest.raises(ExportRefused, match=rf"prompt_too_long.*{len(ids)} rows: .*{ids[0]}"):
        exported(name, tokenizer=tokenizer.name_or_path, max_prompt_tokens=limit - 1)


def test_verl_drops_what_is_refused(exported: Callable, expected: list, tokenizer: Any):
    """Verl's own filter, at the same limit, takes out exactly the rows that the export refuses."""
    pytest.importorskip("verl.utils.dataset.rl_dataset", reason="verl is not installed")
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    lengths = sorted(_lengths(expected, tokenizer))
    limit = lengths[len(lengths) // 2]
    over = sum(length > limit for length in lengths)
    report = exported("verl-rl")
    settings = {"max_prompt_length": limit, "filter_overlong_prompts": True, "filter_overlong_prompts_workers": 1}
    read = RLHFDataset(str(report.folder / report.parts[0].path), tokenizer, OmegaConf.create(settings))
    assert len(expected) - over == len(read)
    with pytest.raises(ExportRefused, match=rf"{over} rows"):
        exported("verl-rl", tokenizer=tokenizer.name_or_path, max_prompt_tokens=limit)


def test_openrlhf_drops_what_is_refused(exported: Callable, expected: list, tokenizer: Any):
    """OpenRLHF keeps two tokens for the answer and drops at the limit itself: three tokens less than it is told."""
    sft = pytest.importorskip("openrlhf.datasets.sft_dataset", reason="OpenRLHF is not installed")
    from types import SimpleNamespace

    from openrlhf.datasets.utils import blending_datasets

    keys = SimpleNamespace(apply_chat_template=True, input_key="input", output_key="output")
    strategy = SimpleNamespace(args=SimpleNamespace(data=keys), is_rank_0=lambda: True, print=print)
    report = exported("openrlhf-sft")
    lengths = _lengths(expected, tokenizer)
    for limit in (max(lengths) + 3, max(lengths) + 2):
        rows = blending_datasets(str(report.folder / report.parts[0].path), strategy=strategy)
        read = sft.SFTDataset(rows, tokenizer, limit, strategy, num_processors=1)
        assert sum(length <= limit - 3 for length in lengths) == len(read)


def test_a_tokenizer_that_is_none(exported: Callable, tmp_path_factory: pytest.TempPathFactory):
    """A folder without a tokenizer is a clear error."""
    with pytest.raises(InputError, match="no tokenizer can be loaded"):
        exported("verl-rl", tokenizer=tmp_path_factory.mktemp("empty"), max_prompt_tokens=10)
