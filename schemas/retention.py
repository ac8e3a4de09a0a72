"""The contract of what retention decided about each contained table of a lake."""

from __future__ import annotations

import pyarrow as pa

from schemas.contracts import Between, Column, Contract, InSet, NotBlank

__all__ = ["RETENTION"]

TEXT = pa.string()
COUNT = pa.int64()
MONEY = pa.float64()

RETENTION = Contract(
    name="retention",
    version="1.0.0",
    doc="Whether a contained table of a lake may go, what that saves, and how it comes back.",
    columns=(
        Column("table", TEXT, "The contained table."),
        Column("verdict", TEXT, "delete or keep."),
        Column("reason", TEXT, "Why it is kept; redundant where it may go."),
        Column("bytes", COUNT, "Size of its files."),
        Column("keep_cost", MONEY, "Money a month for keeping it."),
        Column("parent", TEXT, "The table that it is rebuilt from.", nullable=True),
        Column("parent_version", TEXT, "Version of the parent that the recipe needs.", nullable=True),
        Column("recipe", TEXT, "How it is rebuilt, in a few words.", nullable=True),
        Column("recipe_bytes", COUNT, "What the recipe takes.", nullable=True),
        Column("rebuild_cost", MONEY, "Money a month for rebuilding it when it is needed.", nullable=True),
        Column("rebuild_seconds", pa.float64(), "How long a rebuild takes by the settings.", nullable=True),
    ),
    key=("table",),
    rules=(
        InSet("verdict", ("delete", "keep")),
        NotBlank("reason"),
        Between("bytes", 0),
        Between("keep_cost", 0),
        Between("recipe_bytes", 0),
    ),
)
