"""verifiers (https://github.com/PrimeIntellect-ai/verifiers), read in its source, 2026-08 and release 0.4.0.

Environments of its first generation are given rows with a whole number as ``example_id``: other types are renamed.
Later ones are packages that bring a taskset; its tasks need keys that are unique. prime-rl trains on such packages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES
from warehouse.exports.columns import INFO, info
from warehouse.exports.files import JsonlWriter, ParquetWriter
from warehouse.exports.target import ExportReport, Target
from warehouse.exports.traps import blank, blank_messages, no_messages, unknown_roles

__all__ = ["ROWS", "TASKSET"]

_RAISES = "the run stops at this row"
_PROMPT = (no_messages("prompt", _RAISES), blank_messages("prompt", _RAISES), unknown_roles("prompt", _RAISES))

ROWS = Target(
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

A rubric function calls `rewards` of `{reward}` with `info["problem_id"]` and the completion. From verifiers 0.4 on,
environments are packages: export to `verifiers-taskset`.
""",
)


def _package(report: ExportReport) -> Mapping[str, str]:
    """Return the files that make the export an installable package, named after the dataset."""
    dataset, _, version = report.dataset.partition("@")
    name = "sluice_" + re.sub(r"\W", "_", dataset.lower())
    templates = files("warehouse.exports") / "templates"
    project = (templates / "taskset.toml.txt").read_text(encoding="utf-8")
    project = project.replace("{name}", name.replace("_", "-")).replace("{module}", name)
    known = re.fullmatch(r"\d+(\.\d+)*", version)
    return {
        "pyproject.toml": project.replace("{version}", version if known else "0"),
        "package/__init__.py": (templates / "taskset_init.py.txt").read_text(encoding="utf-8"),
        "package/taskset.py": (templates / "taskset.py.txt").read_text(encoding="utf-8"),
    }


TASKSET = Target(
    name="verifiers-taskset",
    trainer="verifiers and prime-rl, RL",
    loader="verifiers.v1.load_taskset",
    columns={
        "problem_id": pl.col("problem_id"),
        "prompt": pl.col("prompt"),
        "row_id": pl.col("row_id"),
    },
    schema=pa.schema([("problem_id", pa.string()), ("prompt", MESSAGES), ("row_id", pa.string())]),
    identity=pl.col("row_id"),
    writer=JsonlWriter,
    entry="train.jsonl",
    traps=_PROMPT,
    rewards=True,
    documents=_package,
    usage="""```
pip install .
```

The folder is a package: `verifiers` and prime-rl find its taskset by the name in `pyproject.toml`, such as
`--env.taskset.id sluice-demo --env.taskset.phase drive-stage1`; without a phase it gives every row. `load_environment`
makes an environment of it. A task's key is its row id, and rewards come from `{reward}` by problem id, so that Sluice
must be installed beside it. Tasks come in published order unless shuffled on purpose.
""",
)
