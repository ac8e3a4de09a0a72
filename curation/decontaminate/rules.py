"""The rules: each takes a batch of training problems and says which benchmark items are in them.

A hit names the row of the batch, the item, the score and the words that match: from ``start``, ``length`` words.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from curation.decontaminate.benchmarks import Benchmarks
from curation.decontaminate.grams import GramIndex, Grams, grams
from schemas.errors import MissingExtra
from schemas.recipe.decontaminate import Decontaminate

__all__ = ["HITS", "any_gram", "containment", "exact", "fuzz", "same_numbers", "short"]

HITS = {"row": pl.Int64, "item": pl.Int64, "score": pl.Float64, "start": pl.Int64, "length": pl.Int64}


def exact(words: pl.Series, benchmarks: Benchmarks) -> pl.DataFrame:
    """Find problems whose words are exactly an item's."""
    rows = pl.DataFrame({"key": words.list.join(" "), "length": words.list.len()}).with_row_index("row")
    found = rows.join(benchmarks.items.select("item", "key"), on="key").filter(pl.col("key") != "")
    return _hits(found.with_columns(score=1.0, start=0))


def containment(words: pl.Series, benchmarks: Benchmarks, config: Decontaminate) -> pl.DataFrame:
    """Find problems that hold at least a given share of an item's different runs of words."""
    found, runs = grams(words, config.ngram), benchmarks.runs
    place, number = runs.find(found.key)
    within, item = runs.owners(number)
    matched = pl.DataFrame(
        {"row": found.row[place][within], "item": item, "run": number[within], "start": found.start[place][within]}
    )
    shares = matched.group_by("row", "item").agg(pl.col("run").n_unique())
    sizes = pl.Series(runs.sizes)
    scored = shares.with_columns(score=pl.col("run") / sizes.gather(shares["item"]))
    over = scored.filter(pl.col("score") >= config.containment).select("row", "item", "score")
    return _hits(
        over.join(_longest(matched.join(over, on=["row", "item"], how="semi"), config.ngram), on=["row", "item"])
    )


def same_numbers(hits: pl.DataFrame, words: pl.Series, benchmarks: Benchmarks) -> pl.Series:
    """Return, per hit, whether every number of the item stands in the problem."""
    numbers = pl.element().filter(pl.element().str.contains(r"\d"))
    asked = benchmarks.items["words"].gather(hits["item"]).list.eval(numbers)
    given = words.gather(hits["row"]).list.eval(numbers)
    return asked.list.set_difference(given).list.len() == 0


def _longest(matched: pl.DataFrame, n: int) -> pl.DataFrame:
    """Return the longest stretch of words that matching runs cover, per row and item."""
    starts = matched.unique(["row", "item", "start"]).sort("row", "item", "start")
    breaks = (pl.col("start").diff().over("row", "item") != 1).fill_null(value=True).cum_sum().over("row", "item")
    stretches = starts.group_by("row", "item", stretch=breaks).agg(pl.col("start").min(), length=pl.len() + n - 1)
    return stretches.sort("row", "item", "length", "start", descending=[False, False, True, False]).unique(
        ["row", "item"], keep="first", maintain_order=True
    )


def short(words: pl.Series, benchmarks: Benchmarks, config: Decontaminate) -> pl.DataFrame:
    """Find problems that hold a short item whole and little else."""
    lengths = words.list.len()
    found = [pl.DataFrame(schema=HITS)]
    for length, index in benchmarks.short.items():
        rows = np.flatnonzero((lengths >= length).to_numpy() & (lengths * config.short_share <= length).to_numpy())
        runs = grams(words.gather(rows), length)
        found.append(_owned(Grams(rows[runs.row], runs.start, runs.key), index, length))
    hits = pl.concat(found)
    return hits.with_columns(score=hits["length"] / lengths.gather(hits["row"]))


def any_gram(words: pl.Series, index: GramIndex, n: int) -> pl.DataFrame:
    """Find problems that share any run of ``n`` words with any item; one item per problem stands for all.

    The rule of open-r1 (any 8-gram), and of GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C) as lm-eval
    ships it (any 13-gram).
    """
    found = grams(words, n)
    place, number = index.find(found.key)
    first, at = np.unique(found.row[place], return_index=True)
    item = index.items[index.offsets[number[at]]]
    start = found.start[place][at]
    return _hits(pl.DataFrame({"row": first, "item": item, "start": start}).with_columns(score=1.0, length=n))


def fuzz(texts: pl.Series, items: pl.Series, ratio: float) -> pl.DataFrame:
    """Find problems within a Levenshtein ratio of an item, as OpenThoughts does; every pair is compared.

    Raises
    ------
    MissingExtra
        If `rapidfuzz` is not installed.
    """
    try:
        from rapidfuzz import fuzz as ratios
        from rapidfuzz import process
    except ImportError as error:
        raise MissingExtra("rapidfuzz", "fuzz") from error
    scores = process.cdist(texts.to_list(), items.to_list(), scorer=ratios.ratio, score_cutoff=ratio, dtype=np.float32)
    row, item = np.nonzero(scores)
    score = scores[row, item].astype(np.float64)
    return _hits(pl.DataFrame({"row": row, "item": item, "score": score}).with_columns(start=0, length=0))


def _owned(found: Grams, index: GramIndex, n: int) -> pl.DataFrame:
    place, number = index.find(found.key)
    within, item = index.owners(number)
    hits = pl.DataFrame({"row": found.row[place][within], "item": item, "start": found.start[place][within]})
    return _hits(hits.unique(["row", "item"], keep="first", maintain_order=True).with_columns(score=1.0, length=n))


def _hits(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(of) for name, of in HITS.items())
