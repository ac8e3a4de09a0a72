"""Trinity-RFT (https://github.com/modelscope/Trinity-RFT), read in its source, release 0.6.0.

A workflow says the row's prompt as one message of the user and hands the reward function one text of the row as the
truth: the problem id, so that the judge that curated can look the problem up. Every reader drops the last batch.
"""

from __future__ import annotations

from importlib.resources import files

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import assistant, conversation, prompt_text
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import (
    CONVERSATION,
    ONE_TURN,
    blank,
    blank_messages,
    no_messages,
    unknown_roles,
)

__all__ = ["PREFERENCE", "RL", "SFT"]

_RAISES = "the chat template raises at this row"
_COLUMNS = ("prompt", "problem_id", "ground_truth", "row_id")

RL = Target(
    name="trinity-rl",
    trainer="Trinity-RFT, tasks",
    loader="trinity.buffer.reader.file_reader.TaskFileReader",
    columns={"prompt": prompt_text(), **{name: pl.col(name) for name in _COLUMNS[1:]}},
    schema=pa.schema([(name, pa.string()) for name in _COLUMNS]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    traps=(blank("prompt", "the model is asked nothing"),),
    fits=(unknown_roles("prompt", "a task is one text: roles would be lost", ONE_TURN),),
    drops_last=True,
    rewards=True,
    documents=lambda _: {
        "plugins/sluice_plugin.py": (
            (files("warehouse.exports") / "templates" / "trinity_plugin.py.txt").read_text(encoding="utf-8")
        )
    },
    usage="""```yaml
buffer:
  explorer_input:
    taskset:
      storage_type: file
      path: {data}
      split: train
      format:
        prompt_key: prompt
        response_key: problem_id
      default_workflow_type: simple_workflow
      default_reward_fn_type: sluice_reward
```

Start with `--plugin-dir plugins` and `reward/` on `PYTHONPATH`. Tasks come in published order unless a
`task_selector` is set.
""",
)

SFT = Target(
    name="trinity-sft",
    trainer="Trinity-RFT, SFT",
    loader="trinity.buffer.reader.file_reader.ExperienceFileReader",
    columns={"messages": conversation(), "row_id": pl.col("row_id")},
    schema=pa.schema([("messages", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    traps=(
        no_messages("messages", _RAISES),
        blank_messages("messages", "the row teaches nothing but the end token"),
        unknown_roles("messages", _RAISES, CONVERSATION),
    ),
    needs=("response",),
    drops_last=True,
    usage="""```yaml
storage_type: file
schema_type: sft
path: {data}
split: train
format:
  prompt_type: messages
  messages_key: messages
```
""",
)

PREFERENCE = Target(
    name="trinity-preference",
    trainer="Trinity-RFT, DPO",
    loader="trinity.buffer.reader.file_reader.ExperienceFileReader",
    columns={
        "messages": pl.col("prompt"),
        "chosen": assistant("response"),
        "rejected": assistant("rejected"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("messages", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    traps=(
        no_messages("messages", _RAISES),
        blank_messages("messages", _RAISES),
        unknown_roles("messages", _RAISES),
        blank_messages("chosen", "an empty answer is preferred"),
        blank_messages("rejected", "an empty answer is compared"),
    ),
    needs=("response", "rejected"),
    drops_last=True,
    usage="""```yaml
storage_type: file
schema_type: dpo
path: {data}
split: train
format:
  prompt_type: messages
  messages_key: messages
  chosen_key: chosen
  rejected_key: rejected
```
""",
)
