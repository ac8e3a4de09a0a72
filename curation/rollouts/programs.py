"""From a response to the answer that is judged."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curation.problems import CODE_KINDS, Problem, verifier_kind
from schemas.recipe.rollouts import Program

__all__ = ["judged_answer"]

_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)


def judged_answer(problem: Problem, response: str, program: Program, stop: Sequence[str] = ()) -> str:
    r"""Return what is judged of a response.

    Parameters
    ----------
    program
        ``completion``: the problem's starter code, then the response; ``code_block``: the last closed fenced block,
        or nothing if there is none; ``answer``: the response. Problems that do not ask for code are judged by the
        response.
    stop
        The response ends before the first of these texts.

    Examples
    --------
    >>> problem = {"verifier": '{"kind":"stdio"}', "starter_code": "import sys\n"}
    >>> judged_answer(problem, "print(1)\nprint(2)", "completion", ["\nprint"])
    'import sys\nprint(1)'
    >>> judged_answer(problem, "Like this:\n```python\nprint(1)\n```\n", "code_block")
    'print(1)\n'
    """
    text = response[: min((found for mark in stop if (found := response.find(mark)) >= 0), default=None)]
    if program == "answer" or verifier_kind(problem) not in CODE_KINDS:
        return text
    if program == "completion":
        return (problem["starter_code"] or "") + text
    blocks = _FENCED.findall(text)
    return blocks[-1] if blocks else ""
