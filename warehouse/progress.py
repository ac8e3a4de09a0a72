"""How long work tells that it is alive; the console, a notebook and tests each bring their own."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """What a stage may say while it works."""

    def start(self, task: str, total: int | None = None, unit: str = "rows") -> None:
        """Announce ``task`` with the number of units it will take, where known."""

    def advance(self, task: str, done: int = 1, **figures: float) -> None:
        """Report ``done`` more units; ``figures`` are running totals worth showing, such as tokens."""

    def finish(self, task: str, summary: str = "") -> None:
        """Announce the end of ``task``, with one line of result."""

    def note(self, text: str) -> None:
        """Tell the person something that belongs to no task."""


class Silent:
    """Says nothing."""

    def start(self, task: str, total: int | None = None, unit: str = "rows") -> None:
        """Do nothing."""

    def advance(self, task: str, done: int = 1, **figures: float) -> None:
        """Do nothing."""

    def finish(self, task: str, summary: str = "") -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
