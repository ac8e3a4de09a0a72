"""The contracts of text deduplication: which documents repeat another one, and what each step took out."""

from __future__ import annotations

import pyarrow as pa

from schemas.contracts import Between, Column, Contract, InSet, NotBlank

__all__ = ["KINDS", "STEPS", "TEXT_REMOVAL", "TEXT_STEP"]

TEXT = pa.string()
COUNT = pa.int64()

KINDS = ("exact", "near")
"""Equal after normalisation, or similar enough."""
STEPS = ("read", "published", "exact", "near_published", "near")
"""The steps in order: rows without a text or repeating a record; repeats of what is published, and among the rest."""

TEXT_REMOVAL = Contract(
    name="text_removal",
    version="1.0.0",
    doc="A document that repeats a kept one, and how similar the two are.",
    columns=(
        Column("removed_id", TEXT, "The document that goes."),
        Column("witness_id", TEXT, "The kept document that it repeats."),
        Column("similarity", pa.float64(), "Their exact Jaccard similarity; 1 if equal after normalisation."),
        Column("kind", TEXT, "exact or near."),
        Column("published", pa.bool_(), "The witness is published already, not of this table."),
    ),
    key=("removed_id",),
    rules=(
        Between("similarity", 0, 1),
        InSet("kind", KINDS),
        NotBlank("removed_id"),
        NotBlank("witness_id"),
    ),
)

TEXT_STEP = Contract(
    name="text_step",
    version="1.0.0",
    doc="A step of text deduplication: what came in, and what it took out or set aside.",
    columns=(
        Column("step", TEXT, "read, published, exact, near_published or near."),
        Column("documents", COUNT, "Documents that came in."),
        Column("removed", COUNT, "Documents that the step took out."),
        Column("aside", COUNT, "Documents that it did not look at: no text, too few shingles, or too long."),
        Column("how", TEXT, "What the step did."),
    ),
    key=("step",),
    rules=(InSet("step", STEPS), Between("documents", 0), Between("removed", 0), Between("aside", 0)),
)
