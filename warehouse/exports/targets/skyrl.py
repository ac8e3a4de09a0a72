"""SkyRL (https://github.com/NovaSky-AI/SkyRL), read in its source, 2026-08 and release 0.3.0.

The length filter templates every prompt and is not guarded: one bad row stops the run. A row's uid is its position
after filtering, so ids of our own travel in the extras.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import INFO, conversation, info
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import CONVERSATION, blank_messages, no_messages, unknown_roles

__all__ = ["RL", "SFT"]

_RAISES = "the length filter raises and the run stops at this row"

RL = Target(
    name="skyrl-rl",
    trainer="SkyRL, RL",
    loader="skyrl.train.dataset.PromptDataset",
    columns={
        "data_source": pl.concat_str(pl.lit("sluice/"), "source"),
        "prompt": pl.col("prompt"),
        "env_class": pl.lit("sluice"),
        "reward_spec": pl.struct(method=pl.lit("rule"), ground_truth="ground_truth"),
        "extra_info": info(),
    },
    schema=pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", MESSAGES),
            ("env_class", pa.string()),
            ("reward_spec", pa.struct([("method", pa.string()), ("ground_truth", pa.string())])),
            ("extra_info", INFO),
        ],
    ),
    identity=pl.col("extra_info").struct.field("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(no_messages("prompt", _RAISES), blank_messages("prompt", _RAISES), unknown_roles("prompt", _RAISES)),
    rewards=True,
    usage="""Register an environment called `sluice` whose `step` calls `rewards` of `{reward}` with
`extras["extra_info"]["problem_id"]` and the response, then

```
python -m skyrl.train.entrypoints.main_base data.train_data="['{data}']"
```

Prompts longer than `max_prompt_length` are always filtered out: set it above the longest row.
""",
)

SFT = Target(
    name="skyrl-sft",
    trainer="SkyRL, SFT",
    loader="datasets.load_dataset, skyrl.train.sft_trainer",
    columns={"messages": conversation(), "row_id": pl.col("row_id")},
    schema=pa.schema([("messages", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(
        no_messages("messages", _RAISES),
        blank_messages("messages", "the row teaches nothing but the end token"),
        unknown_roles("messages", _RAISES, CONVERSATION),
    ),
    needs=("response",),
    usage="""Point the SFT trainer's dataset at `{data}` with `messages_key=messages`.
""",
)
