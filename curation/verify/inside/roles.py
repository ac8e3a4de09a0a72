"""What a child can be."""

from __future__ import annotations

import json
import marshal
import os

from .candidate import answer_calls, load, resolve, run_calls, serve
from .frames import pack
from .grader import run_grader, same
from .native import compile_program, run_native
from .orders import CHANNEL, LINK
from .program import run_program
from .tester import run_suite
from .values import decode, encode

__all__ = ["run", "warm"]

_ROUNDS = 20
_EXERCISE = {
    "prelude": "import math\nfrom typing import List, Optional\n",
    "program": """
import math
from typing import Dict, List, Optional, Tuple
class Exercise:
    def run(self, values: List[int]) -> Optional[Dict[str, Tuple[int, ...]]]:
        return {str(value): (value, [value], True, None) for value in sorted(values, key=str)}
def exercise(values: List[float]) -> List[float]:
    return [Exercise().run(values), *values, math.inf, {1, 2}]
""",
    "candidate": "exercise",
    "calls": [[[[1, 2.5]], {}], [[], {}]],
    "nonce": "",
}


def warm(role: str) -> None:
    """Do over and over, before any child is forked, what children of a role will do first.

    The interpreter rewrites code while it is new (PEP 659). Where that has happened before the fork, children share
    the memory that they would have to copy.
    """
    if role == "grader":
        same("\\boxed{\\frac{1}{2}}", "\\boxed{0.5}")
    null = os.open(os.devnull, os.O_WRONLY)
    for _ in range(_ROUNDS):
        module = load(json.loads(json.dumps(_EXERCISE)))
        answer_calls(module, _EXERCISE, null)
        for value in decode(json.dumps(encode(resolve(module, "exercise")([1, 2.5, "x"])))):
            pack({"nonce": "", "t": 0, "ok": encode(value)})
    os.close(null)


def run(role: str, body: bytes) -> None:
    """Do what ``role`` does with its payload."""
    payload = marshal.loads(body)  # noqa: S302 - the judge has written it
    if role == "tester":
        run_suite(payload, CHANNEL, LINK)
    else:
        _ROLES[role](payload, CHANNEL)


_ROLES = {
    "calls": run_calls,
    "compile": compile_program,
    "grader": run_grader,
    "native": run_native,
    "program": run_program,
    "serve": serve,
}
