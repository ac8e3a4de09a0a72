"""prime-rl (https://github.com/PrimeIntellect-ai/prime-rl) and verifiers, read in their sources, 2026-08.

prime-rl's SFT reader takes a name or a local folder and refuses unknown roles; rows without a trainable token are
skipped with a warning. A verifiers environment is given rows with a whole number as ``example_id``: other types are
renamed.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import INFO, assistant, info
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank, blank_messages, no_messages, unknown_roles

__all__ = ["SFT", "VERIFIERS"]

_RAISES = "the run stops at this row"
_PROMPT = (no_messages("prompt", _RAISES), blank_messages("prompt", _RAISES), unknown_roles("prompt", _RAISES))

SFT = Target(
    name="prime-rl-sft",
    trainer="prime-rl, SFT",
    loader="prime_rl.trainer.sft.data.SFTDataset",
    columns={"prompt": pl.col("prompt"), "completion": assistant("response"), "row_id": pl.col("row_id")},
    schema=pa.schema([("prompt", MESSAGES), ("completion", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    traps=(*_PROMPT, blank_messages("completion", "the row is skipped with a warning: no token to train on")),
    needs=("response",),
    keeps_order=False,
    reserved=frozenset({"__index", "__split", "__subset"}),
    usage="""```toml
[data]
name = "{data}"
```

The reader shuffles by seed and epoch; it takes the folder, and every file in it for data.
""",
)

VERIFIERS = Target(
    name="verifiers",
    trainer="verifiers environments",
    loader="datasets.load_dataset, verifiers.SingleTurnEnv",
    columns={
        "example_id": pl.col("order_index"),
        "prompt": pl.col("prompt"),
        "answer": pl.col("ground_truth"),
        "info": info(),
    },
    schema=pa.schema([("example_id", pa.int64()), ("prompt", MESSAGES), ("answer", pa.string()), ("info", INFO)]),
    identity=pl.col("info").struct.field("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(*_PROMPT, blank("answer", "the rubric has nothing to compare with")),
    rewards=True,
    usage="""```python
import verifiers as vf
from datasets import load_dataset

rows = load_dataset("parquet", data_files="{data}", split="train")
environment = vf.SingleTurnEnv(dataset=rows, rubric=vf.Rubric(funcs=[...]))
```

A rubric function calls `rewards` of `{reward}` with `info["problem_id"]` and the completion.
""",
)
