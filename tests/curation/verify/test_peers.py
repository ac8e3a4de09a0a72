"""What tests may do with a program in another process: nearly all that they may do with one in their own."""

from __future__ import annotations

import json

import pytest

from curation.verify import Judge, Task
from schemas.enums import Status
from schemas.recipe.verify import Verify
from tests.hostile import FOLDER


def _uses() -> list:
    """Read the file of uses: headers ``=== title | status``, program, tests, and where there is one the prelude."""
    uses = []
    for part in (FOLDER / "uses.txt").read_text().split("=== ")[1:]:
        head, _, rest = part.partition("\n")
        title, status = head.split(" | ")
        program, _, rest = rest.partition("--- tests\n")
        tests, _, prelude = rest.partition("--- prelude\n")
        uses.append(pytest.param(program, tests, prelude, Status(status), id=title.replace(" ", "-")))
    return uses


@pytest.mark.parametrize(("program", "code", "prelude", "status"), _uses())
def test_what_tests_do_with_a_program(judge: Judge, program: str, code: str, prelude: str, status: Status) -> None:
    """Correct programs pass whatever they return, and what decides is never left to the program."""
    verifier = json.dumps({"kind": "asserts", "entry_point": "f", "prelude": prelude, "time_limit": 10})
    (judgement,) = judge.judge([Task(verifier, json.dumps([{"code": code}]), program)])
    assert status == judgement.status, judgement.detail


def test_suites_written_for_pytest() -> None:
    """With the package named in the settings, its helpers and parameters work against a program."""
    suite = (
        "import pytest\n"
        "def test_error():\n    with pytest.raises(ValueError, match='bad'): f(-1)\n"
        "def test_close(): assert f(2) == pytest.approx(4.0)\n"
        "@pytest.mark.parametrize(('n', 'square'), [(3, 9), (7, 49)])\n"
        "def test_squares(n, square): assert f(n) == square\n"
    )
    right = "def f(x):\n    if x < 0: raise ValueError('bad')\n    return x * x"
    programs = [right, right.replace("'bad'", "'worse'"), right.replace("x * x", "x + x")]
    verifier = json.dumps({"kind": "asserts", "entry_point": "f"})
    with Judge(Verify(workers=1, packages=("pytest",))) as judge:
        judged = judge.judge(Task(verifier, json.dumps([{"code": suite}]), program) for program in programs)
        assert [Status.AC, Status.WA, Status.WA] == [judgement.status for judgement in judged]
