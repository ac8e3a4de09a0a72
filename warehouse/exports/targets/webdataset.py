"""WebDataset (https://github.com/webdataset/webdataset): tar shards, one JSON member per row, named by its key."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import INFO, info
from warehouse.exports.files import TarWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank_messages, no_messages

__all__ = ["ROWS"]

_LOST = "the sample has nothing to train on"


ROWS = Target(
    name="webdataset",
    trainer="WebDataset",
    loader="webdataset.WebDataset",
    columns={
        "__key__": pl.col("row_id"),
        "prompt": pl.col("prompt"),
        "ground_truth": pl.col("ground_truth"),
        "info": info(),
    },
    schema=pa.schema([("__key__", pa.string()), ("prompt", MESSAGES), ("ground_truth", pa.string()), ("info", INFO)]),
    identity=pl.col("__key__"),
    writer=TarWriter,
    traps=(no_messages("prompt", _LOST), blank_messages("prompt", _LOST)),
    rewards=True,
    usage="""```python
import glob
import webdataset as wds

rows = wds.WebDataset(sorted(glob.glob("{data}/*.tar")), shardshuffle=False).decode()
```

A sample is `{"__key__": row id, "json": row}`; keys hold no dot, for the part behind one names the field.
""",
)
