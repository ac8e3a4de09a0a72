"""Benchmark items, ready to be looked for in training problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from curation.decontaminate.grams import GramIndex, gram_index, grams
from curation.decontaminate.texts import prepared
from schemas.recipe.decontaminate import Decontaminate

__all__ = ["Benchmarks", "index_benchmarks"]


@dataclass(frozen=True)
class Benchmarks:
    """Benchmark items under their row numbers, and the indexes of their runs of words.

    Parameters
    ----------
    items
        Columns ``item`` (row number), ``benchmark``, ``revision``, ``item_id``, ``source_id``, ``text``, ``words``,
        ``key`` (the words as one text); sorted by benchmark and id.
    runs
        Runs of the items that are long enough for containment.
    short
        Per number of words: the items that are too short, as runs of that many words.
    """

    items: pl.DataFrame
    runs: GramIndex
    short: dict[int, GramIndex]


def index_benchmarks(texts: pl.DataFrame, sample: pl.Series, lines: pl.Series, config: Decontaminate) -> Benchmarks:
    """Index benchmark items, leaving out the runs of words that are boilerplate.

    Parameters
    ----------
    texts
        Columns ``item_id``, ``benchmark``, ``revision``, ``source_id``, ``text``.
    sample
        Words of the sampled training problems, in which boilerplate is counted.
    lines
        Template lines.
    """
    ordered = texts.sort("benchmark", "item_id").with_row_index("item")
    items = prepared(ordered, lines, config).with_columns(key=pl.col("words").list.join(" "))
    boilerplate = _boilerplate(_different(items), sample, config)
    runs = gram_index(items["words"], config.ngram, without=boilerplate)
    long = runs.sizes >= config.min_ngrams
    words = pl.Series(np.where(long, items["words"].list.len(), 0))
    whole = items.with_columns(words=pl.when(words > 0).then("words").otherwise([]))
    runs = gram_index(whole["words"], config.ngram, without=boilerplate)
    return Benchmarks(items, runs, _short(items.filter(pl.Series(~long)), len(items)))


def _different(items: pl.DataFrame) -> pl.Series:
    """Return one item's words per text, so that an item in several benchmarks does not look like boilerplate."""
    return items.unique("key", keep="first", maintain_order=True)["words"]


def _boilerplate(words: pl.Series, sample: pl.Series, config: Decontaminate) -> np.ndarray:
    """Return the runs in too many items, or in too many of the sampled training problems."""
    index, limits = gram_index(words, config.ngram), config.boilerplate
    in_items = np.diff(index.offsets)
    found = grams(sample, config.ngram)
    place, number = index.find(found.key)
    rows_and_runs = np.unique(np.stack([found.row[place], number], axis=1), axis=0)
    in_rows = np.bincount(rows_and_runs[:, 1], minlength=len(index.keys))
    most = max(limits.max_items, limits.max_share * len(sample))
    return index.keys[(in_items > limits.max_items) | (in_rows > most)]


def _short(items: pl.DataFrame, total: int) -> dict[int, GramIndex]:
    lengths = items["words"].list.len()
    return {
        length: gram_index(_spread(items.filter(lengths == length), total), length)
        for length in sorted(set(lengths.to_list()) - {0})
    }


def _spread(items: pl.DataFrame, total: int) -> pl.Series:
    """Return the words under the items' own row numbers, with nothing in between."""
    everyone = pl.DataFrame({"item": pl.Series(range(total), dtype=items.schema["item"])})
    return everyone.join(items.select("item", "words"), on="item", how="left", maintain_order="left")["words"]
