"""Mosaic streaming (https://github.com/mosaicml/streaming), read in its source, release 0.13: MDS shards."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import INFO, info
from warehouse.exports.mds import MdsWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank_messages, no_messages

__all__ = ["ROWS"]

_LOST = "the sample has nothing to train on"
_TEXTS = ("ground_truth", "problem_id", "row_id", "tests", "verifier")

ROWS = Target(
    name="mds",
    trainer="Mosaic streaming",
    loader="streaming.StreamingDataset",
    columns={"info": info(), "prompt": pl.col("prompt"), **{name: pl.col(name) for name in _TEXTS}},
    schema=pa.schema([("info", INFO), ("prompt", MESSAGES), *((name, pa.string()) for name in _TEXTS)]),
    identity=pl.col("row_id"),
    writer=MdsWriter,
    traps=(no_messages("prompt", _LOST), blank_messages("prompt", _LOST)),
    rewards=True,
    usage="""```python
from streaming import StreamingDataLoader, StreamingDataset

rows = StreamingDataset(local="{data}", shuffle=False, batch_size=32)
loader = StreamingDataLoader(rows, batch_size=32, collate_fn=lambda rows: {"row_id": [row["row_id"] for row in rows]})
```

With `remote="{data}"`, another folder as `local` and `validate_hash="sha256"`, shards are checked on their way.
`StreamingDataLoader` counts the rows of a batch as the length of its first value, and resumes by that count: let
`collate_fn` return a dict whose first value has one entry per row, never a list of strings.
""",
)
