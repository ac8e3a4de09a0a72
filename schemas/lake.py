"""The contracts of a lake: its tables, which of them are contained in which, and what each stage cost.

An edge always reads *child is contained in parent*: every column of the child is a column of the parent, and every
row of the child is a row of the parent projected on those columns, under the policy of equality that the edge names.
"""

from __future__ import annotations

import pyarrow as pa

from schemas.contracts import AtMost, Between, Column, Contract, InSet, JsonText, NotBlank

__all__ = [
    "COLUMN_SUGGESTION",
    "CONTAINMENT",
    "FORMATS",
    "LAKE_REJECTION",
    "LAKE_TABLE",
    "NEAR_CONTAINMENT",
    "POLICIES",
    "RELATIONS",
    "SEMANTICS",
    "STAGES",
    "STAGE_LEDGER",
]

TEXT = pa.string()
COUNT = pa.int64()
SHARE = pa.float64()
YES = pa.bool_()

FORMATS = ("parquet", "csv", "jsonl")
"""What a table of a lake may be stored as."""
POLICIES = ("strict", "lossless", "text")
"""What counts as the same value, each policy equating all that the one before it does."""
SEMANTICS = ("set", "multiset")
"""Whether a row of the child must be in the parent, or be there at least as often."""
RELATIONS = ("equal", "contained")
"""Whether the parent is contained in the child as well."""
STAGES = ("schema", "min_max", "sample", "exact")
"""The stages of containment, in order; `paper` runs the first three alone."""

LAKE_TABLE = Contract(
    name="lake_table",
    version="1.0.0",
    doc="One table of a lake: a file, or a folder of partitions.",
    columns=(
        Column("table", TEXT, "Path under the lake's root, with /; a folder of partitions is one table."),
        Column("format", TEXT, "parquet, csv or jsonl."),
        Column("files", TEXT, "JSON array in reading order: path, bytes, mtime_ns, digest of the bytes."),
        Column("rows", COUNT, "Number of rows."),
        Column("bytes", COUNT, "Size of its files."),
        Column("columns", TEXT, "JSON array in reading order: name (dotted path of the leaf) and type."),
        Column("content_key", TEXT, "Names the table's content: its files' digests with their partition values."),
        Column("version", TEXT, "What a plan pins: the snapshot of a warehouse table, else the content key."),
    ),
    key=("table",),
    rules=(
        InSet("format", FORMATS),
        JsonText("files"),
        JsonText("columns"),
        Between("rows", 0),
        Between("bytes", 0),
        NotBlank("content_key"),
    ),
)

LAKE_REJECTION = Contract(
    name="lake_rejection",
    version="1.0.0",
    doc="A file or folder of a lake that is not a table.",
    columns=(
        Column("path", TEXT, "Path under the lake's root."),
        Column("reason", TEXT, "Reason code."),
        Column("detail", TEXT, "What was found and what is allowed."),
    ),
    key=("path",),
    rules=(NotBlank("path"), NotBlank("reason")),
)

CONTAINMENT = Contract(
    name="containment",
    version="1.0.0",
    doc="One edge: every row of the child is a row of the parent, under the policy.",
    columns=(
        Column("child", TEXT, "The table that is contained."),
        Column("parent", TEXT, "The table that contains it."),
        Column("child_rows", COUNT, "Rows of the child."),
        Column("parent_rows", COUNT, "Rows of the parent."),
        Column("child_distinct", COUNT, "Distinct rows of the child."),
        Column("columns", TEXT, "JSON array: the columns compared, which are all of the child's."),
        Column("policy", TEXT, "Policy of equality that was asked for: strict, lossless or text."),
        Column("semantics", TEXT, "set or multiset."),
        Column("needs", TEXT, "Strictest policy under which the edge holds."),
        Column("also_multiset", YES, "Each row is in the parent at least as often as in the child.", nullable=True),
        Column("relation", TEXT, "equal if the parent is contained in the child as well, else contained."),
        Column("exact_duplicate", YES, "Same columns and the same rows as often; only their order may differ."),
        Column("verified", YES, "Every row was compared; false for what a sample alone let pass."),
        Column("evidence", SHARE, "From 0, what chance alone explains, to 1."),
        Column("evidence_columns", COUNT, "Columns compared."),
        Column("evidence_rows", COUNT, "Distinct rows compared."),
        Column("evidence_entropy", SHARE, "Bits per row: entropies of the child's columns, summed."),
        Column("accidental", YES, "The evidence is too weak to delete anything for."),
        Column("reduced", YES, "In the transitive reduction: it joins two classes with no class in between."),
        Column("child_class", TEXT, "First name, in order, of the tables that hold the same rows as the child."),
        Column("parent_class", TEXT, "Likewise of the parent."),
    ),
    key=("child", "parent"),
    rules=(
        InSet("policy", POLICIES),
        InSet("needs", POLICIES),
        InSet("semantics", SEMANTICS),
        InSet("relation", RELATIONS),
        JsonText("columns"),
        Between("evidence", 0, 1),
        AtMost("child_distinct", "child_rows"),
    ),
)

NEAR_CONTAINMENT = Contract(
    name="near_containment",
    version="1.0.0",
    doc="A table most of whose rows are in another: worth a look, never a reason to delete.",
    columns=(
        Column("child", TEXT, "The table that is nearly contained."),
        Column("parent", TEXT, "The table that holds most of its rows."),
        Column("fraction", SHARE, "Share of the child's distinct rows that the parent holds."),
        Column("missing_rows", COUNT, "Distinct rows of the child that the parent does not hold."),
        Column("sample", TEXT, "JSON array of objects: some of the missing rows."),
    ),
    key=("child", "parent"),
    rules=(Between("fraction", 0, 1), Between("missing_rows", 1), JsonText("sample")),
)

COLUMN_SUGGESTION = Contract(
    name="column_suggestion",
    version="1.0.0",
    doc="Two columns of different names whose values are alike: a guess from a sample, proof of nothing.",
    columns=(
        Column("child", TEXT, "The table that lacks only this name to be comparable."),
        Column("parent", TEXT, "The other table."),
        Column("child_column", TEXT, "The child's name."),
        Column("parent_column", TEXT, "The parent's name."),
        Column("overlap", SHARE, "Share of the child's sampled values that the parent's column holds."),
    ),
    key=("child", "parent", "child_column", "parent_column"),
    rules=(Between("overlap", 0, 1),),
)

STAGE_LEDGER = Contract(
    name="stage_ledger",
    version="1.0.0",
    doc="What each stage of containment was given, let pass and cost.",
    columns=(
        Column("place", pa.int32(), "0 for the first stage."),
        Column("stage", TEXT, "schema, min_max, sample or exact."),
        Column("edges_in", COUNT, "Ordered pairs of tables that it was given."),
        Column("edges_out", COUNT, "Pairs that it let pass."),
        Column("pruned", TEXT, "JSON object: pairs taken out, by reason."),
        Column("detail", TEXT, "JSON object: what else is to be said, such as how sure a sample is."),
        Column("seconds", SHARE, "Wall time.", volatile=True),
        Column("bytes_read", COUNT, "Bytes of the lake that were read.", volatile=True),
    ),
    key=("stage",),
    rules=(
        InSet("stage", STAGES),
        JsonText("pruned"),
        JsonText("detail"),
        Between("edges_out", 0),
        AtMost("edges_out", "edges_in"),
    ),
)
