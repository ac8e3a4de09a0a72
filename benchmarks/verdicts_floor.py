"""CPU of what no judge of this kind can do without; run by `verdicts.py speed` as a process of its own.

A zygote as `curation.verify` has them forks children that end at once, and children that lock themselves down as the
rung demands and then end: no program, no judge, no wires.
"""

from __future__ import annotations

import json
import os
import resource
import sys

sys.path.insert(0, sys.argv[1])

from inside.kernel import make
from inside.orders import Limits
from inside.zygote import moved, prepared

CHILDREN = 500


def cost_ms(cage: object, calls: list) -> float:
    """Return CPU-milliseconds per child, on both sides of the fork."""
    before = cpu_s()
    for _ in range(CHILDREN):
        pid = cage.fork()
        if pid == 0:
            try:
                make(calls)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
    return (cpu_s() - before) / CHILDREN * 1e3


def cpu_s() -> float:
    """Return the CPU seconds of this process and all its ended children."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Print both figures as JSON."""
    moved(sys.stdin.fileno())
    cage = prepared(json.loads(sys.argv[2]))
    cage.before()
    calls = cage.lock_down("calls", Limits(3.0, 9.0, 512), [])
    figures = [cost_ms(cage, some) for some in ([], calls)]
    cage.after(forked=False)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
