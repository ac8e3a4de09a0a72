"""What a filter finds in one problem, as expressions over the facts known of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import polars as pl

from schemas.enums import Verdict
from schemas.ids import canonical_json

__all__ = ["Finding", "decisions"]

_SHAPE = pl.Struct(
    {
        "verdict": pl.String,
        "reason": pl.String,
        "measured": pl.Float64,
        "threshold": pl.Float64,
        "witness": pl.String,
        "detail": pl.String,
    },
)


@dataclass(frozen=True)
class Finding:
    """One reason for which a rule may take out or flag a problem.

    Parameters
    ----------
    rule
        The rule's settings.
    reason
        Reason code.
    fires
        True where the rule objects, null where its evidence is absent.
    measured, threshold
        The value measured and what it was held against.
    witness
        Text that proves it.
    flag_only
        True for a remark that never drops, and is not made where evidence is absent.
    """

    rule: Any
    reason: str
    fires: pl.Expr
    measured: pl.Expr
    threshold: pl.Expr | Fraction | float | None = None
    witness: pl.Expr | None = None
    flag_only: bool = False

    def decision(self) -> pl.Expr:
        """Return the decision as a struct, null where there is none."""
        fires = pl.when(self._concerned()).then(self.fires).otherwise(pl.lit(value=False))
        action = Verdict.FLAG.value if self.flag_only else self.rule.action
        missing = "keep" if self.flag_only else self.rule.missing
        objection = pl.when(fires).then(self._struct(action, self.reason))
        if missing == "keep":
            return objection
        return objection.when(fires.is_null()).then(self._struct(missing, f"{self.reason}_unknown"))

    def _concerned(self) -> pl.Expr:
        lists = {"ability": self.rule.abilities, "source": self.rule.sources}
        named = (pl.col(column).is_in(allowed) for column, allowed in lists.items() if allowed)
        return pl.all_horizontal(pl.lit(value=True), *named)

    def _struct(self, verdict: str, reason: str) -> pl.Expr:
        limit = self.threshold
        threshold = limit if isinstance(limit, pl.Expr) else pl.lit(None if limit is None else float(limit))
        witness = pl.lit(None) if self.witness is None else self.witness.str.slice(0, _WITNESS_CHARS)
        return pl.struct(
            verdict=pl.lit(verdict),
            reason=pl.lit(reason),
            measured=self.measured,
            threshold=threshold,
            witness=witness,
            detail=pl.lit(canonical_json({"rule": self.rule.name})),
        ).cast(_SHAPE)


_WITNESS_CHARS = 200


def decisions(facts: pl.LazyFrame, findings: list[Finding]) -> pl.LazyFrame:
    """Return all decisions that the findings make, in one pass over the facts."""
    made = pl.concat_list([finding.decision() for finding in findings])
    listed = facts.select("problem_id", made=made).explode("made").filter(pl.col("made").is_not_null())
    return listed.unnest("made").rename({"problem_id": "record_id"})
