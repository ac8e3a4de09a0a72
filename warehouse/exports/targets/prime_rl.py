"""prime-rl's SFT (https://github.com/PrimeIntellect-ai/prime-rl), read in its source, 2026-08.

It takes a name or a local folder and refuses unknown roles; rows without a trainable token are skipped with a warning.
Its RL reads no file but an environment: the `verifiers-taskset`.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import assistant
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank_messages, no_messages, unknown_roles

__all__ = ["SFT"]

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
seed = {seed}
```

The reader shuffles by seed and epoch; it takes the folder, and every file in it for data.
""",
)
