"""Expressions over the columns of the problem contract: statement, kind of verifier, number of tests, key."""

from __future__ import annotations

import json

import polars as pl

__all__ = ["answer_key", "count_tests", "statement_text", "verifier_kind"]


def statement_text() -> pl.Expr:
    """Return the text that a problem states, as `schemas.ids.statement` does."""
    asked = pl.element().filter(pl.element().struct.field("role") != "system").struct.field("content")
    return pl.col("prompt").list.eval(asked).list.join("\n\n")


def verifier_kind() -> pl.Expr:
    """Return the kind of a problem's verifier."""
    return pl.col("verifier").str.json_path_match("$.kind")


def answer_key() -> pl.Expr:
    """Return the expected answer of a problem checked by its answer; null for other kinds."""
    return pl.col("tests").str.json_path_match("$[0].answer")


def _lengths(texts: pl.Series) -> pl.Series:
    return pl.Series([None if text is None else len(json.loads(text)) for text in texts], dtype=pl.Int64)


def count_tests() -> pl.Expr:
    """Return the length of the problem's array of tests."""
    return pl.col("tests").map_batches(_lengths, return_dtype=pl.Int64, is_elementwise=True)
