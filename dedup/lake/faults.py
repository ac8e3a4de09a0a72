"""Why a file is not a table."""

from __future__ import annotations

from schemas.errors import InputError

__all__ = ["NotATable", "Unreadable"]


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


class Unreadable(InputError):
    """A file of a table turned out not to be readable after the lake was surveyed.

    Parameters
    ----------
    table, file
        Their names in the lake.
    """

    def __init__(self, table: str, file: str, fault: NotATable) -> None:
        super().__init__(
            f"{table}: {file} cannot be read any more: {fault}.",
            hint="it looked readable when the lake was scanned; scan again.",
        )
        self.table = table
        self.file = file
        self.fault = fault

    def __reduce__(self) -> tuple[type[Unreadable], tuple[str, str, NotATable]]:
        return Unreadable, (self.table, self.file, self.fault)
