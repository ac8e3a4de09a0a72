"""The contracts of the books: what was run, what each stage decided, and what came from what."""

from __future__ import annotations

import pyarrow as pa

from schemas.contracts import Column, Contract, InSet, JsonText, NotBlank
from schemas.enums import Verdict

__all__ = ["DECISION", "LINEAGE", "RUN"]

TEXT = pa.string()
TIME = pa.timestamp("us", tz="UTC")

DECISION = Contract(
    name="decision",
    version="1.0.0",
    doc="What a stage decided about a record, with the evidence.",
    columns=(
        Column("run_id", TEXT, "The run that decided.", volatile=True),
        Column("stage", TEXT, "The stage that decided."),
        Column("record_id", TEXT, "The record decided about."),
        Column("verdict", TEXT, "drop, fail, flag or keep."),
        Column("reason", TEXT, "Reason code, stable across releases."),
        Column("measured", pa.float64(), "The value that was measured.", nullable=True),
        Column("threshold", pa.float64(), "The value it was held against.", nullable=True),
        Column("witness", TEXT, "The other record or text that proves it.", nullable=True),
        Column("detail", TEXT, "JSON object with further evidence.", nullable=True),
    ),
    key=("run_id", "stage", "record_id", "verdict", "reason"),
    rules=(InSet("verdict", tuple(Verdict)), NotBlank("reason"), NotBlank("stage")),
)

LINEAGE = Contract(
    name="lineage",
    version="1.0.0",
    doc="Edges from what was made to what it was made from.",
    columns=(
        Column("run_id", TEXT, "The run that made it.", volatile=True),
        Column("output_kind", TEXT, "record or table."),
        Column("output", TEXT, "Record id, or table@snapshot."),
        Column("input_kind", TEXT, "record, table or file."),
        Column("input", TEXT, "Record id, table@snapshot, or file with its digest."),
        Column("stage", TEXT, "The stage that read the input."),
    ),
    key=("run_id", "output", "input", "stage"),
    rules=(
        InSet("output_kind", ("record", "table")),
        InSet("input_kind", ("record", "table", "file")),
    ),
)

RUN = Contract(
    name="run",
    version="1.0.0",
    doc="One run of a recipe: what went in, what came out, what it cost.",
    columns=(
        Column("run_id", TEXT, "Id of the run."),
        Column("dataset", TEXT, "Dataset it built."),
        Column("dataset_version", TEXT, "Version it published; null if none.", nullable=True),
        Column("status", TEXT, "running, published, unchanged, rejected or failed."),
        Column("recipe", TEXT, "JSON of the recipe, secrets left out."),
        Column("recipe_hash", TEXT, "Digest of the recipe."),
        Column("code_version", TEXT, "Version of Sluice."),
        Column("inputs", TEXT, "JSON array: inputs with digests or snapshot ids."),
        Column("counts", TEXT, "JSON array: per stage in, kept, dropped by reason, failed."),
        Column("cost", TEXT, "JSON object: seconds, CPU seconds, tokens per stage."),
        Column("content_hash", TEXT, "Content hash of the published rows.", nullable=True),
        Column("started_at", TIME, "When it began."),
        Column("finished_at", TIME, "When it ended.", nullable=True),
    ),
    key=("run_id",),
    rules=(
        InSet("status", ("running", "published", "unchanged", "rejected", "failed")),
        JsonText("recipe"),
        JsonText("inputs"),
        JsonText("counts"),
        JsonText("cost"),
    ),
)
