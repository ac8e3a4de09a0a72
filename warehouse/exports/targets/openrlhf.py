"""OpenRLHF (https://github.com/OpenRLHF/OpenRLHF), read in its source, 2026-08 and release 0.11.2.

Data paths are split at commas and at ``@``; ``<image>`` in a message becomes a picture that is not there; an SFT row
whose prompt or response is empty is filtered out without a word.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import assistant
from warehouse.exports.files import JsonlWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank_messages, no_messages, unknown_roles, with_text

__all__ = ["PREFERENCE", "RL", "SFT"]

_PATHS = ((r"[,@]", "the path is split there into several data sets"),)
_SPARE = 3
"""A prompt of the limit less two tokens, or more, is filtered out."""
_FILTERED = "the row is filtered out in silence"
_PROMPT = (
    no_messages("input", _FILTERED),
    blank_messages("input", _FILTERED),
    unknown_roles("input", "the chat template raises at this row"),
)
_IMAGE = with_text("input", "<image>", "image_mark", "the mark is replaced by a picture that is not there")

RL = Target(
    name="openrlhf-rl",
    trainer="OpenRLHF, RL",
    loader="openrlhf.datasets.prompts_dataset.PromptDataset",
    columns={
        "input": pl.col("prompt"),
        "label": pl.col("problem_id"),
        "datasource": pl.col("source"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema(
        [("input", MESSAGES), ("label", pa.string()), ("datasource", pa.string()), ("row_id", pa.string())]
    ),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(*_PROMPT, _IMAGE),
    forbidden_paths=_PATHS,
    rewards=True,
    usage="""```
python -m openrlhf.cli.train_ppo_ray \\
  --data.prompt_dataset {data} --data.input_key input --data.label_key label \\
  --data.apply_chat_template --reward.remote_url {reward}
```

Labels are problem ids: the reward module looks up verifier and tests.
""",
)

SFT = Target(
    name="openrlhf-sft",
    trainer="OpenRLHF, SFT",
    loader="openrlhf.datasets.sft_dataset.SFTDataset",
    columns={"input": pl.col("prompt"), "output": assistant("response"), "row_id": pl.col("row_id")},
    schema=pa.schema([("input", MESSAGES), ("output", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(*_PROMPT, blank_messages("output", _FILTERED)),
    needs=("response",),
    forbidden_paths=_PATHS,
    drops_last=True,
    spare_tokens=_SPARE,
    usage="""```
deepspeed --module openrlhf.cli.train_sft \\
  --data.dataset {data} --data.input_key input --data.output_key output --data.apply_chat_template
```

Prompts of `max_len - 2` tokens and more are filtered out: set it above the longest row.
""",
)

PREFERENCE = Target(
    name="openrlhf-preference",
    trainer="OpenRLHF, DPO and reward model",
    loader="openrlhf.datasets.reward_dataset.RewardDataset",
    columns={
        "input": pl.col("prompt"),
        "chosen": assistant("response"),
        "rejected": assistant("rejected"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("input", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(*_PROMPT, blank_messages("chosen", _FILTERED), blank_messages("rejected", _FILTERED)),
    needs=("response", "rejected"),
    forbidden_paths=_PATHS,
    drops_last=True,
    spare_tokens=_SPARE,
    usage="""```
deepspeed --module openrlhf.cli.train_rm \\
  --data.dataset {data} --data.prompt_key input --data.chosen_key chosen --data.rejected_key rejected \\
  --data.apply_chat_template
```
""",
)
