"""slime (https://github.com/THUDM/slime), read in its source, 2026-08.

A line that is not JSON is printed and skipped; a path that ends in ``@[a:b]`` is sliced; the length filter looks at
the first row's type only.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import INFO, info
from warehouse.exports.files import JsonlWriter
from warehouse.exports.target import Target
from warehouse.exports.traps import blank, blank_messages, no_messages, unknown_roles

__all__ = ["RL"]

_RAISES = "the chat template raises at this row"

RL = Target(
    name="slime-rl",
    trainer="slime, RL",
    loader="slime.utils.data.Dataset",
    columns={"prompt": pl.col("prompt"), "label": pl.col("ground_truth"), "metadata": info()},
    schema=pa.schema([("prompt", MESSAGES), ("label", pa.string()), ("metadata", INFO)]),
    identity=pl.col("metadata").struct.field("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=(
        no_messages("prompt", _RAISES),
        blank_messages("prompt", _RAISES),
        unknown_roles("prompt", _RAISES),
        blank("label", "the reward model is given nothing to compare with"),
    ),
    forbidden_paths=((r"@\[", "the path is read as a slice of rows"),),
    rewards=True,
    usage="""```
python train.py \\
  --prompt-data {data} --input-key prompt --label-key label --metadata-key metadata --apply-chat-template \\
  --custom-rm-path sluice_reward.slime_reward
```

Leave out `--rollout-shuffle` to keep the curriculum's order; put `reward/` on `PYTHONPATH`.
""",
)
