"""What a filter finds in one problem, as expressions over the facts known of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import polars as pl

from schemas.enums import Verdict
from schemas.ids import canonical_json

__all__ = ["Finding", "decisions"]

_WITNESS_CHARS = 200


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

    def decisions(self, facts: pl.LazyFrame) -> list[pl.LazyFrame]:
        """Return the decisions on problems that the rule objects to, and on those it has no evidence of."""
        concerned = facts.filter(*self._concerned())
        action = Verdict.FLAG.value if self.flag_only else self.rule.action
        made = [self._decided(concerned.filter(self.fires), action, self.reason)]
        if self.rule.missing != "keep" and not self.flag_only:
            unknown = concerned.filter(self.fires.is_null())
            made.append(self._decided(unknown, self.rule.missing, f"{self.reason}_unknown"))
        return made

    def _concerned(self) -> list[pl.Expr]:
        lists = {"ability": self.rule.abilities, "source": self.rule.sources}
        return [pl.col(column).is_in(allowed) for column, allowed in lists.items() if allowed]

    def _decided(self, rows: pl.LazyFrame, verdict: str, reason: str) -> pl.LazyFrame:
        limit = self.threshold
        threshold = limit if isinstance(limit, pl.Expr) else pl.lit(None if limit is None else float(limit))
        witness = pl.lit(None) if self.witness is None else self.witness.str.slice(0, _WITNESS_CHARS)
        return rows.select(
            record_id="problem_id",
            verdict=pl.lit(verdict),
            reason=pl.lit(reason),
            measured=self.measured.cast(pl.Float64),
            threshold=threshold.cast(pl.Float64),
            witness=witness.cast(pl.String),
            detail=pl.lit(canonical_json({"rule": self.rule.name})),
        )


def decisions(facts: pl.LazyFrame, findings: list[Finding]) -> pl.LazyFrame:
    """Return all decisions that the findings make; each finding reads the columns it needs and no other."""
    return pl.concat(made for finding in findings for made in finding.decisions(facts))
