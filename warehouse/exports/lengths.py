"""Prompts that are longer than the trainer takes, measured with the tokenizer that it will use."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from schemas.errors import InputError, MissingExtra
from warehouse.exports.target import Options, Trap

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from warehouse.exports.findings import Findings

__all__ = ["too_long"]


def too_long(rows: pl.DataFrame, options: Options, findings: Findings) -> None:
    """Find prompts of more than ``max_prompt_tokens`` tokens, less what the target spares, chat template included.

    Raises
    ------
    InputError
        If the tokenizer cannot be loaded or has no chat template.
    MissingExtra
        If transformers is not installed.
    """
    if options.tokenizer is None or options.max_prompt_tokens is None:
        return
    tokenizer = _tokenizer(options.tokenizer)
    limit = options.max_prompt_tokens - findings.target.spare_tokens
    texts = [
        tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True) for prompt in rows["prompt"]
    ]
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    long = [row for row, length in zip(rows["row_id"], lengths, strict=True) if length > limit]
    if long:
        trap = Trap(
            "prompt_too_long",
            pl.lit(value=True),
            f"longer than {limit} tokens: dropped or cut",
            "raise the trainer's limit, or drop the rows.",
        )
        findings.add(trap, long)


@lru_cache(maxsize=1)
def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingExtra("transformers", "llm") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no tokenizer can be loaded from {folder}: {error}.") from error
    if tokenizer.chat_template is None:
        raise InputError(f"the tokenizer in {folder} has no chat template.", hint="use the model that will be trained.")
    return tokenizer
