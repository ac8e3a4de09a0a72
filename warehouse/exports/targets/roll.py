"""ROLL (https://github.com/alibaba/ROLL), read in its source, 2026-08.

``messages`` and ``test_cases`` are JSON strings. A folder is read file by file in no fixed order and must hold files
of one type. Prompts of five tokens or fewer are filtered out, and a row without a domain is taken for mathematics.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from warehouse.exports.columns import json_text, prompt_text
from warehouse.exports.files import JsonlWriter
from warehouse.exports.target import Target, Trap
from warehouse.exports.traps import blank, blank_messages, no_messages, unknown_roles

__all__ = ["RL"]

_FILTERED_TOKENS = 5
_RAISES = "the chat template raises at this row"
_COLUMNS = (
    "id",
    "source",
    "difficulty",
    "prompt",
    "messages",
    "ground_truth",
    "case_type",
    "test_case_function",
    "test_cases",
    "tag",
    "domain",
    "problem_id",
)

RL = Target(
    name="roll-rl",
    trainer="ROLL, RLVR",
    loader="roll.datasets.dataset.get_dataset",
    columns={
        "id": pl.col("row_id"),
        "source": pl.col("source"),
        "difficulty": pl.col("pass_rate").cast(pl.String).fill_null(""),
        "prompt": prompt_text(),
        "messages": json_text("prompt"),
        "ground_truth": pl.col("ground_truth"),
        "case_type": pl.col("verifier").str.json_path_match("$.kind"),
        "test_case_function": pl.lit(""),
        "test_cases": pl.col("tests"),
        "tag": pl.col("ability"),
        "domain": pl.lit("sluice"),
        "problem_id": pl.col("problem_id"),
    },
    schema=pa.schema([(name, pa.string()) for name in _COLUMNS]),
    identity=pl.col("id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(
        blank("ground_truth", "there is nothing to compare the answer with"),
        Trap(
            "too_short",
            pl.col("prompt").str.len_bytes() <= _FILTERED_TOKENS,
            "a prompt of five tokens or fewer is filtered out in silence",
            "drop the row.",
        ),
    ),
    fits=(no_messages("prompt", _RAISES), blank_messages("prompt", _RAISES), unknown_roles("prompt", _RAISES)),
    rewards=True,
    usage="""```yaml
actor_train:
  data_args:
    file_name: ["{data}"]
    domain_interleave_probs: {sluice: 1.0}
```

Give the domain `sluice` a reward worker that calls `rewards` of `{reward}` with `problem_id`. Prompts longer than
`prompt_length` are filtered out: set it above the longest row.
""",
)
