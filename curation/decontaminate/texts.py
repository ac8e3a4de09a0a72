"""Texts as the rules compare them: templates cut, then words; all column by column."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.recipe.decontaminate import Boilerplate, Decontaminate, Template

__all__ = ["plain_words", "prepared", "shipped_words", "template_lines"]

_CUTS = {
    "fences": r"(?s)```.*?(?:```|\z)",
    "examples": r"(?ims)^\W*(?:examples?|sample (?:input|output|test|case)s?)\b[^\n]{0,20}$.*|^\s*>>> .*?$\n^.*?$",
    "asserts": r"(?m)^\s*assert\b.*$",
    "constraints": r"(?ims)^\W*constraints\b[^\n]{0,60}$.*|^\W*(?:time|memory) limit\b[^\n]*$",
}
_WORD = r"[\p{L}\p{N}]+|[+\-*/=<>^%]"
_LEAST_WORDS = 3


def plain_words(text: pl.Expr) -> pl.Expr:
    """Return the words, numbers and operators of a text in lower case; punctuation and spaces are nothing.

    Examples
    --------
    >>> pl.select(plain_words(pl.lit("Find $x+1$, now."))).item().to_list()
    ['find', 'x', '+', '1', 'now']
    """
    return text.str.to_lowercase().str.extract_all(_WORD)


def shipped_words(text: pl.Expr, *, punctuation: bool) -> pl.Expr:
    """Return the words that other projects compare: lower case, split at white space, punctuation kept or dropped."""
    lower = text.str.to_lowercase()
    bare = lower if punctuation else lower.str.replace_all(r"[^\p{L}\p{N}\s_]", "")
    return bare.str.extract_all(r"\S+")


def template_lines(texts: pl.DataFrame, template: Template) -> pl.Series:
    """Return the lines that are a template: in enough of the different texts of one source.

    Parameters
    ----------
    texts
        Columns ``source`` and ``text``.

    Returns
    -------
    polars.Series
        Lines in the form of `_line_key`.
    """
    different = texts.unique(["source", "text"])
    totals = different.group_by("source").len("total")
    lines = (
        different.with_row_index("row")
        .select("source", "row", line=pl.col("text").str.split("\n"))
        .explode("line")
        .with_columns(line=_line_key(pl.col("line")))
        .filter(pl.col("line") != "")
        .unique(["row", "line"])
    )
    counts = lines.group_by("source", "line").len("rows").join(totals, on="source")
    needed = pl.max_horizontal(pl.lit(template.min_rows), (pl.col("total") * template.min_share).ceil())
    return counts.filter(pl.col("rows") >= needed)["line"].unique().sort()


def prepared(frame: pl.DataFrame, lines: pl.Series, config: Decontaminate) -> pl.DataFrame:
    """Add ``words``: the words of ``text`` with template lines, blocks, patterns and phrases cut.

    A text of which fewer than three words remain is compared whole.
    """
    cut = pl.DataFrame({"text": _without_lines(frame["text"], lines)})
    cut = cut.select(words=plain_words(_cut(pl.col("text"), config.template)))
    cut = cut.select(words=_without_phrases(pl.col("words"), config.boilerplate))
    enough = pl.col("cut").list.len() >= _LEAST_WORDS
    words = pl.when(enough).then("cut").otherwise(plain_words(pl.col("text")))
    return frame.with_columns(cut=cut["words"]).with_columns(words=words).drop("cut")


def _without_lines(texts: pl.Series, lines: pl.Series) -> pl.Series:
    if lines.is_empty():
        return texts
    split = texts.str.split("\n").explode()
    rows = pl.Series(range(len(texts)), dtype=pl.UInt32)
    owner = rows.repeat_by(texts.str.count_matches("\n", literal=True) + 1).explode()
    frame = pl.DataFrame({"owner": owner, "line": split}).with_columns(key=_line_key(pl.col("line")))
    kept = frame.filter(~pl.col("key").is_in(lines.implode()))
    joined = kept.group_by("owner", maintain_order=True).agg(pl.col("line").str.join("\n"))
    return rows.to_frame("owner").join(joined, on="owner", how="left", maintain_order="left")["line"].fill_null("")


def _cut(text: pl.Expr, template: Template) -> pl.Expr:
    for pattern in (*(_CUTS[name] for name in template.cut), *template.patterns):
        text = text.str.replace_all(pattern, "\n")
    return text


def _without_phrases(words: pl.Expr, boilerplate: Boilerplate) -> pl.Expr:
    """Cut phrases, longest first, where they stand as whole words."""
    if not boilerplate.phrases:
        return words
    phrases = sorted(_as_words(boilerplate.phrases), key=lambda phrase: (-len(phrase), phrase))
    joined = pl.lit(" ") + words.list.join(" ") + pl.lit(" ")
    for phrase in phrases:
        joined = joined.str.replace_all(f" {phrase} ", " ", literal=True)
    return joined.str.strip_chars().str.extract_all(r"\S+")


def _as_words(phrases: Sequence[str]) -> list[str]:
    return pl.select(plain_words(pl.lit(pl.Series(phrases))).list.join(" ")).to_series().to_list()


def _line_key(line: pl.Expr) -> pl.Expr:
    return line.str.strip_chars().str.to_lowercase().str.replace_all(r"\s+", " ")
