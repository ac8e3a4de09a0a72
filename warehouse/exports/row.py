"""The internal row: what every target's columns are made of."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.contracts import Column
from schemas.enums import VerifierKind
from schemas.records import PROMPT_SET

__all__ = ["ROW", "internal"]

_CODE = [VerifierKind.ASSERTS.value, VerifierKind.CALLS.value, VerifierKind.STDIO.value]
_TEXT = pa.string()

ROW = PROMPT_SET.with_columns(
    name="hand_off",
    doc="A row of a prompt set with everything that some trainer asks for, not yet in any trainer's shape.",
    columns=(
        Column(
            "response",
            _TEXT,
            "The best reference solution as an assistant would write it; code is fenced.",
            nullable=True,
        ),
        Column("rejected", _TEXT, "The first known-wrong solution, written the same way.", nullable=True),
        Column("ground_truth", _TEXT, "The answer where there is a single one, else the tests as one JSON string."),
        Column("pass_rate", pa.float64(), "c / n; null if never measured.", nullable=True),
        Column("steps", pa.list_(_TEXT), "Steps of a worked solution: `steps` of the source's `meta`.", nullable=True),
        Column(
            "step_labels",
            pa.list_(pa.float64()),
            "How right each step is, 1 for right and 0 for wrong: `step_labels` of the source's `meta`.",
            nullable=True,
        ),
        Column("provenance", _TEXT, "JSON object: source, its id and revision, licence, version of the dataset."),
    ),
)


def internal(rows: pl.DataFrame, dataset: str) -> pl.DataFrame:
    """Return rows of a prompt set as internal rows.

    Parameters
    ----------
    dataset
        ``NAME@VERSION``, kept in every row's provenance.
    """
    worked = [_steps(meta) for meta in rows["meta"]]
    origin = pl.struct("source", "source_id", "source_revision", "license", dataset=pl.lit(dataset))
    made = rows.with_columns(
        response=_spoken(pl.col("reference_solutions")),
        rejected=_spoken(pl.col("wrong_solutions")),
        ground_truth=_ground_truth(),
        pass_rate=pl.when(pl.col("n") > 0).then(pl.col("c") / pl.col("n")),
        steps=pl.Series([steps for steps, _ in worked], dtype=pl.List(pl.String)),
        step_labels=pl.Series([labels for _, labels in worked], dtype=pl.List(pl.Float64)),
        provenance=origin.struct.json_encode(),
    )
    return made.select(ROW.names)


def _spoken(solutions: pl.Expr) -> pl.Expr:
    best = solutions.list.first()
    language = pl.col("language").fill_null("")
    fenced = pl.concat_str(pl.lit("```"), language, pl.lit("\n"), best.str.strip_chars_end(), pl.lit("\n```"))
    return pl.when(_is_code()).then(fenced).otherwise(best)


def _steps(meta: str) -> tuple[list[str] | None, list[float | None] | None]:
    """Return the steps that a source brings and their labels; None where it brings none, or something else."""
    if '"step_labels"' not in meta:
        return None, None
    told = json.loads(meta)
    steps, labels = told.get("steps"), told.get("step_labels")
    if not _all(steps, str) or not _all(labels, (bool, int, float, type(None))):
        return None, None
    return steps, [None if label is None else float(label) for label in labels]


def _all(values: Any, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(values, list) and all(isinstance(value, kinds) for value in values)


def _is_code() -> pl.Expr:
    return pl.col("verifier").str.json_path_match("$.kind").is_in(_CODE)


def _ground_truth() -> pl.Expr:
    tests = pl.col("tests")
    single = tests.str.json_path_match("$[1]").is_null() & ~_is_code()
    return pl.when(single).then(tests.str.json_path_match("$[0].answer")).otherwise(tests).fill_null(tests)
