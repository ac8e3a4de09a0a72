"""A plain `datasets` folder: every column of the prompt set, a split per phase, no trainer in mind."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import yaml

from schemas.derive.features import features
from schemas.records import PROMPT_SET
from warehouse.exports.files import ParquetWriter
from warehouse.exports.target import ExportReport, Target

__all__ = ["DATASETS"]


def _front_matter(report: ExportReport) -> Mapping[str, str]:
    parts = report.parts
    configs = list(dict.fromkeys(part.part.config for part in parts))
    matter = {
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == configs[0] else {}),
                "data_files": [
                    {"split": part.part.split, "path": part.path} for part in parts if part.part.config == config
                ],
            }
            for config in configs
        ],
        "dataset_info": [{"config_name": config, "features": features(PROMPT_SET)} for config in configs],
    }
    return {"README.md": f"---\n{yaml.safe_dump(matter, sort_keys=False)}---\n\n"}


DATASETS = Target(
    name="datasets",
    trainer="any reader of `datasets`",
    loader="datasets.load_dataset",
    columns={name: pl.col(name) for name in PROMPT_SET.names},
    schema=PROMPT_SET.arrow,
    identity=pl.col("row_id"),
    writer=ParquetWriter,
    entry="train.parquet",
    documents=_front_matter,
    usage="""```python
from datasets import load_dataset

phases = load_dataset("path/to/this/folder")
```

One configuration per curriculum, one split per phase, rows in training order.
""",
)
