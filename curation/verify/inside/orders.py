"""What the judge orders and the zygote answers, on a socket that nobody else has.

Orders are marshalled: both ends are this very interpreter, and reading them takes one call. Answers have a fixed form.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "CHANNEL",
    "LINK",
    "LONGEST_ORDERS",
    "STOP",
    "Ending",
    "Limits",
    "Order",
    "answer",
    "answer_size",
    "pack_orders",
    "read_answer",
    "read_orders",
]

CHANNEL = 3
"""Where a child talks to the judge, or a candidate to its tester."""
LINK = 4
"""Where a tester talks to its candidate; for a compiled program, its executable."""
LONGEST_ORDERS = 480
"""Most bytes of the orders for one job: they have a few numbers each, and small objects are the cheap ones."""
STOP = b"k"
"""What the judge says when it wants no more of a job; it may come too late."""

_FAULT = struct.Struct("=H")
_ENDING = struct.Struct("=iBddQ")
_KILLED = (None, "cpu", "wall", "memory", "stopped", "finished")
_LONGEST_FAULT = 500


class Limits(NamedTuple):
    """What one child may use.

    Parameters
    ----------
    cpu_s
        CPU seconds; the zygote kills at this value, the kernel two seconds later.
    wall_s
        Seconds of wall time, for sleepers.
    memory_mb
        Resident memory in MiB. Address space that is reserved and not touched may be more by a GiB.
    file_mb
        Largest file that may be written, in MiB.
    threads
        Threads and processes of the slot's identity.
    """

    cpu_s: float
    wall_s: float
    memory_mb: int
    file_mb: int = 64
    threads: int = 128


class Order(NamedTuple):
    """One process to run.

    Parameters
    ----------
    payload, size
        Index of the payload's descriptor among those sent along, and its bytes.
    wires
        Pairs of a descriptor's place in the child and its index among those sent along.
    """

    role: str
    limits: Limits
    payload: int
    size: int
    wires: tuple[tuple[int, int], ...]


class Ending(NamedTuple):
    """How a process ended.

    Parameters
    ----------
    status
        Wait status, as `os.waitstatus_to_exitcode` reads it.
    killed
        The limit it was killed for (``cpu``, ``wall``, ``memory``), ``stopped`` by the judge, ``finished`` because
        the other process of the job had ended, or None.
    rss
        Peak of resident memory, in the unit of `resource.getrusage`.
    """

    status: int
    killed: str | None
    cpu_s: float
    wall_s: float
    rss: int


def pack_orders(orders: Sequence[Order]) -> bytes:
    """Return what the zygote reads with `read_orders`.

    Raises
    ------
    ValueError
        If they are too long.
    """
    data = marshal.dumps([(order.role, tuple(order.limits), *order[2:]) for order in orders])
    if len(data) > LONGEST_ORDERS:
        raise ValueError(f"orders of {len(data)} bytes are longer than {LONGEST_ORDERS}")
    return data


def read_orders(data: bytes) -> list[Order]:
    """Return the orders for one job."""
    orders = marshal.loads(data)  # noqa: S302 - the judge has written it
    return [Order(role, Limits(*limits), *rest) for role, limits, *rest in orders]


def answer(endings: Sequence[Ending], fault: str) -> bytes:
    """Return the answer to the orders for one job."""
    said = fault.encode(errors="replace")[:_LONGEST_FAULT]
    body = _FAULT.pack(len(said))
    for status, killed, cpu, wall, rss in endings:
        body += _ENDING.pack(status, _KILLED.index(killed), cpu, wall, rss)
    return body + said


def answer_size(children: int) -> int:
    """Return the bytes of an answer for so many children, without what it may say of a fault."""
    return _FAULT.size + children * _ENDING.size


def read_answer(body: bytes) -> tuple[list[Ending], int]:
    """Return how the children ended, and how many bytes about a fault follow."""
    fields = _ENDING.iter_unpack(body[_FAULT.size :])
    endings = [Ending(status, _KILLED[killed], cpu, wall, rss) for status, killed, cpu, wall, rss in fields]
    return endings, _FAULT.unpack_from(body)[0]
