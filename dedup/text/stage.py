"""The stage ``dedup``: exact and near-duplicate prompts go, each with a kept witness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from dedup.text.against import index_of
from dedup.text.documents import Documents, read_documents
from dedup.text.duplicates import find_duplicates
from dedup.text.problems import ranked_problems
from dedup.text.similarity import Pairs
from schemas.enums import Verdict
from schemas.ids import canonical_json
from schemas.recipe.dedup import Dedup, PinnedDedup
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["DEDUP", "dedup"]


def dedup(inputs: Mapping[str, pl.LazyFrame], config: Dedup, services: Services) -> StageResult:
    """Decide which problems repeat another one.

    Every removed problem names a kept one that it repeats: ``exact_duplicate`` (measured 1, threshold 1), or
    ``near_duplicate`` (measured the Jaccard similarity). No two kept problems are duplicates of each other. Which
    record stays follows from `Dedup.sources`, `Dedup.prefer` and the problem id alone, not from the order of rows.
    What repeats a published problem goes as ``published`` or ``near_published``.

    Parameters
    ----------
    inputs
        ``rows``: table of the contract ``problem``.
    config
        A `PinnedDedup` where the recipe names something to be held against.

    Returns
    -------
    StageResult
        Decisions ``drop`` with the reasons above, and ``flag`` for ``too_long_to_compare``.
    """
    rows = inputs["rows"]
    if not rows.select(pl.len()).collect().item():
        return StageResult(no_decisions())
    published = index_of(config, services) if isinstance(config, PinnedDedup) else None
    documents = read_documents(ranked_problems(rows, config), config, services)
    found = find_duplicates(documents, config, services, published)
    own = documents.ids
    decisions = [
        _drops(own, "exact_duplicate", found.exact, own.gather(found.exact.earlier), 1.0),
        _drops(own, "near_duplicate", found.near, own.gather(found.near.earlier), config.threshold),
        _too_long(documents, config),
    ]
    if published:
        detail = canonical_json({"published": list(config.against)})
        for reason, pairs, least in (
            ("published", found.published, 1.0),
            ("near_published", found.near_published, config.threshold),
        ):
            drops = _drops(own, reason, pairs, published.ids(pairs.earlier), least)
            decisions.append(drops.with_columns(detail=pl.lit(detail)))
    return StageResult(pl.concat(decisions).lazy())


def _drops(ids: pl.Series, reason: str, removed: Pairs, witnesses: pl.Series, threshold: float) -> pl.DataFrame:
    return _decisions(
        record_id=ids.gather(removed.later),
        verdict=Verdict.DROP.value,
        reason=reason,
        measured=removed.similarity,
        threshold=threshold,
        witness=witnesses,
    )


def _too_long(documents: Documents, config: Dedup) -> pl.DataFrame:
    long = np.flatnonzero(config.near & (documents.characters > config.longest))
    return _decisions(
        record_id=documents.ids.gather(long),
        verdict=Verdict.FLAG.value,
        reason="too_long_to_compare",
        measured=documents.characters[long],
        threshold=float(config.longest),
    )


def _decisions(record_id: pl.Series, **columns: object) -> pl.DataFrame:
    schema = no_decisions().collect_schema()
    given = {
        name: pl.Series(values) if isinstance(values, np.ndarray | pl.Series) else pl.lit(values)
        for name, values in columns.items()
    }
    frame = pl.DataFrame({"record_id": record_id}).with_columns(**given)
    missing = {name: pl.lit(None) for name in schema if name not in frame.columns}
    return frame.with_columns(**missing).select(pl.col(name).cast(of) for name, of in schema.items())


DEDUP = Stage("dedup", "2", dedup)
