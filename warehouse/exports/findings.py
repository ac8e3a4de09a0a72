"""What a trainer would do to rows, collected over all of them before anything is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        frame = pl.from_arrow(table)
        traps = {str(number): trap for number, trap in enumerate(self.target.traps)}
        seen = frame.select(  # type: ignore[union-attr]
            self.target.identity.alias("id"),
            *(trap.finds.fill_null(value=False).alias(number) for number, trap in traps.items()),
        )
        for number, trap in traps.items():
            if seen[number].any():
                self.add(trap, seen.filter(pl.col(number))["id"].to_list())
        self._repeated(seen["id"].to_list())

    def add(self, trap: Trap, ids: Iterable[str]) -> None:
        """Record that a trap would catch these rows."""
        ids = list(ids)
        _, rows, some = self._found.get(trap.reason, (trap, 0, ()))
        self._found[trap.reason] = (trap, rows + len(ids), (*some, *ids)[:_SHOWN])

    def missing(self, rows: pl.DataFrame) -> None:
        """Look at internal rows for columns that the target cannot do without."""
        for name in self.target.needs:
            if rows[name].null_count():
                ids = rows.filter(pl.col(name).is_null())["row_id"].to_list()
                self.add(Trap(f"no_{name}", pl.lit(value=True), "it has nothing to write", _NEEDED[name]), ids)

    def place(self, folder: Path) -> None:
        """Look at where the data lies."""
        for pattern, harm in self.target.forbidden_paths:
            if found := search(pattern, str(folder)):
                hint = f"write it to a path without {found.group()!r}."
                self.add(Trap("path", pl.lit(value=True), harm, hint), [])

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
