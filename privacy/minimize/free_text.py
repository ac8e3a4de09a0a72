"""Free text among the columns: found by its shape, searched for personal data, and refused where that fails.

No rule of a policy makes prose coarse: a sentence may name its author. The search is presidio's (extra ``presidio``):
patterns with checksums for mail addresses, phone and card numbers, IBANs, addresses of machines and official ids, and
names and places too where a spaCy model for English is installed. What it does not find may still be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from schemas.errors import FreeTextRefused, MissingExtra

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

__all__ = ["Finding", "find_personal_data", "free_text_columns", "refuse_free_text"]

_FEWEST = 10
"""Distinct values from which a column can be prose: below, it is a set of labels, however long."""
_MANY = 50
_WORDS = 4
_LENGTH = 60
_NAMES_SHARE = 0.5
_PROSE_SHARE = 0.05
_CERTAIN = 0.4
_IMPERSONAL = frozenset({"DATE_TIME", "URL"})
_MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")


@dataclass(frozen=True)
class Finding:
    """What a search found in one column of free text.

    Parameters
    ----------
    texts
        Distinct texts searched.
    entities
        Texts that hold each kind of personal data, by presidio's names, the most frequent first.
    """

    column: str
    texts: int
    entities: dict[str, int]

    def __str__(self) -> str:
        shown = ", ".join(f"{kind} in {count:,}" for kind, count in self.entities.items())
        return f"column {self.column!r}: {shown or 'nothing found'} (of {self.texts:,} distinct texts)"


def free_text_columns(frame: pl.DataFrame | pl.LazyFrame) -> list[str]:
    """Return the columns whose values look like prose or names rather than like categories.

    Prose has at least 10 distinct values, more than 1 in 20 of the rows, of 4 words or 60 characters on average;
    names have at least 50 distinct values, more than every second row, most of them of more than one word.

    Examples
    --------
    >>> free_text_columns(pl.DataFrame({"job": ["clerk", "night nurse in training"] * 9}))
    []
    >>> free_text_columns(pl.DataFrame({"note": [f"called my doctor {i} times" for i in range(18)]}))
    ['note']
    """
    schema = frame.lazy().collect_schema()
    texts = [name for name, of in schema.items() if isinstance(of, pl.String | pl.Categorical | pl.Enum)]
    return [name for name in texts if _is_free(frame.lazy().select(pl.col(name).cast(pl.String).alias("text")))]


def find_personal_data(texts: Iterable[str], column: str = "text") -> Finding:
    """Search texts for personal data.

    Raises
    ------
    MissingExtra
        If presidio is not installed.
    """
    analyzer, counts, searched = _analyzer(), Counter(), 0
    for text in texts:
        found = analyzer.analyze(text, language="en", score_threshold=_CERTAIN)
        counts.update({result.entity_type for result in found} - _IMPERSONAL)
        searched += 1
    return Finding(column, searched, dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))))


def refuse_free_text(frame: pl.DataFrame | pl.LazyFrame, most: int = 2_000) -> list[Finding]:
    """Refuse columns of free text, unless a search finds no personal data in them.

    Parameters
    ----------
    frame
        The columns that would be learned from or stored; leave out those of which nothing is kept.
    most
        Distinct texts searched per column, chosen by their hash: the same whatever the order of the rows.

    Returns
    -------
    list of Finding
        One per column of free text that was searched and held nothing.

    Raises
    ------
    FreeTextRefused
        If presidio is not installed to search a column of free text, or finds personal data in it.
    """
    columns = free_text_columns(frame)
    try:
        findings = [find_personal_data(_sample(frame, column, most), column) for column in columns]
    except MissingExtra as error:
        raise FreeTextRefused(
            [
                f"column {column!r} holds free text, and nothing is installed that could search it."
                for column in columns
            ],
            hint=f"drop the column; or search it first: {error.hint}",
        ) from error
    if held := [finding for finding in findings if finding.entities]:
        raise FreeTextRefused(
            [f"free text holds personal data: {finding}." for finding in held],
            hint="drop the column, or remove the personal data before it comes here.",
        )
    return findings


def _is_free(texts: pl.LazyFrame) -> bool:
    text = pl.col("text")
    rows = texts.select(text.count()).collect(engine="streaming").item()
    shape = texts.drop_nulls().unique().select(
        distinct=pl.len(),
        words=(text.str.strip_chars().str.count_matches(r"\s+") + 1).mean(),
        length=text.str.len_chars().mean(),
        several=text.str.strip_chars().str.contains(r"\s").mean(),
    )  # fmt: skip
    found = shape.collect(engine="streaming").row(0, named=True)
    share = found["distinct"] / max(rows, 1)
    if found["distinct"] < _FEWEST:
        return False
    prose = share > _PROSE_SHARE and (found["words"] >= _WORDS or found["length"] >= _LENGTH)
    return prose or (found["distinct"] >= _MANY and share > _NAMES_SHARE and found["several"] > _NAMES_SHARE)


def _sample(frame: pl.DataFrame | pl.LazyFrame, column: str, most: int) -> list[str]:
    text = pl.col(column).cast(pl.String)
    chosen = frame.lazy().select(text).drop_nulls().unique().bottom_k(most, by=pl.col(column).hash(seed=0))
    return sorted(chosen.collect(engine="streaming")[column])


def _analyzer() -> AnalyzerEngine:
    try:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    except ImportError as error:
        raise MissingExtra("presidio_analyzer", "presidio") from error
    engine, registry = _language(), RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    for recognizer in registry.recognizers:
        if recognizer.name == "EmailRecognizer":
            recognizer.validate_result = _ends_in_a_public_suffix()
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def _language() -> SpacyNlpEngine:
    """Return the best installed model of English, or one that knows words and no names."""
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    installed = set(spacy.util.get_installed_models())
    name = next((model for model in _MODELS if model in installed), None)
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": name or "blank"}])
    engine.nlp = {"en": spacy.load(name) if name else spacy.blank("en")}
    return engine


def _ends_in_a_public_suffix() -> Callable[[str], bool]:
    """Return presidio's own check of mail addresses, with the list of suffixes that is installed, not a newer one."""
    from tldextract import TLDExtract

    extract = TLDExtract(suffix_list_urls=())
    return lambda text: bool(extract(text).fqdn)
