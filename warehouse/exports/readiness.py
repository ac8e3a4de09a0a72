"""Which targets take the rows as they are, and why the others do not: looked at without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from schemas.records import PROMPT_SET
from warehouse.exports.findings import Findings
from warehouse.exports.registry import target as named
from warehouse.exports.registry import targets
from warehouse.exports.row import internal
from warehouse.exports.shape import Shape
from warehouse.exports.target import Finding, Options
from warehouse.release.order import batches, ordered, survey

__all__ = ["Readiness", "readiness"]


@dataclass(frozen=True)
class Readiness:
    """What one target makes of the rows.

    Parameters
    ----------
    rows
        Rows that its loader would see.
    findings
        Why an export would be refused; empty if it would not.
    """

    target: str
    trainer: str
    loader: str
    rows: int
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the entry as a manifest holds it."""
        refused = [str(finding) for finding in self.findings]
        return {"target": self.target, "loader": self.loader, "rows": self.rows, "refused": refused}


def readiness(rows: Sequence[Path], names: Sequence[str] = ()) -> list[Readiness]:
    """Hold rows against the traps of targets, in one pass and flat memory.

    Parameters
    ----------
    rows
        Parquet files of a prompt set.
    names
        Targets to ask; all if empty.
    """
    asked = [named(name) for name in names] or list(targets().values())
    shapes = [(Shape(target, Options(), ""), Findings(target)) for target in asked]
    seen = dict.fromkeys((target.name for target in asked), 0)
    sizes = [size for part in survey(rows, PROMPT_SET) for size in batches(part.rows)]
    for table in ordered(rows, PROMPT_SET, sizes):
        inner = internal(pl.DataFrame(table), "")
        for shape, findings in shapes:
            made = shape.table(inner)
            findings.look_inside(inner)
            findings.look(made)
            seen[shape.target.name] += made.num_rows
    return [
        Readiness(target.name, target.trainer, target.loader, seen[target.name], tuple(findings.all()))
        for target, (_, findings) in zip(asked, shapes, strict=True)
    ]
