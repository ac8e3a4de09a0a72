"""Assert suites as sources write them: what they call, how they split, whether they contradict themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from curation.sources.drafts import Reason, Reject

__all__ = ["called_name", "entry_prelude", "refuse_contradictions", "split_suite"]


def called_name(tests: Iterable[str], defined_in: str) -> str | None:
    r"""Return the function that assert statements call and ``defined_in`` defines; None if there is none.

    Examples
    --------
    >>> called_name(["assert set(f(2)) == {1, 2}"], "def helper(): pass\ndef f(n): return {1, n}")
    'f'
    """
    tree = _parsed(defined_in)
    defined = (
        {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)} if tree else None
    )
    called = (
        node.func.id
        for test in tests
        for node in ast.walk(_parsed(test) or ast.Module())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    return next((name for name in called if defined is None or name in defined), None)


def entry_prelude(prompt: str, entry_point: str) -> str:
    """Return what stands before the definition of ``entry_point``: the imports and helpers that its tests may need."""
    tree = _parsed(prompt)
    if tree is None:
        return prompt.partition(f"def {entry_point}(")[0]
    line = next((n.lineno for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == entry_point), 1)
    return "\n".join(prompt.splitlines()[: line - 1]).strip()


def split_suite(code: str) -> list[str]:
    r"""Split ``def check(candidate)`` with its call into one such suite per assert, if it holds nothing else.

    Examples
    --------
    >>> [part.split("\n")[1].strip() for part in split_suite(
    ...     "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 3\ncheck(f)")]
    ['assert candidate(1) == 2', 'assert candidate(2) == 3']
    """
    tree = _parsed(code)
    suite = next((node for node in tree.body if isinstance(node, ast.FunctionDef)), None) if tree else None
    if tree is None or suite is None or not all(isinstance(node, ast.Assert) for node in suite.body):
        return [code]
    lines = code.splitlines()
    before = lines[: suite.body[0].lineno - 1]
    after = lines[suite.body[-1].end_lineno :]
    parts = [lines[node.lineno - 1 : node.end_lineno] for node in suite.body]
    return ["\n".join([*before, *part, *after]).strip() for part in parts]


def refuse_contradictions(tests: Iterable[str]) -> None:
    """Refuse suites that assert two different constants of one and the same call.

    Raises
    ------
    Reject
        If they do.
    """
    seen: dict[str, Any] = {}
    for call, expected in (pair for test in tests for pair in _equalities(test)):
        if call in seen and seen[call] != expected:
            raise Reject(Reason.CONTRADICTORY, f"one call is to equal both {seen[call]!r:.60} and {expected!r:.60}")
        seen[call] = expected


def _equalities(code: str) -> Iterator[tuple[str, Any]]:
    """Yield the call and the constant of each ``assert call == constant`` in straight-line code."""
    tree = _parsed(code)
    body = list(tree.body) if tree else []
    for node in [*body, *(inner for outer in body if isinstance(outer, ast.FunctionDef) for inner in outer.body)]:
        if not (isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare)):
            continue
        compare = node.test
        if not (isinstance(compare.left, ast.Call) and isinstance(compare.ops[0], ast.Eq) and len(compare.ops) == 1):
            continue
        try:
            yield ast.dump(compare.left), ast.literal_eval(compare.comparators[0])
        except (ValueError, TypeError, SyntaxError, RecursionError):
            continue


def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
