"""Proxies for objects that live in another process, and what may be done with them from here."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .peers import Peer

__all__ = ["SPECIAL", "Gone", "Remote", "RemoteError", "RemoteIterator", "describe", "failure", "text", "waiting"]

_DETAIL = 300
_LONGEST_TAKE = 256


class RemoteError(Exception):
    """The other side failed in a way that no built-in exception says, or answered something unusable."""

    def __init__(self, status: str, detail: str) -> None:
        self.status = status
        super().__init__(detail)


class Gone(BaseException):
    """The other process has ended; nothing catches this by accident."""


def describe(error: BaseException) -> str:
    """Return type and message of an exception in one short line, whatever its ``__str__`` does."""
    return f"{type(error).__name__}: {text(error)}"[:_DETAIL]


def text(error: BaseException) -> str:
    """Return the message of an exception in one short line, whatever its ``__str__`` does."""
    try:
        return str(error)[:_DETAIL].encode("utf-8", "replace").decode()
    except BaseException:  # noqa: BLE001 - a hostile __str__ may raise anything
        return ""


def failure(error: BaseException) -> str:
    """Return the status of an exception."""
    return "MLE" if isinstance(error, MemoryError) else "RE"


def _take(iterator: Iterator[Any], count: int) -> list[Any]:
    return list(islice(iterator, count))


def _awaited(of: Any) -> Any:
    import asyncio

    async def wait() -> Any:
        return await of

    return asyncio.run(wait())


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
SPECIAL: dict[str, Callable[..., Any]] = {
    **{f"__{name}__": getattr(operator, f"__{name}__") for name in (*_BINARY, "neg", "pos", "invert", "abs")},
    **{f"__{name}__": getattr(operator, name) for name in ("getitem", "setitem", "delitem", "index")},
    **{f"__{kind.__name__}__": kind for kind in (bool, float, int, iter, len, repr, reversed, round, str)},
    **{f"__{name}__": getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "contains")},
    "__enter__": lambda of: of.__enter__(),
    "__exit__": lambda of, *_: of.__exit__(None, None, None),
    "__getattr__": getattr,
    "__hash__": hash,
    "__setattr__": setattr,
    "await": _awaited,
    "take": _take,
}
"""What one side may ask to be done with an object of the other, besides calling it."""


class Remote:
    """Something that lives in the other process."""

    __slots__ = ("_handle", "_peer")

    def __init__(self, peer: Peer, handle: Any) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_handle", handle)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it where it is."""
        return self._peer.call(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.do("__getattr__", self, name)

    def __await__(self) -> Iterator[Any]:
        return self._peer.do("await", self)
        yield  # what is awaited has been waited for


def _forward(name: str) -> Callable[..., Any]:
    def forwarded(self: Remote, *args: Any) -> Any:
        return self._peer.do(name, self, *args)

    return forwarded


for _name in SPECIAL:
    if _name not in ("__getattr__", "await", "take"):
        setattr(Remote, _name, _forward(_name))


async def waiting(remote: Remote) -> Any:
    """Wait for a coroutine of the other process, as one of this."""
    return await remote


class RemoteIterator(Remote):
    """An iterator of the other process; items come one by one at first, then more at a time."""

    __slots__ = ("_ahead", "_count")

    def __init__(self, peer: Peer, handle: Any) -> None:
        super().__init__(peer, handle)
        object.__setattr__(self, "_ahead", deque())
        object.__setattr__(self, "_count", 1)

    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        if not self._ahead:
            self._ahead.extend(self._peer.do("take", self, self._count))
            object.__setattr__(self, "_count", min(2 * self._count, _LONGEST_TAKE))
        if not self._ahead:
            raise StopIteration
        return self._ahead.popleft()
