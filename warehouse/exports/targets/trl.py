"""TRL (https://github.com/huggingface/trl), read in its source, release 1.16.

GRPO and RLOO hand every column but ``prompt`` and ``completion`` to the reward functions as a list, so the names of
their other arguments are taken. Chat templates want a prompt that ends with the user.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank_messages, no_messages, unknown_roles

__all__ = ["PROMPT_COMPLETION", "PROMPT_ONLY"]

_REWARD_ARGUMENTS = frozenset(
    {
        "prompts",
        "completion",
        "completions",
        "completion_ids",
        "trainer_state",
        "log_extra",
        "log_metric",
        "environment",
        "environments",
        "image",
        "images",
        "tools",
        "chat_template_kwargs",
    },
)
_RAISES = "the chat template raises and training stops at this row"
_PROMPT_TRAPS = (
    no_messages("prompt", "the conversational check reads the first message and raises"),
    blank_messages("prompt", "the template writes an empty turn, or raises"),
    unknown_roles("prompt", _RAISES),
)


def _assistant(column: str) -> pl.Expr:
    return pl.concat_list(pl.struct(role=pl.lit("assistant"), content=column))


PROMPT_ONLY = Target(
    name="trl-prompt-only",
    trainer="TRL, GRPO and RLOO",
    loader="datasets.load_dataset, trl.GRPOTrainer",
    columns={
        "prompt": pl.col("prompt"),
        "row_id": pl.col("row_id"),
        "problem_id": pl.col("problem_id"),
        "ground_truth": pl.col("ground_truth"),
        "data_source": pl.col("source"),
    },
    schema=pa.schema(
        [
            ("prompt", MESSAGES),
            ("row_id", pa.string()),
            ("problem_id", pa.string()),
            ("ground_truth", pa.string()),
            ("data_source", pa.string()),
        ],
    ),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=_PROMPT_TRAPS,
    is_open=True,
    reserved=_REWARD_ARGUMENTS,
    rewards=True,
    usage="""```python
import sys
from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer

sys.path.insert(0, "reward")
from sluice_reward import reward

rows = load_dataset("parquet", data_files="{data}", split="train")
trainer = GRPOTrainer(
    model=...,
    reward_funcs=reward,
    train_dataset=rows,
    args=GRPOConfig(shuffle_dataset=False, remove_unused_columns=False),
)
```

`shuffle_dataset=False` keeps the curriculum's order; every column but `prompt` reaches the reward function.
""",
)

PROMPT_COMPLETION = Target(
    name="trl-prompt-completion",
    trainer="TRL, SFT",
    loader="datasets.load_dataset, trl.SFTTrainer",
    columns={
        "prompt": pl.col("prompt"),
        "completion": _assistant("response"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("prompt", MESSAGES), ("completion", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(*_PROMPT_TRAPS, blank_messages("completion", "the row teaches nothing but the end token")),
    needs=("response",),
    is_open=True,
    reserved=frozenset({"messages", "chosen", "rejected", "label", "text", "tools", "chat_template_kwargs"}),
    usage="""```python
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

rows = load_dataset("parquet", data_files="{data}", split="train")
trainer = SFTTrainer(model=..., train_dataset=rows, args=SFTConfig(shuffle_dataset=False, max_length=None))
```

`max_length` truncates silently: set it above the longest row or leave it None.
""",
)
