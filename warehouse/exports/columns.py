"""Pieces that several targets' columns are made of, over the internal row."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from schemas.records import MESSAGES

__all__ = [
    "INFO",
    "LABELLED_STEPS",
    "MESSAGE",
    "answer",
    "assistant",
    "conversation",
    "info",
    "json_text",
    "labelled_steps",
    "prompt_text",
]

INFO = pa.struct(
    [
        ("index", pa.int64()),
        ("split", pa.string()),
        ("problem_id", pa.string()),
        ("row_id", pa.string()),
        ("meta", pa.string()),
    ],
)
"""One fixed struct: what differs from row to row is JSON text, so that no reader fills in nulls."""
MESSAGE = MESSAGES.value_type
LABELLED_STEPS = pa.schema(
    [
        ("prompt", pa.string()),
        ("completions", pa.list_(pa.string())),
        ("labels", pa.list_(pa.bool_())),
        ("row_id", pa.string()),
    ],
)
"""Types of the columns that `labelled_steps` gives."""


def info() -> pl.Expr:
    """Return the struct `INFO`: where a row stands, what it is, and the rest as JSON."""
    rest = pl.struct("dup_index", "band", "pass_rate", "provenance").struct.json_encode()
    return pl.struct(index="order_index", split="phase", problem_id="problem_id", row_id="row_id", meta=rest)


def answer(column: str) -> pl.Expr:
    """Return a text column as an assistant's message."""
    return pl.struct(role=pl.lit("assistant"), content=column)


def assistant(column: str) -> pl.Expr:
    """Return a text column as a list of one assistant message; null where it is null."""
    return pl.when(pl.col(column).is_not_null()).then(pl.concat_list(answer(column)))


def conversation(column: str = "response") -> pl.Expr:
    """Return the prompt's messages followed by an assistant's answer."""
    return pl.concat_list("prompt", assistant(column))


def prompt_text() -> pl.Expr:
    """Return the prompt's messages as plain text, one paragraph each."""
    return pl.col("prompt").list.eval(pl.element().struct.field("content")).list.join("\n\n")


def json_text(column: str) -> pl.Expr:
    """Return a nested column as JSON text."""
    return pl.struct(value=column).struct.json_encode().str.strip_prefix('{"value":').str.head(-1)


def labelled_steps() -> dict[str, pl.Expr]:
    """Return the columns of stepwise supervision: prompt, steps, and whether each is right."""
    return {
        "prompt": prompt_text(),
        "completions": pl.col("steps"),
        "labels": pl.col("step_labels").cast(pl.List(pl.Boolean)),
        "row_id": pl.col("row_id"),
    }
