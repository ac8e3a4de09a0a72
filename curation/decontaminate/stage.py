"""The stage ``decontaminate``: benchmark items found in training problems, each hit with its evidence.

Two passes. The first looks at a fixed sample (the problems with the smallest ids of each source) to learn which lines
are a template and which runs of words are boilerplate; the second streams all problems past the indexed benchmarks in
batches. Ids are hashes of content, so the sample, and with it every hit, is the same for any order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain

import polars as pl

from curation.columns import statement_text
from curation.decontaminate import rules
from curation.decontaminate.benchmarks import Benchmarks, index_benchmarks
from curation.decontaminate.grams import GramIndex, gram_index
from curation.decontaminate.texts import prepared, shipped_words, template_lines
from schemas.enums import Verdict
from schemas.recipe.decontaminate import Decontaminate
from schemas.records import CONTAMINATION
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["DECONTAMINATE", "decontaminate", "learn"]

_BATCH = 8_192
_MATCHED_CHARS = 400
_DROPS = ("exact", "containment", "short")
_ITEM = (
    "item_id",
    "benchmark",
    pl.col("revision").alias("benchmark_revision"),
    pl.col("source_id").alias("item_source_id"),
)
_FUZZ_RATIO = 95.0
_SCHEMA = pl.Schema(CONTAMINATION.arrow)

Rule = Callable[[pl.DataFrame], "_Found"]


def decontaminate(inputs: Mapping[str, pl.LazyFrame], config: Decontaminate, services: Services) -> StageResult:
    """Drop the problems in which a benchmark item stands.

    Parameters
    ----------
    inputs
        ``rows`` and ``benchmarks``, both of the contract `problem`; without ``benchmarks`` nothing is looked for.

    Returns
    -------
    StageResult
        Drops with the reasons ``contaminated_exact``, ``contaminated_containment`` and ``contaminated_short``,
        the item as witness and the evidence as detail; the table ``hits``, in which the rules of ``report`` and
        ``other_numbers`` tell what they would have removed.
    """
    if "benchmarks" not in inputs:
        return StageResult(no_decisions(), outputs={"hits": pl.LazyFrame(schema=_SCHEMA)})
    rows = inputs["rows"].select("problem_id", "source", text=statement_text())
    benchmarks, lines = learn(rows, inputs["benchmarks"], config)
    shipped = list(_shipped(benchmarks, config))
    scratch = services.aside()
    services.progress.start("decontaminate")
    for number, batch in enumerate(rows.collect_batches(chunk_size=_BATCH, maintain_order=False)):
        ready = prepared(batch, lines, config)
        found = chain(_own(ready, benchmarks, config), (rule(batch) for rule in shipped))
        hits = pl.concat(_told(one, batch, benchmarks) for one in found)
        hits.write_parquet(scratch / f"hits-{number:06}.parquet")
        services.progress.advance("decontaminate", batch.height)
    services.progress.finish("decontaminate")
    parts = sorted(scratch.glob("hits-*.parquet"))
    hits = pl.scan_parquet(parts, glob=False) if parts else pl.LazyFrame(schema=_SCHEMA)
    return StageResult(_decisions(hits), outputs={"hits": hits})


DECONTAMINATE = Stage("decontaminate", "1", decontaminate, outputs={"hits": CONTAMINATION.name})


def learn(rows: pl.LazyFrame, items: pl.LazyFrame, config: Decontaminate) -> tuple[Benchmarks, pl.Series]:
    """Return the indexed benchmarks, and the template lines of both sides.

    Parameters
    ----------
    rows
        Training problems: ``problem_id``, ``source``, ``text``.
    items
        Benchmark problems, of the contract `problem`.
    """
    texts = items.select(
        "source_id", item_id="problem_id", benchmark="source", revision="source_revision", text=statement_text()
    ).collect()
    sample = _sample(rows, config.template.sample)
    both = pl.concat([sample.select("source", "text"), texts.select(source="benchmark", text="text")])
    lines = template_lines(both, config.template)
    return index_benchmarks(texts, prepared(sample, lines, config)["words"], lines, config), lines


def _sample(rows: pl.LazyFrame, size: int) -> pl.DataFrame:
    """Return the problems with the smallest ids of each source: as good as drawn, and the same in any order."""
    ids = rows.select("problem_id", "source").collect(engine="streaming")
    chosen = ids.filter(pl.col("problem_id").rank("ordinal").over("source") <= size)
    sample = rows.filter(pl.col("problem_id").is_in(chosen["problem_id"].implode()))
    return sample.collect(engine="streaming").sort("problem_id")


@dataclass(frozen=True)
class _Found:
    """What one rule found in a batch: hits, and the words in which their stretches are counted."""

    rule: str
    threshold: float
    hits: pl.DataFrame
    words: pl.Series


def _own(batch: pl.DataFrame, benchmarks: Benchmarks, config: Decontaminate) -> Iterator[_Found]:
    words = batch["words"]
    if config.exact:
        yield _Found("exact", 1.0, rules.exact(words, benchmarks), words)
    yield _Found("short", config.short_share, rules.short(words, benchmarks, config), words)
    hits = rules.containment(words, benchmarks, config)
    same = rules.same_numbers(hits, words, benchmarks) | (not config.same_numbers)
    yield _Found("containment", config.containment, hits.filter(same), words)
    yield _Found("other_numbers", config.containment, hits.filter(~same), words)


def _shipped(benchmarks: Benchmarks, config: Decontaminate) -> Iterator[Rule]:
    """Yield the rules of other projects that the recipe asks to report, ready to be run on batches."""
    for name, n, punctuation in (("any_8_gram", 8, True), ("any_13_gram", 13, False)):
        if name in config.report:
            words = shipped_words(pl.col("text"), punctuation=punctuation)
            index = gram_index(benchmarks.items.select(words).to_series(), n)
            yield partial(_any_gram, name=name, n=n, words=words, index=index)
    if "fuzz_95" in config.report:
        yield partial(_fuzz, texts=benchmarks.items["text"])


def _any_gram(batch: pl.DataFrame, name: str, n: int, words: pl.Expr, index: GramIndex) -> _Found:
    split = batch.select(words).to_series()
    return _Found(name, 1.0, rules.any_gram(split, index, n), split)


def _fuzz(batch: pl.DataFrame, texts: pl.Series) -> _Found:
    hits = rules.fuzz(batch["text"], texts, _FUZZ_RATIO)
    return _Found("fuzz_95", _FUZZ_RATIO, hits, batch.select(pl.concat_list("text")).to_series())


def _told(found: _Found, batch: pl.DataFrame, benchmarks: Benchmarks) -> pl.DataFrame:
    """Return a rule's best hit per problem and benchmark, in the columns of the contract."""
    items = benchmarks.items.select(pl.col("item").cast(pl.Int64), *_ITEM)
    best = (
        found.hits.join(items, on="item")
        .sort(["row", "benchmark", "score", "item"], descending=[False, False, True, False])
        .unique(["row", "benchmark"], keep="first", maintain_order=True)
    )
    stretch = pl.col("words").list.slice("start", "length").list.join(" ").str.slice(0, _MATCHED_CHARS)
    shown = best.with_columns(words=found.words.gather(best["row"])).with_columns(matched=stretch)
    return shown.with_columns(
        problem_id=batch["problem_id"].gather(best["row"]),
        item="item_id",
        rule=pl.lit(found.rule),
        threshold=pl.lit(found.threshold),
        drops=pl.lit(found.rule in _DROPS),
    ).select(pl.col(name).cast(of) for name, of in _SCHEMA.items())


def _decisions(hits: pl.LazyFrame) -> pl.LazyFrame:
    """Return one drop per problem: by its highest score, an exact match before others."""
    order = pl.col("rule").replace_strict({rule: i for i, rule in enumerate(_DROPS)}, default=len(_DROPS))
    best = (
        hits.filter("drops")
        .with_columns(order=order)
        .sort("problem_id", "order", pl.col("score").neg(), "benchmark", "item")
        .unique("problem_id", keep="first", maintain_order=True)
    )
    evidence = pl.struct("benchmark", "benchmark_revision", "item_source_id", "matched").struct.json_encode()
    return best.select(
        record_id="problem_id",
        verdict=pl.lit(Verdict.DROP.value),
        reason=pl.concat_str(pl.lit("contaminated_"), "rule"),
        measured="score",
        threshold="threshold",
        witness="item",
        detail=evidence,
    )
