"""Why a file is not a table."""

from __future__ import annotations

__all__ = ["NotATable"]


class NotATable(Exception):
    """A file cannot be read as a table.

    Parameters
    ----------
    reason
        Code, stable across releases.
    detail
        What was found, and where.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")

    def __reduce__(self) -> tuple[type[NotATable], tuple[str, str]]:
        return NotATable, (self.reason, self.detail)
