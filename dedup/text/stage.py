"""The stage ``dedup``: exact and near-duplicate prompts go, each with a kept witness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from dedup.text.documents import Documents, exact_removals, own_shingles, read_documents
from dedup.text.near import removals
from dedup.text.similarity import Pairs
from schemas.enums import Verdict
from schemas.recipe.dedup import Dedup
from warehouse.engines import Engine, LocalEngine
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["DEDUP", "dedup"]


def dedup(inputs: Mapping[str, pl.LazyFrame], config: Dedup, services: Services) -> StageResult:
    """Decide which problems repeat another one.

    Every removed problem names a kept one that it repeats: ``exact_duplicate`` (measured 1, threshold 1), or
    ``near_duplicate`` (measured the Jaccard similarity). No two kept problems are duplicates of each other. Which
    record stays follows from `Dedup.sources`, `Dedup.prefer` and the problem id alone, not from the order of rows.

    Parameters
    ----------
    inputs
        ``rows``: table of the contract ``problem``.

    Returns
    -------
    StageResult
        Decisions ``drop`` with the reasons above, and ``flag`` for ``too_long_to_compare``.
    """
    rows = inputs["rows"]
    if not rows.select(pl.len()).collect().item():
        return StageResult(no_decisions())
    folder = services.workspace.root
    engine: Engine = services.engine or LocalEngine()
    documents = read_documents(rows, config, engine, folder, services.progress)
    exact = exact_removals(documents)
    near = Pairs.none()
    if config.near:
        store = own_shingles(documents, exact.later, config, folder)
        near = removals(store, config.threshold, engine, services.progress)
        exact, near = _witnessed(exact, near)
    decisions = [
        _drops(documents, "exact_duplicate", exact, 1.0),
        _drops(documents, "near_duplicate", near, config.threshold),
        _too_long(documents, config),
    ]
    return StageResult(pl.concat(decisions).lazy())


def _witnessed(exact: Pairs, near: Pairs) -> tuple[Pairs, Pairs]:
    """Return both kinds of removals, copies of a document that goes as near going with it, to the same witness."""
    position = np.searchsorted(near.later, exact.earlier)
    goes = np.isin(exact.earlier, near.later)
    other = near.take(position[goes])
    followers = Pairs(exact.later[goes], other.earlier, other.similarity)
    return exact.take(~goes), Pairs.joined([near, followers])


def _drops(documents: Documents, reason: str, removed: Pairs, threshold: float) -> pl.DataFrame:
    return _decisions(
        record_id=documents.ids.gather(removed.later),
        verdict=Verdict.DROP.value,
        reason=reason,
        measured=removed.similarity,
        threshold=threshold,
        witness=documents.ids.gather(removed.earlier),
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


DEDUP = Stage("dedup", "1", dedup)
