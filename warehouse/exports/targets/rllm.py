"""rllm (https://github.com/rllm-org/rllm), read in its source, 2026-08: free-form rows, handed on as they are."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from warehouse.exports.columns import prompt_text
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import ONE_TURN, blank, unknown_roles

__all__ = ["RL"]

_COLUMNS = ("question", "ground_truth", "data_source", "id", "problem_id", "verifier")

RL = Target(
    name="rllm-rl",
    trainer="rllm, RL",
    loader="rllm.data.dataset.Dataset.load_data",
    columns={
        "question": prompt_text(),
        "ground_truth": pl.col("ground_truth"),
        "data_source": pl.concat_str(pl.lit("sluice/"), "source"),
        "id": pl.col("row_id"),
        "problem_id": pl.col("problem_id"),
        "verifier": pl.col("verifier"),
    },
    schema=pa.schema([(name, pa.string()) for name in _COLUMNS]),
    identity=pl.col("id"),
    writer=ParquetWriter,
    entry="train.parquet",
    traps=(blank("question", "the agent is asked nothing"), blank("ground_truth", "no answer can be right")),
    fits=(unknown_roles("prompt", "a question is one text: roles would be lost", ONE_TURN),),
    rewards=True,
    usage="""```python
from rllm.data.dataset import Dataset

rows = Dataset.load_data("{data}")
```

Judge with `rewards` of `{reward}`, by `problem_id`.
""",
)
