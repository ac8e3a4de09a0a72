"""DRIVE's supervised stage: which prompts to distil, and the hard ones twice."""

from __future__ import annotations

import polars as pl

from curation.draws import lot
from curation.drive.arena import arena
from curation.drive.classifiers import labels
from schemas.recipe.curricula import DriveSft

__all__ = ["PHASE", "supervised"]

PHASE = "sft"


def supervised(known: pl.LazyFrame, problems: pl.LazyFrame, rates: pl.LazyFrame, settings: DriveSft) -> pl.LazyFrame:
    """Lay out the supervised prompts: condensed by the arena if asked, hard ones repeated, in an order by lot.

    Parameters
    ----------
    known
        One row per problem, with its counts and ``band``.
    problems
        Rows of the problem contract, for a classifier to read.
    rates
        All counts, those of the arena's models among them.

    Returns
    -------
    LazyFrame
        ``known`` with ``phase``, ``dup_index`` and ``order_index``, one row per exposure; ``band`` is the label.
    """
    named = labels(settings.labels, problems, known)
    labelled = known.drop("band").join(named.rename({"label": "band"}), on="problem_id", how="left")
    if settings.arena is None:
        judged = labelled.with_columns(failed=pl.lit(None, dtype=pl.Boolean))
    else:
        kept = arena(known, rates, settings.arena).filter("kept").select("problem_id", "failed")
        judged = labelled.join(kept, on="problem_id")
    copies = pl.when(_hard(settings)).then(settings.copies).otherwise(1)
    exposed = judged.with_columns(dup_index=pl.int_ranges(copies, dtype=pl.Int32)).drop("failed").explode("dup_index")
    shuffled = exposed.sort(lot(settings.seed, "problem_id", "dup_index", purpose=PHASE))
    return shuffled.with_columns(phase=pl.lit(PHASE), order_index=pl.int_range(pl.len(), dtype=pl.Int64))


def _hard(settings: DriveSft) -> pl.Expr:
    label = (pl.col("band") == "hard").fill_null(value=False)
    failed = pl.col("failed").fill_null(value=False)
    return {"labels": label, "arena": failed, "either": label | failed, "both": label & failed}[settings.hard_by]
