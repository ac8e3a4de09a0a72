"""Stage ``curricula``: surviving problems to a prompt set, in the phases that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from curation.drive import plain, sft, stage1, stage2
from curation.drive.prompt_sets import MEASURED, assemble, tests_known
from curation.measure.bands import band_label
from curation.measure.pass_rates import select
from schemas.enums import Verdict
from schemas.recipe.curricula import Curricula, Drive, Plain
from schemas.recipe.measures import Band, Measure
from warehouse.stages import Services, Stage, StageResult

__all__ = ["CURRICULA", "schedule"]

Inputs = Mapping[str, pl.LazyFrame]
CURRICULUM = "drive"


def schedule(inputs: Inputs, config: Curricula, services: Services) -> StageResult:  # noqa: ARG001 - needs no services
    """Lay out the curricula; a problem in no phase of any is dropped as ``not_selected``.

    Parameters
    ----------
    inputs
        ``rows``, ``pass_rates``, ``test_quality``; optionally ``decisions``, whose flags go with the rows.

    Raises
    ------
    UsageError
        If a measurement is not told clearly, or a classifier is not installed.
    """
    placed = [*_drive(inputs, config.drive), *(_plain(inputs, one) for one in config.plain)]
    laid = pl.concat([one.collect(engine="streaming") for one in placed]).lazy()
    return StageResult(_not_selected(inputs, config, laid), outputs={"prompt_set": assemble(inputs, laid)})


def _known(inputs: Inputs, measure: Measure, medium: Band, besides: Iterable[Measure] = ()) -> pl.LazyFrame:
    counts = select(inputs["pass_rates"], measure, besides=besides).select("problem_id", *MEASURED)
    problems = inputs["rows"].select("problem_id", "source", "tags").join(counts, on="problem_id", how="left")
    return problems.with_columns(band=band_label(medium))


def _placed(table: pl.LazyFrame, curriculum: str) -> pl.LazyFrame:
    place = ("phase", "order_index", "dup_index", "band")
    return table.select("problem_id", *place, *MEASURED[:5], curriculum=pl.lit(curriculum))


def _drive(inputs: Inputs, settings: Drive | None) -> list[pl.LazyFrame]:
    if settings is None:
        return []
    known = _known(inputs, settings.measure, settings.medium, _predictors(settings))
    placed = []
    if settings.sft is not None:
        placed.append(sft.supervised(known, inputs["rows"], inputs["pass_rates"], settings.sft))
    if settings.stage1 is not None:
        placed.append(stage1.expansion(known, settings.medium, settings.stage1))
    if settings.stage2 is not None:
        pool = stage2.pool_of(_pool(inputs, settings), settings.stage2)
        placed.append(stage2.focus(pool, 1, settings.stage2))
    return [_placed(one, CURRICULUM) for one in placed]


def _predictors(settings: Drive) -> tuple[Measure, ...]:
    return settings.sft.arena.predictors if settings.sft and settings.sft.arena else ()


def _pool(inputs: Inputs, settings: Drive) -> pl.LazyFrame:
    measure = settings.stage2.measure or settings.measure  # type: ignore[union-attr]
    known = _known(inputs, measure, settings.medium, _predictors(settings))
    return known.join(tests_known(inputs).select("problem_id", "n_tests"), on="problem_id", how="left")


def _plain(inputs: Inputs, settings: Plain) -> pl.LazyFrame:
    known = _known(inputs, settings.measure, settings.medium)
    return _placed(plain.ordered(known, settings), settings.name)


def _not_selected(inputs: Inputs, config: Curricula, laid: pl.LazyFrame) -> pl.LazyFrame:
    """Decide about problems in no phase: their pass rate, held against the hardest phase's highest."""
    main = config.drive or config.plain[0]
    besides = _predictors(main) if isinstance(main, Drive) else ()
    counts = select(inputs["pass_rates"], main.measure, besides=besides).select("problem_id", "n", "c")
    left = inputs["rows"].select("problem_id").join(laid.select("problem_id").unique(), on="problem_id", how="anti")
    focused = laid.filter(pl.col("phase").str.starts_with(stage2.STAGE))
    edge = focused.select(threshold=(pl.col("c") / pl.col("n")).max())
    return (
        left.join(counts, on="problem_id", how="left")
        .join(edge, how="cross")
        .select(
            record_id="problem_id",
            verdict=pl.lit(Verdict.DROP.value),
            reason=pl.lit("not_selected"),
            measured=pl.col("c") / pl.when(pl.col("n") > 0).then(pl.col("n")),
            threshold="threshold",
            witness=pl.lit(None, dtype=pl.String),
            detail=pl.lit(None, dtype=pl.String),
        )
    )


CURRICULA = Stage("curricula", "1", schedule, outputs={"prompt_set": "prompt_set"})
"""Inputs ``rows``, ``pass_rates``, ``test_quality`` and optionally ``decisions``; output ``prompt_set``."""
