"""verl (https://github.com/verl-project/verl), read in its source at 2026-08 and release 0.9.1.

`verl.utils.dataset.rl_dataset.RLHFDataset` templates every prompt inside a catch-all: a row that cannot be templated
counts as too long and is gone. The reward manager reads ``data_source``, ``reward_model.ground_truth`` and
``extra_info``.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import INFO, conversation, info, prompt_text
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target, Trap
from warehouse.exports.traps import CONVERSATION, ONE_TURN, blank, blank_messages, no_messages, unknown_roles

__all__ = ["RL", "RM", "SFT"]

_DROPPED = "the length filter swallows the template's error and drops the row"
_BUILT_IN = (
    r"^(aime.*|openai/gsm8k|lighteval/MATH|DigitalLearningGmbH/MATH-lighteval|HuggingFaceH4/MATH-500|math_dapo|math|"
    r"math_dapo_reasoning|numina_.*|codecontests|apps|codeforces|taco|hiyouga/geometry3k|searchR1_.*)$"
)
RL = Target(
    name="verl-rl",
    trainer="verl, RL",
    loader="verl.utils.dataset.rl_dataset.RLHFDataset",
    columns={
        "data_source": pl.concat_str(pl.lit("sluice/"), "source"),
        "prompt": pl.col("prompt"),
        "ability": pl.col("ability"),
        "reward_model": pl.struct(style=pl.lit("rule"), ground_truth="ground_truth"),
        "extra_info": info(),
    },
    schema=pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", MESSAGES),
            ("ability", pa.string()),
            ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
            ("extra_info", INFO),
        ],
    ),
    identity=pl.col("extra_info").struct.field("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(
        no_messages("prompt", _DROPPED),
        blank_messages("prompt", _DROPPED),
        unknown_roles("prompt", _DROPPED),
        Trap(
            "built_in_scorer",
            pl.col("data_source").str.contains(_BUILT_IN),
            "the name selects a scorer of verl's own instead of the exported reward",
            "rename the source.",
        ),
        Trap(
            "no_ground_truth",
            pl.col("reward_model").struct.field("ground_truth").is_null(),
            "the reward manager needs a string",
            "drop the row.",
        ),
    ),
    drops_last=True,
    rewards=True,
    usage="""```
python -m verl.trainer.main_ppo \\
  data.train_files={data} \\
  data.shuffle=False \\
  data.filter_overlong_prompts=False data.truncation=error \\
  reward.custom_reward_function.path={reward} \\
  reward.custom_reward_function.name=compute_score
```

`data.shuffle=False` keeps the curriculum's order. The train loader drops the last incomplete batch of every epoch.
""",
)

SFT = Target(
    name="verl-sft",
    trainer="verl, SFT",
    loader="verl.utils.dataset.multiturn_sft_dataset.MultiTurnSFTDataset",
    columns={"messages": conversation(), "row_id": pl.col("row_id")},
    schema=pa.schema([("messages", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(
        no_messages("messages", _DROPPED),
        blank_messages("messages", "the turn's tokens cannot be told apart from the template's"),
        unknown_roles("messages", "the template raises at this row", CONVERSATION),
    ),
    needs=("response",),
    drops_last=True,
    keeps_order=False,
    usage="""```
torchrun -m verl.trainer.sft_trainer data.train_files={data} data.messages_key=messages data.truncation=error
```

The sampler shuffles every epoch by a seed of its own and drops the last incomplete batch. Every message is templated
alone: with a template that rewrites earlier turns set `data.ignore_input_ids_mismatch=True`.
""",
)

RM = Target(
    name="verl-rm",
    trainer="verl, reward model",
    loader="verl.utils.dataset.rm_dataset.RMDataset",
    columns={
        "prompt": prompt_text(),
        "chosen": pl.col("response"),
        "rejected": pl.col("rejected"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([(name, pa.string()) for name in ("prompt", "chosen", "rejected", "row_id")]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=tuple(blank(name, "an empty string is compared") for name in ("prompt", "chosen", "rejected")),
    needs=("response", "rejected"),
    fits=(unknown_roles("prompt", "its reader takes plain text: roles would be lost", ONE_TURN),),
    usage="""Give `RMDataset` the file `{data}`; it reads plain strings and applies no chat template.
""",
)
