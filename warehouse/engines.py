"""Where map work runs: in this process, or on PySpark executors, from the same functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

__all__ = ["Engine", "LocalEngine"]

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Runs a function over chunks of work; results come back in order, whatever the engine."""

    name: str

    def map_chunks(self, function: Callable[[list[T]], Iterable[R]], items: Iterable[T], size: int) -> Iterator[R]:
        """Apply ``function`` to lists of at most ``size`` items and yield its results in input order.

        ``function`` must be importable where it runs (a module-level function or a `functools.partial` of one).
        """


class LocalEngine:
    """Runs everything in this process."""

    name = "local"

    def map_chunks(self, function: Callable[[list[T]], Iterable[R]], items: Iterable[T], size: int) -> Iterator[R]:
        """Apply ``function`` chunk by chunk."""
        chunk: list[T] = []
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield from function(chunk)
                chunk = []
        if chunk:
            yield from function(chunk)
