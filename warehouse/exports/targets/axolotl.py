"""axolotl (https://github.com/axolotl-ai-cloud/axolotl), read in its source, 2026-08 and release 0.19.0.

The type of a file is guessed from a part of its path, anywhere in it; of a multi-turn ``chosen`` only the last
message is used.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import conversation
from warehouse.exports.files import JsonlWriter
from warehouse.exports.target import Target, Trap
from warehouse.exports.traps import CONVERSATION, blank_messages, no_messages, unknown_roles

__all__ = ["PREFERENCE", "SFT"]

_PATHS = ((r"\.(parquet|arrow|csv|txt)", "the file is read as that type"),)
_SEARCHED = "[[dummy_message]]"
_RAISES = "the chat template raises at this row"
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

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
        "chosen": pl.struct(role=pl.lit("assistant"), content="response"),
        "rejected": pl.struct(role=pl.lit("assistant"), content="rejected"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("messages", MESSAGES), ("chosen", _MESSAGE), ("rejected", _MESSAGE), ("row_id", pa.string())]),
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
