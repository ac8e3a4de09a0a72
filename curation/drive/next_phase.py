"""The next phase of DRIVE's stage 2: what the newest checkpoint still finds hardest."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from curation.drive import stage2
from curation.drive.prompt_sets import MEASURED, row_ids
from curation.drive.stage import CURRICULUM
from curation.measure.bands import band_label
from curation.measure.pass_rates import select
from schemas.enums import Verdict
from schemas.errors import UsageError
from schemas.recipe.curricula import Drive, DriveStage2
from schemas.recipe.measures import Measure
from schemas.records import PROMPT_SET

__all__ = ["NextPhase", "last_phase", "next_phase"]

_SHOWN = 3


@dataclass(frozen=True)
class NextPhase:
    """A phase of stage 2 and what was decided on the way.

    Parameters
    ----------
    phase
        Its number, from 1.
    prompt_set
        Its rows, by the ``prompt_set`` contract, hardest first.
    decisions
        ``not_retained`` (drop) for problems of the phase before that are out, ``few_samples`` (flag) for those
        ranked on fewer answers than the recipe asks for.
    """

    phase: int
    prompt_set: pl.LazyFrame
    decisions: pl.LazyFrame


def next_phase(
    previous: pl.LazyFrame,
    rates: pl.LazyFrame,
    settings: Drive,
    measure: Measure | None = None,
) -> NextPhase:
    """Rank the last phase's problems by the newest checkpoint and keep the hardest for the next phase.

    Parameters
    ----------
    previous
        A prompt set that holds phases of stage 2; the last one is carried on.
    rates
        Counts of the newest checkpoint on that phase's problems (``pass_rate`` contract).
    measure
        Which counts, where ``rates`` holds more than one measurement.

    Raises
    ------
    UsageError
        If there is no phase to carry on, it was the last, a problem was not measured again, or the counts are of
        the checkpoint that ranked the phase before.
    """
    stage = settings.stage2
    if stage is None:
        raise UsageError("the recipe leaves out `drive.stage2`.", hint="add `stage2:` under `drive`.")
    last, before = last_phase(previous, stage)
    counts = select(rates, measure or Measure()).select("problem_id", *MEASURED)
    renewed = before.drop("band", *MEASURED[:5]).join(counts, on="problem_id", how="left").collect()
    _check(before.collect(), renewed, stage)
    pool = renewed.lazy() if stage.unsolved == "keep" else renewed.lazy().filter(pl.col("c") > 0)
    kept = stage2.focus(pool, last + 1, stage)
    rows = kept.with_columns(band=band_label(settings.medium)).with_columns(row_id=row_ids()).select(PROMPT_SET.names)
    return NextPhase(last + 1, rows, _decisions(renewed.lazy(), kept, stage))


def last_phase(previous: pl.LazyFrame, stage: DriveStage2) -> tuple[int, pl.LazyFrame]:
    """Return the number and the rows of the last phase of stage 2 that a prompt set holds.

    Raises
    ------
    UsageError
        If it holds none, or the last one the recipe names.
    """
    names = {stage2.phase_name(phase): phase for phase in range(1, len(stage.sizes) + 1)}
    own = previous.filter((pl.col("curriculum") == CURRICULUM) & pl.col("phase").is_in(list(names)))
    held = own.select("phase").unique().collect().to_series().to_list()
    last = max((names[name] for name in held), default=0)
    if last == 0:
        raise UsageError("the prompt set holds no phase of stage 2.", hint="run the recipe with `drive.stage2` first.")
    if last == len(stage.sizes):
        raise UsageError(
            f"{stage2.phase_name(last)} was the last phase: the recipe names {len(stage.sizes)} sizes.",
            hint="add a size and steps under `drive.stage2` to go on.",
        )
    return last, own.filter(pl.col("phase") == stage2.phase_name(last))


def _check(before: pl.DataFrame, renewed: pl.DataFrame, stage: DriveStage2) -> None:
    unmeasured = renewed.filter(pl.col("n").fill_null(0) == 0)["problem_id"].sort()
    if len(unmeasured):
        raise UsageError(
            f"{len(unmeasured)} of {renewed.height} problems were not measured by the newest checkpoint, such as "
            f"{', '.join(unmeasured.head(_SHOWN))}.",
            hint=f"sample {stage.rollouts} answers to each problem of the phase with that checkpoint.",
        )
    by = ["policy", "policy_revision", "sampler"]
    same = before.select("problem_id", *by).join(renewed.select("problem_id", *by), on=["problem_id", *by])
    if stage.remeasured == "required" and same.height:
        policy, revision = same.row(0)[1:3]
        raise UsageError(
            f"the counts are of {policy!r} at {revision!r}, which ranked the phase before.",
            hint="give the rollouts of the newest checkpoint, or set `remeasured: optional` under `drive.stage2`.",
        )


def _decisions(renewed: pl.LazyFrame, kept: pl.LazyFrame, stage: DriveStage2) -> pl.LazyFrame:
    rate = stage2.ranking(stage)
    edge = kept.select(threshold=rate.max())
    out = renewed.join(kept.select("problem_id"), on="problem_id", how="anti").join(edge, how="cross")
    few = renewed.filter(pl.col("n") < stage.rollouts).with_columns(threshold=pl.lit(float(stage.rollouts)))
    columns = {"witness": pl.lit(None, dtype=pl.String), "detail": pl.lit(None, dtype=pl.String)}
    return pl.concat(
        [
            table.select(
                record_id="problem_id",
                verdict=pl.lit(verdict),
                reason=pl.lit(reason),
                measured=measured.cast(pl.Float64),
                threshold="threshold",
                **columns,
            )
            for table, verdict, reason, measured in (
                (out, Verdict.DROP.value, "not_retained", rate),
                (few, Verdict.FLAG.value, "few_samples", pl.col("n")),
            )
        ],
    )
