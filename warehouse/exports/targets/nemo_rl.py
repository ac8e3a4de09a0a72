"""NeMo RL (https://github.com/NVIDIA-NeMo/RL), read in its source, 2026-08.

The name of the task is taken from the data's path, cut at the first dot; the math processor reads the first message
as the problem and the second as the answer, so that system messages have no place.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import assistant, prompt_text
from warehouse.exports.files import JsonlWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import ONE_TURN, blank, blank_messages, no_messages, unknown_roles

__all__ = ["GYM", "PREFERENCE", "RESPONSE"]

_TEXT = pa.string()
_RAISES = "the processor raises at this row"
_COMPLETION = pa.struct([("rank", pa.int64()), ("completion", MESSAGES)])

RESPONSE = Target(
    name="nemo-rl-response",
    trainer="NeMo RL, response data",
    loader="nemo_rl.data.datasets.response_datasets.ResponseDataset",
    columns={
        "input": prompt_text(),
        "output": pl.col("ground_truth"),
        "problem_id": pl.col("problem_id"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("input", _TEXT), ("output", _TEXT), ("problem_id", _TEXT), ("row_id", _TEXT)]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(blank("input", _RAISES), blank("output", "there is nothing to compare the answer with")),
    fits=(unknown_roles("prompt", "the first message alone is read as the problem", ONE_TURN),),
    reserved=frozenset({"messages", "task_name"}),
    rewards=True,
    usage="""```yaml
data:
  shuffle: false
  train:
    dataset_name: ResponseDataset
    data_path: {data}
    input_key: input
    output_key: output
```

All columns but these two are gone after loading; a custom environment finds the problem by its text.
""",
)

PREFERENCE = Target(
    name="nemo-rl-preference",
    trainer="NeMo RL, DPO and reward model",
    loader="nemo_rl.data.datasets.preference_datasets.PreferenceDataset",
    columns={
        "context": pl.col("prompt"),
        "completions": pl.concat_list(
            pl.struct(rank=pl.lit(0, pl.Int64), completion=assistant("response")),
            pl.struct(rank=pl.lit(1, pl.Int64), completion=assistant("rejected")),
        ),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("context", MESSAGES), ("completions", pa.list_(_COMPLETION)), ("row_id", _TEXT)]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(no_messages("context", _RAISES), blank_messages("context", _RAISES), unknown_roles("context", _RAISES)),
    needs=("response", "rejected"),
    usage="""```yaml
data:
  train:
    dataset_name: PreferenceDataset
    data_path: {data}
```

The completion of rank 0 is preferred; there are exactly two, without ties.
""",
)

GYM = Target(
    name="nemo-gym",
    trainer="NeMo Gym",
    loader="json.loads, line by line",
    columns={
        "responses_create_params": pl.struct(input="prompt"),
        "agent_ref": pl.struct(type=pl.lit("responses_api_agents"), name=pl.lit("sluice_agent")),
        "problem_id": pl.col("problem_id"),
        "row_id": pl.col("row_id"),
        "verifier": pl.col("verifier"),
        "tests": pl.col("tests"),
        "ground_truth": pl.col("ground_truth"),
    },
    schema=pa.schema(
        [
            ("responses_create_params", pa.struct([("input", MESSAGES)])),
            ("agent_ref", pa.struct([("type", _TEXT), ("name", _TEXT)])),
            *((name, _TEXT) for name in ("problem_id", "row_id", "verifier", "tests", "ground_truth")),
        ],
    ),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    fits=(no_messages("prompt", _RAISES), blank_messages("prompt", _RAISES), unknown_roles("prompt", _RAISES)),
    rewards=True,
    usage="""Collect rollouts from `{data}` with an agent called `sluice_agent`, the name that every row carries: a row
without one stops the collection. Lines are handed on as they stand; the agent's resource server calls `rewards` of
`{reward}` with `problem_id` and the response in its `verify`.
""",
)
