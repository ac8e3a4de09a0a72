"""AReaL (https://github.com/inclusionAI/AReaL), read in its source, release 1.0.4.

A built-in data set is chosen by a part of the path, anywhere in it; any other path is read with
`datasets.load_from_disk`. The workflow reads ``messages`` and hands every column to the reward function.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.arrow_folder import ArrowFolderWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank_messages, no_messages, unknown_roles

__all__ = ["RL"]

_BUILT_IN = r"gsm8k|clevr_count_70k|geometry3k|(?i:virl39k)|hh-rlhf|torl_data"
_RAISES = "the chat template raises at this row"

RL = Target(
    name="areal-rl",
    trainer="AReaL, RLVR",
    loader="areal.dataset.get_custom_dataset",
    columns={
        "messages": pl.col("prompt"),
        "answer": pl.col("ground_truth"),
        "problem_id": pl.col("problem_id"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema(
        [("messages", MESSAGES), ("answer", pa.string()), ("problem_id", pa.string()), ("row_id", pa.string())]
    ),
    identity=pl.col("row_id"),
    writer=ArrowFolderWriter,
    traps=(
        no_messages("messages", _RAISES),
        blank_messages("messages", _RAISES),
        unknown_roles("messages", _RAISES),
    ),
    reserved=frozenset({"prompt", "completions", "prompt_ids", "completion_ids"}),
    forbidden_paths=((_BUILT_IN, "a built-in data set of that name is read instead"),),
    drops_last=True,
    rewards=True,
    usage="""```yaml
train_dataset:
  path: {data}
  type: rl
  shuffle: false
```

```python
workflow = RLVRWorkflow(reward_fn="sluice_reward.areal_reward", gconfig=..., tokenizer=...)
```

Put `reward/` on `PYTHONPATH`. `shuffle: false` keeps the curriculum's order; `drop_last`, which is on unless told
otherwise, leaves out the last incomplete batch of every epoch.
""",
)
