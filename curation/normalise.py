"""The stage ``normalise``: prompts in one form, and those that pose nothing out, each for a named reason.

Cleaned are only differences that no reader sees: Unicode composition (NFC), line ends, control characters, and, except
in prompts that a completion continues, spaces at the ends of lines and blank lines at the ends of the text. The id of a
problem stays the one under which it was read.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from curation.columns import statement_text
from schemas.enums import Verdict
from schemas.recipe.normalise import Normalise
from warehouse.stages import Services, Stage, StageResult

__all__ = ["NORMALISE", "clean", "normalise", "trimmed"]

_CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x84\x86-\x9F\u{FEFF}\u{2060}]"


def clean(text: pl.Expr) -> pl.Expr:
    """Return text composed (NFC), with one kind of line end and without control characters."""
    return (
        text.str.normalize("NFC").str.replace_all(r"\r\n?|\u{2028}|\u{2029}|\u{85}", "\n").str.replace_all(_CONTROL, "")
    )


def trimmed(text: pl.Expr) -> pl.Expr:
    r"""Return text without spaces at the ends of lines and blank lines at its own ends.

    Examples
    --------
    >>> pl.select(trimmed(clean(pl.lit(" a \r\n\x00b\n\n")))).item()
    ' a\nb'
    """
    return text.str.replace_all(r"[^\S\n]+\n", "\n").str.replace(r"\s+$", "").str.replace(r"^\n+", "")


def normalise(inputs: Mapping[str, pl.LazyFrame], config: Normalise, services: Services) -> StageResult:
    """Clean every prompt and drop those that are blank, too short, too long, or in a language not asked for.

    Parameters
    ----------
    inputs
        ``rows``: the contract `problem`.

    Returns
    -------
    StageResult
        All rows with clean prompts; drops with the reasons ``blank_prompt``, ``prompt_too_short``,
        ``prompt_too_long``, ``no_tests``, ``language``, ``foreign_letters``.
    """
    del services
    content = clean(pl.field("content"))
    # A prompt that a completion continues ends where it ends: its last line break is part of the task.
    stands_alone = pl.col("starter_code").is_null()
    rows = inputs["rows"].with_columns(
        prompt=pl.when(stands_alone).then(_each_message(trimmed(content))).otherwise(_each_message(content))
    )
    return StageResult(decisions=_decisions(rows, config), rows=rows)


NORMALISE = Stage("normalise", "1", normalise)


def _each_message(content: pl.Expr) -> pl.Expr:
    return pl.col("prompt").list.eval(pl.element().struct.with_fields(pl.field("role"), content.alias("content")))


def _decisions(rows: pl.LazyFrame, config: Normalise) -> pl.LazyFrame:
    """Return one decision per row that is out: the first reason in the order of the checks."""
    measured = rows.select("problem_id", "language", text=statement_text(), no_tests=pl.col("tests") == "[]")
    measured = measured.with_columns(chars=pl.col("text").str.len_chars(), foreign=_foreign_letters(pl.col("text")))
    blank = ~pl.col("text").str.contains(r"\S")
    other = pl.lit(False) if not config.languages else ~pl.col("language").is_in(config.languages)  # noqa: FBT003
    limit = config.max_foreign_letters
    foreign = pl.lit(False) if limit is None else pl.col("foreign") > limit  # noqa: FBT003
    checks = [
        ("blank_prompt", blank, "chars", 1),
        ("prompt_too_short", pl.col("chars") < config.min_chars, "chars", config.min_chars),
        ("prompt_too_long", pl.col("chars") > config.max_chars, "chars", config.max_chars),
        ("no_tests", pl.col("no_tests"), None, None),
        ("language", other.fill_null(value=False), None, None),
        ("foreign_letters", foreign, "foreign", limit),
    ]
    index = pl.coalesce(pl.when(check).then(pl.lit(i)) for i, (_, check, _, _) in enumerate(checks))
    found = measured.with_columns(check=index).drop_nulls("check")
    found = found.with_columns(reason=_chosen([pl.lit(reason) for reason, *_ in checks]))
    return found.select(
        record_id="problem_id",
        verdict=pl.lit(Verdict.DROP.value),
        reason="reason",
        measured=_chosen(
            [pl.lit(None) if column is None else pl.col(column) for _, _, column, _ in checks], pl.Float64
        ),
        threshold=_chosen([pl.lit(limit) for *_, limit in checks], pl.Float64),
        witness=pl.when(pl.col("reason") == "language").then(pl.col("language")),
        detail=pl.lit(None, pl.String),
    )


def _chosen(values: list[pl.Expr], of: type[pl.DataType] = pl.String) -> pl.Expr:
    """Return the value that belongs to the check which found the row out."""
    return pl.coalesce(pl.when(pl.col("check") == i).then(value.cast(of)) for i, value in enumerate(values))


def _foreign_letters(text: pl.Expr) -> pl.Expr:
    letters = text.str.count_matches(r"\p{L}")
    familiar = text.str.count_matches(r"[\p{Latin}\p{Greek}]")
    return pl.when(letters > 0).then(1 - familiar / letters).otherwise(0.0)
