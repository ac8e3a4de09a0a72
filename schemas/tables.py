"""References to tables: what crosses the borders between stages, tasks and machines instead of rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["TableRef"]


@dataclass(frozen=True, slots=True)
class TableRef:
    """Where a table lies and what it holds.

    Parameters
    ----------
    path
        Folder of Parquet parts, relative to the warehouse's root.
    contract
        Name of the contract its rows follow.
    content_hash
        Hash of the rows as a multiset: equal for equal rows in any order, any file layout.
    rows
        Number of rows.
    """

    path: str
    contract: str
    content_hash: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Return the reference as a JSON object."""
        return asdict(self)
