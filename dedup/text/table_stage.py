"""The stage ``text_duplicates``: which documents of a table repeat another one, each with a kept witness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from dedup.text.against import index_of
from dedup.text.documents import Documents, read_documents
from dedup.text.duplicates import Removals, find_duplicates, minhash_banding
from dedup.text.published import Published
from dedup.text.tables import documents_of, readable
from schemas.errors import InputError
from schemas.recipe.dedup import Dedup
from schemas.recipe.texts import TextTable
from schemas.texts import TEXT_REMOVAL, TEXT_STEP
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["TEXT_DUPLICATES", "text_duplicates"]


def text_duplicates(_inputs: Mapping[str, pl.LazyFrame], config: TextTable, services: Services) -> StageResult:
    """Decide which documents of a table repeat another one, or one that is published.

    Of documents alike the one with the smallest id stays (the longest, if `Dedup.prefer` says so); see
    `dedup.text.duplicates.find_duplicates` for the rule. Rows of one id are one document; rows without a text are
    no documents.

    Returns
    -------
    StageResult
        Rows of the contract ``text_removal``, and the output ``steps`` of the contract ``text_step``.

    Raises
    ------
    InputError, UsageError
        If the table cannot be read, or its columns are not what the configuration says.
    """
    services.workspace.root.mkdir(parents=True, exist_ok=True)
    with readable(config):
        rows = documents_of(config, services.workspace)
        total = rows.select(pl.len()).collect(engine="streaming").item()
        chosen = _once(rows.filter(pl.col("text").is_not_null()), config)
        if not chosen.select(pl.len()).collect(engine="streaming").item():
            raise InputError("the table holds no document.", hint="check the columns that --text names.")
        documents = read_documents(_ranked(chosen, config.alike), config.alike, services)
    published = index_of(config.alike, services)
    found = find_duplicates(documents, config.alike, services, published)
    steps = pl.DataFrame(list(_steps(total, documents, found, config.alike)), schema=pl.Schema(TEXT_STEP.arrow))
    return StageResult(
        no_decisions(), rows=_removals(documents, found, published).lazy(), outputs={"steps": steps.lazy()}
    )


def _once(rows: pl.LazyFrame, config: TextTable) -> pl.LazyFrame:
    """Return each document's first row."""
    if config.id is None:
        return rows
    numbered = rows.with_row_index("row")
    again = numbered.select("row", first=pl.col("row").min().over("id")).filter(pl.col("row") != pl.col("first"))
    repeated = again.select("row").collect().to_series()
    return numbered.filter(~pl.col("row").is_in(repeated.implode())).drop("row") if len(repeated) else rows


def _ranked(rows: pl.LazyFrame, config: Dedup) -> pl.LazyFrame:
    ranks = {"longest": -pl.col("text").str.len_chars().cast(pl.Int64)} if "longest" in config.prefer else {}
    return rows.with_columns(**ranks)


def _removals(documents: Documents, found: Removals, published: Published | None) -> pl.DataFrame:
    ids = documents.ids.cast(pl.String)
    parts = []
    for kind, own, theirs in (("exact", found.exact, found.published), ("near", found.near, found.near_published)):
        for pairs, known in ((own, False), (theirs, True)):
            witnesses = published.ids(pairs.earlier) if known and published else ids.gather(pairs.earlier)
            columns = {
                "removed_id": ids.gather(pairs.later),
                "witness_id": witnesses,
                "similarity": pl.Series(pairs.similarity),
            }
            parts.append(pl.DataFrame(columns).with_columns(kind=pl.lit(kind), published=pl.lit(known)))
    schema = pl.Schema(TEXT_REMOVAL.arrow)
    return pl.concat(parts).select(pl.col(name).cast(of) for name, of in schema.items()).sort("removed_id")


def _steps(total: int, documents: Documents, found: Removals, config: Dedup) -> Iterator[dict[str, Any]]:
    """Yield what each step was given and took out."""
    short = documents.shingles.sizes < config.fewest
    left = np.ones(len(short), bool)
    yield {
        "step": "read",
        "documents": total,
        "removed": 0,
        "aside": total - len(left),
        "how": "rows with a text, those of one id once",
    }
    near = f"Jaccard similarity of {config.width}-{config.unit[:-1]} shingles from {config.threshold:g}"
    for step, pairs, how in (
        ("published", found.published, "equal to a published text"),
        ("exact", found.exact, "equal after normalisation"),
        ("near_published", found.near_published, f"{near} with a published text"),
        ("near", found.near, f"{near}; {_candidates(np.count_nonzero(~short), config)}"),
    ):
        if step.endswith("published") and not config.against:
            continue
        aside = int((short & left).sum()) if config.near and step == "near" else 0
        came = int(left.sum())
        yield {"step": step, "documents": came, "removed": len(pairs.later), "aside": aside, "how": how}
        left[pairs.later] = False


def _candidates(documents: int, config: Dedup) -> str:
    if not config.near:
        return "not asked for"
    if (banding := minhash_banding(documents, config)) is None:
        return "no pair is missed"
    return (
        f"candidates by MinHash, {banding.bands} bands of {banding.rows}: "
        f"a pair at the threshold is found with probability {banding.probability(config.threshold):.3f}"
    )


TEXT_DUPLICATES = Stage(
    "text_duplicates", "3", text_duplicates, contract="text_removal", outputs={"steps": "text_step"}
)
