"""axolotl (https://github.com/axolotl-ai-cloud/axolotl), read in its source, 2026-08 and release 0.19.0.

The type of a file is guessed from a part of its path, anywhere in it; of a multi-turn ``chosen`` only the last
message is used.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import LABELLED_STEPS, MESSAGE, answer, conversation, labelled_steps
from warehouse.exports.files import JsonlWriter
from warehouse.exports.target import Target, Trap
from warehouse.exports.traps import (
    CONVERSATION,
    blank,
    blank_messages,
    no_messages,
    stepwise,
    unknown_roles,
)

__all__ = ["PREFERENCE", "RL", "SFT", "STEPWISE"]

_PATHS = ((r"\.(parquet|arrow|csv|txt)", "the file is read as that type"),)
_SEARCHED = "[[dummy_message]]"
_RAISES = "the chat template raises at this row"

SFT = Target(
    name="axolotl-sft",
    trainer="axolotl, SFT",
    loader="axolotl.prompt_strategies.chat_template",
    columns={"messages": conversation(), "row_id": pl.col("row_id")},
    schema=pa.schema([("messages", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(
        no_messages("messages", _RAISES),
        blank_messages("messages", "the turn is not found again in the tokens and not trained on"),
        unknown_roles("messages", _RAISES, CONVERSATION),
    ),
    needs=("response",),
    forbidden_paths=_PATHS,
    usage="""```yaml
datasets:
  - path: {data}
    ds_type: json
    type: chat_template
    field_messages: messages
shuffle_merged_datasets: false
```
""",
)

_ANSWERS = [pl.col(name).struct.field("content") for name in ("chosen", "rejected")]

PREFERENCE = Target(
    name="axolotl-preference",
    trainer="axolotl, DPO",
    loader="axolotl.prompt_strategies.dpo.chat_template.default",
    columns={
        "messages": pl.col("prompt"),
        "chosen": answer("response"),
        "rejected": answer("rejected"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("messages", MESSAGES), ("chosen", MESSAGE), ("rejected", MESSAGE), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(
        no_messages("messages", _RAISES),
        blank_messages("messages", _RAISES),
        unknown_roles("messages", _RAISES),
        Trap(
            "found_elsewhere",
            pl.any_horizontal(pl.lit(_SEARCHED).str.contains(answer, literal=True) for answer in _ANSWERS),
            f"the answer is searched for behind {_SEARCHED!r} and found inside it",
            "drop the row.",
        ),
        Trap(
            "trailing_space",
            pl.any_horizontal(answer != answer.str.strip_chars_end() for answer in _ANSWERS),
            "white space at the end of an answer is cut",
            "strip it at the source.",
        ),
    ),
    needs=("response", "rejected"),
    forbidden_paths=_PATHS,
    usage="""```yaml
rl: dpo
datasets:
  - path: {data}
    ds_type: json
    split: train
    type: chat_template.default
```
""",
)

RL = Target(
    name="axolotl-rl",
    trainer="axolotl, GRPO",
    loader="datasets.load_dataset, axolotl.prompt_strategies.base.load",
    columns={"prompt": pl.col("prompt"), "problem_id": pl.col("problem_id"), "row_id": pl.col("row_id")},
    schema=pa.schema([("prompt", MESSAGES), ("problem_id", pa.string()), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(
        no_messages("prompt", _RAISES),
        blank_messages("prompt", _RAISES),
        unknown_roles("prompt", _RAISES),
    ),
    forbidden_paths=_PATHS,
    rewards=True,
    usage="""```yaml
rl: grpo
shuffle_merged_datasets: false
trl:
  reward_funcs: [sluice_reward.reward]
datasets:
  - path: {data}
    ds_type: json
    split: train
    type: sluice_reward.axolotl_rows
```

Put `reward/` on `PYTHONPATH`; every column but `prompt` reaches the reward function.
""",
)

STEPWISE = Target(
    name="axolotl-stepwise",
    trainer="axolotl, process reward model",
    loader="axolotl.prompt_strategies.stepwise_supervised",
    columns=labelled_steps(),
    schema=LABELLED_STEPS,
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(blank("prompt", "the steps answer nothing"),),
    fits=stepwise(),
    needs=("steps", "step_labels"),
    forbidden_paths=_PATHS,
    usage="""```yaml
process_reward_model: true
datasets:
  - path: {data}
    ds_type: json
    split: train
    type: stepwise_supervised
    step_separator: "\n"
shuffle_merged_datasets: false
```

`max_completion_length` and `sequence_len` cut steps and their labels in silence: set them above the longest row.
""",
)
