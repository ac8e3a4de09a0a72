"""TRL (https://github.com/huggingface/trl), read in its source, release 1.16.

GRPO and RLOO hand every column but ``prompt`` and ``completion`` to the reward functions as a list, so the names of
their other arguments are taken. Chat templates want a prompt that ends with the user.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import LABELLED_STEPS, assistant, conversation, labelled_steps
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import (
    CONVERSATION,
    blank,
    blank_messages,
    no_messages,
    stepwise,
    unknown_roles,
)

__all__ = ["MESSAGES_SFT", "PREFERENCE", "PROMPT_COMPLETION", "PROMPT_ONLY", "STEPWISE", "UNPAIRED"]

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
        "completion": assistant("response"),
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

MESSAGES_SFT = Target(
    name="trl-messages",
    trainer="TRL, SFT on conversations",
    loader="datasets.load_dataset, trl.SFTTrainer",
    columns={"messages": conversation(), "row_id": pl.col("row_id")},
    schema=pa.schema([("messages", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(
        no_messages("messages", "the conversational check reads the first message and raises"),
        blank_messages("messages", "the template writes an empty turn, or raises"),
        unknown_roles("messages", _RAISES, CONVERSATION),
    ),
    needs=("response",),
    is_open=True,
    reserved=frozenset({"prompt", "completion", "chosen", "rejected", "label", "text", "tools"}),
    usage="""```python
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

rows = load_dataset("parquet", data_files="{data}", split="train")
trainer = SFTTrainer(model=..., train_dataset=rows, args=SFTConfig(shuffle_dataset=False, max_length=None))
```
""",
)

PREFERENCE = Target(
    name="trl-preference",
    trainer="TRL, DPO and reward model",
    loader="datasets.load_dataset, trl.DPOTrainer",
    columns={
        "prompt": pl.col("prompt"),
        "chosen": assistant("response"),
        "rejected": assistant("rejected"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("prompt", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(
        *_PROMPT_TRAPS,
        blank_messages("chosen", "an empty answer is preferred"),
        blank_messages("rejected", "an empty answer is compared"),
    ),
    needs=("response", "rejected"),
    keeps_order=False,
    is_open=True,
    reserved=frozenset({"messages", "completion", "label", "text", "tools", "margin", "images"}),
    usage="""```python
from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

rows = load_dataset("parquet", data_files="{data}", split="train")
trainer = DPOTrainer(model="path/to/model", processing_class=tokenizer, train_dataset=rows, args=DPOConfig(seed={seed}))
```

Chosen is a reference solution, rejected a known-wrong one.
""",
)

_VERDICTS = pl.concat_list(
    pl.struct(completion=assistant("response"), label=pl.lit(value=True)),
    pl.struct(completion=assistant("rejected"), label=pl.lit(value=False)),
)

UNPAIRED = Target(
    name="trl-unpaired",
    trainer="TRL, KTO",
    loader="datasets.load_dataset, trl.experimental.kto.KTOTrainer",
    columns={"prompt": pl.col("prompt"), "verdict": _VERDICTS, "row_id": pl.col("row_id")},
    explodes="verdict",
    schema=pa.schema(
        [("prompt", MESSAGES), ("completion", MESSAGES), ("label", pa.bool_()), ("row_id", pa.string())],
    ),
    identity=pl.concat_str("row_id", pl.lit("/"), "label"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(*_PROMPT_TRAPS, blank_messages("completion", "an empty answer is judged")),
    needs=("response", "rejected"),
    keeps_order=False,
    is_open=True,
    reserved=frozenset({"messages", "chosen", "rejected", "text", "tools", "KL_completion_input_ids"}),
    usage="""Two rows per problem: its reference solution with `label` true, a known-wrong one with `label` false.

```python
from datasets import load_dataset
from trl.experimental.kto import KTOConfig, KTOTrainer

rows = load_dataset("parquet", data_files="{data}", split="train")
trainer = KTOTrainer(model=..., processing_class=tokenizer, train_dataset=rows, args=KTOConfig(seed={seed}))
```
""",
)

STEPWISE = Target(
    name="trl-stepwise",
    trainer="TRL up to 1.13, PRM",
    loader="datasets.load_dataset, trl.experimental.prm.PRMTrainer",
    columns=labelled_steps(),
    schema=LABELLED_STEPS,
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(blank("prompt", "the steps answer nothing"),),
    fits=stepwise(),
    needs=("steps", "step_labels"),
    keeps_order=False,
    usage="""```python
from datasets import load_dataset
from trl.experimental.prm import PRMConfig, PRMTrainer

rows = load_dataset("parquet", data_files="{data}", split="train")
settings = PRMConfig(max_length=None, seed={seed})
trainer = PRMTrainer(model=..., processing_class=tokenizer, train_dataset=rows, args=settings)
```

`max_length` and `max_completion_length` cut steps and their labels in silence: leave them None.
""",
)
