"""What a trainer would do to rows, collected over all of them before anything is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from re import search

import polars as pl
import pyarrow as pa

from warehouse.exports.target import Finding, Target, Trap

__all__ = ["Findings"]

_SHOWN = 10
_UNIQUE = "publish again: row ids are unique there."
_NEEDED: Mapping[str, str] = {
    "response": "drop rows without a reference solution, or choose a target that needs none.",
    "rejected": "drop rows without a known-wrong solution, or choose a target that needs none.",
    "step_labels": "bring `steps` and `step_labels` in the source's `meta`, or choose a target that needs none.",
    "steps": "bring `steps` and `step_labels` in the source's `meta`, or choose a target that needs none.",
}


class Findings:
    """Collects findings table by table, in flat memory but for the ids.

    Parameters
    ----------
    target
        Its traps are held against the columns as written.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._found: dict[str, tuple[Trap, int, tuple[str, ...]]] = {}
        self._ids: set[str] = set()

    def look(self, table: pa.Table) -> None:
        """Look at rows as written."""
        frame = pl.DataFrame(pl.from_arrow(table))
        self._hold(frame, self.target.traps, self.target.identity)
        self._repeated(frame.select(self.target.identity.alias("id"))["id"].to_list())

    def look_inside(self, rows: pl.DataFrame) -> None:
        """Look at internal rows: for what the columns as written no longer show, or cannot do without."""
        self._hold(rows, self.target.fits, pl.col("row_id"))
        for name in self.target.needs:
            if rows[name].null_count():
                ids = rows.filter(pl.col(name).is_null())["row_id"].to_list()
                self.add(Trap(f"no_{name}", pl.lit(value=True), "it has nothing to write", _NEEDED[name]), ids)

    def add(self, trap: Trap, ids: Iterable[str]) -> None:
        """Record that a trap would catch these rows."""
        ids = list(ids)
        _, rows, some = self._found.get(trap.reason, (trap, 0, ()))
        self._found[trap.reason] = (trap, rows + len(ids), (*some, *ids)[:_SHOWN])

    def place(self, folder: Path) -> None:
        """Look at where the data lies."""
        for pattern, harm in self.target.forbidden_paths:
            if found := search(pattern, str(folder)):
                hint = f"write it to a path without {found.group()!r}."
                self.add(Trap("path", pl.lit(value=True), harm, hint), [])

    def _hold(self, rows: pl.DataFrame, traps: Sequence[Trap], identity: pl.Expr) -> None:
        named = {str(number): trap for number, trap in enumerate(traps)}
        finds = [trap.finds.fill_null(value=False).alias(number) for number, trap in named.items()]
        seen = rows.select(identity.alias("id"), *finds)
        for number, trap in named.items():
            if seen[number].any():
                self.add(trap, seen.filter(pl.col(number))["id"].to_list())

    def all(self) -> list[Finding]:
        """Return what was found, by reason."""
        found = [self._found[reason] for reason in sorted(self._found)]
        return [Finding(trap.reason, trap.harm, trap.hint, rows, ids) for trap, rows, ids in found]

    def _repeated(self, ids: list[str]) -> None:
        again = []
        for one in ids:
            if one in self._ids:
                again.append(one)
            self._ids.add(one)
        if again:
            self.add(
                Trap("repeated_id", pl.lit(value=True), "rewards and logs could not be told apart", _UNIQUE), again
            )
