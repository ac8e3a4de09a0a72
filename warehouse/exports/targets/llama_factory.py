"""LLaMA-Factory (https://github.com/hiyouga/LLaMA-Factory), read in its source, 2026-08 and release 0.9.5.

Turns must alternate strictly, or the row is emptied and dropped with a warning. Once ``columns`` or ``tags`` is given,
everything it does not name is None: all are written out. The ``openai`` formatting adds to the system prompt, so the
``sharegpt`` one is used, with the roles' own names as tags.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import MESSAGE, answer, conversation
from warehouse.exports.files import JsonlWriter
from warehouse.exports.target import ExportReport, Target
from warehouse.exports.traps import CONVERSATION, blank_messages, no_messages, unknown_roles

__all__ = ["PREFERENCE", "SFT"]

_DROPPED = "the row is emptied and dropped with a warning"
_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "observation",
    "function_tag": "function",
    "system_tag": "system",
}


def _dataset_info(report: ExportReport, columns: Mapping[str, str], **more: bool) -> Mapping[str, str]:
    described = {
        part.part.name: {
            "file_name": part.path,
            "formatting": "sharegpt",
            **more,
            "columns": {"messages": "messages", **columns},
            "tags": _TAGS,
        }
        for part in report.parts
    }
    return {"dataset_info.json": json.dumps(described, indent=1) + "\n"}


SFT = Target(
    name="llama-factory-sft",
    trainer="LLaMA-Factory, SFT",
    loader="llamafactory.data.loader.get_dataset",
    columns={"messages": conversation(), "row_id": pl.col("row_id")},
    schema=pa.schema([("messages", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(
        no_messages("messages", _DROPPED),
        blank_messages("messages", _DROPPED),
        unknown_roles("messages", _DROPPED, CONVERSATION),
    ),
    needs=("response",),
    documents=lambda report: _dataset_info(report, {}),
    usage="""```yaml
dataset_dir: path/to/this/folder
dataset: CURRICULUM-PHASE
disable_shuffling: true
```

`dataset_info.json` beside this file describes every phase. Rows beyond `cutoff_len` are cut: set it above the longest.
""",
)

PREFERENCE = Target(
    name="llama-factory-preference",
    trainer="LLaMA-Factory, DPO and reward model",
    loader="llamafactory.data.loader.get_dataset",
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
        no_messages("messages", _DROPPED),
        blank_messages("messages", _DROPPED),
        unknown_roles("messages", _DROPPED),
    ),
    needs=("response", "rejected"),
    documents=lambda report: _dataset_info(report, {"chosen": "chosen", "rejected": "rejected"}, ranking=True),
    usage=SFT.usage,
)
