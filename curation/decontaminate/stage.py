"""The stage ``decontaminate``: benchmark items found in training problems, each hit with its evidence.

Two passes. The first looks at a fixed sample (the problems with the smallest ids of each source) to learn which lines
are a template and which runs of words are boilerplate; the second streams all problems past the indexed benchmarks in
batches. Ids are hashes of content, so the sample, and with it every hit, is the same for any order of the rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from curation.decontaminate import rules
from curation.decontaminate.benchmarks import Benchmarks, index_benchmarks
from curation.decontaminate.grams import gram_index
from curation.decontaminate.texts import prepared, shipped_words, template_lines
from curation.normalise import statement
from schemas.enums import Verdict
from schemas.recipe.decontaminate import Decontaminate
from schemas.records import CONTAMINATION
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["DECONTAMINATE", "decontaminate", "learn"]

_BATCH = 50_000
_MATCHED_CHARS = 400
_OWN = ("exact", "containment", "short")
_FUZZ_RATIO = 95.0
_SCHEMA = pl.Schema(CONTAMINATION.arrow)

Finder = Callable[[pl.DataFrame], tuple[pl.DataFrame, pl.Series]]


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
        the item as witness and the evidence as detail; the table ``hits``, in which the rules of ``report`` tell
        what they would have removed.
    """
    if "benchmarks" not in inputs:
        return StageResult(no_decisions(), outputs={"hits": pl.LazyFrame(schema=_SCHEMA)})
    rows = inputs["rows"].select("problem_id", "source", text=statement())
    benchmarks, lines = learn(rows, inputs["benchmarks"], config)
    finders = _finders(benchmarks, config)
    scratch = services.scratch or Path(tempfile.mkdtemp(prefix="sluice-decontaminate-"))
    services.progress.start("decontaminate")
    for number, batch in enumerate(rows.collect_batches(chunk_size=_BATCH, maintain_order=False)):
        hits = _hits(prepared(batch, lines, config), finders, benchmarks, config)
        hits.write_parquet(scratch / f"hits-{number:06}.parquet")
        services.progress.advance("decontaminate", batch.height)
    services.progress.finish("decontaminate")
    found = sorted(scratch.glob("hits-*.parquet"))
    hits = pl.scan_parquet(found) if found else pl.LazyFrame(schema=_SCHEMA)
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
        "source_id", item_id="problem_id", benchmark="source", revision="source_revision", text=statement()
    ).collect()
    sample = _sample(rows, config.template.sample)
    both = pl.concat([sample.select("source", "text"), texts.select(source="benchmark", text="text")])
    lines = template_lines(both, config.template)
    return index_benchmarks(texts, prepared(sample, lines, config)["words"], lines, config), lines


def _sample(rows: pl.LazyFrame, size: int) -> pl.DataFrame:
    """Return the problems with the smallest ids of each source: as good as drawn, and the same in any order."""
    ids = rows.select("problem_id", "source").collect()
    chosen = ids.filter(pl.col("problem_id").rank("ordinal").over("source") <= size)
    return rows.join(chosen.lazy().select("problem_id"), on="problem_id", how="semi").sort("problem_id").collect()


def _finders(benchmarks: Benchmarks, config: Decontaminate) -> dict[str, tuple[float, Finder]]:
    """Return the rules to run by name: their threshold, and the function from a batch to hits and their words."""
    found: dict[str, tuple[float, Finder]] = {
        "containment": (config.containment, lambda b: (rules.containment(b["words"], benchmarks, config), b["words"])),
        "short": (config.short_share, lambda b: (rules.short(b["words"], benchmarks, config), b["words"])),
    }
    if config.exact:
        found["exact"] = (1.0, lambda b: (rules.exact(b["words"], benchmarks), b["words"]))
    for name, n, punctuation in (("any_8_gram", 8, True), ("any_13_gram", 13, False)):
        if name in config.report:
            found[name] = (1.0, _shipped(benchmarks, n, punctuation=punctuation))
    if "fuzz_95" in config.report:
        texts = benchmarks.items["text"]
        found["fuzz_95"] = (
            _FUZZ_RATIO,
            lambda b: (rules.fuzz(b["text"], texts, _FUZZ_RATIO), b.select(pl.concat_list("text")).to_series()),
        )
    return found


def _shipped(benchmarks: Benchmarks, n: int, *, punctuation: bool) -> Finder:
    def words_of(frame: pl.DataFrame) -> pl.Series:
        return frame.select(shipped_words(pl.col("text"), punctuation=punctuation)).to_series()

    index = gram_index(words_of(benchmarks.items), n)

    def find(batch: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        words = words_of(batch)
        return rules.any_gram(words, index, n), words

    return find


def _hits(
    batch: pl.DataFrame, finders: Mapping[str, tuple[float, Finder]], benchmarks: Benchmarks, config: Decontaminate
) -> pl.DataFrame:
    del config
    ids = batch.select(row=pl.int_range(pl.len(), dtype=pl.Int64), problem_id="problem_id")
    items = benchmarks.items.select(
        pl.col("item").cast(pl.Int64),
        "benchmark",
        benchmark_revision="revision",
        item_id="item_id",
        item_source_id="source_id",
    )
    tables = []
    for rule, (threshold, find) in finders.items():
        hits, words = find(batch)
        best = (
            hits.join(items, on="item")
            .sort(["row", "benchmark", "score", "item"], descending=[False, False, True, False])
            .unique(["row", "benchmark"], keep="first", maintain_order=True)
        )
        matched = words.gather(best["row"]).to_frame("words").with_columns(best.select("start", "length"))
        text = pl.when(pl.col("length") > 0).then(pl.col("words").list.slice("start", "length")).otherwise("words")
        shown = matched.select(matched=text.list.join(" ").str.slice(0, _MATCHED_CHARS)).to_series()
        told = best.join(ids, on="row", maintain_order="left").with_columns(
            matched=shown, rule=pl.lit(rule), threshold=pl.lit(threshold), drops=pl.lit(rule in _OWN)
        )
        tables.append(told.with_columns(item="item_id").select(pl.col(c).cast(of) for c, of in _SCHEMA.items()))
    return pl.concat(tables)


def _decisions(hits: pl.LazyFrame) -> pl.LazyFrame:
    """Return one drop per problem: by its highest score, an exact match before others."""
    order = pl.col("rule").replace_strict({rule: i for i, rule in enumerate(_OWN)}, default=len(_OWN))
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
        reason=pl.format("contaminated_{}", "rule"),
        measured="score",
        threshold="threshold",
        witness="item",
        detail=evidence,
    )
