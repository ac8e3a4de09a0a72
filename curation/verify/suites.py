"""Assert suites that are nothing but calls with literal arguments and expectations: read, not run.

What such a suite expects then never leaves the judge, and one process less is needed. Everything else (loops,
helpers, tolerances computed on the way) is run by a tester.
"""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["LiteralCall", "translate"]

_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


@dataclass(frozen=True)
class LiteralCall:
    """One assert: a call, and whether its result, a plain built-in value, is as asserted.

    Parameters
    ----------
    callee
        Source of the expression called.
    holds
        Takes the result; may raise what Python raises on unfit types.
    """

    callee: str
    args: list[Any]
    kwargs: dict[str, Any]
    holds: Callable[[Any], bool]


class _NotLiteralError(Exception):
    """The suite has to be run."""


@lru_cache(maxsize=512)
def translate(codes: tuple[str, ...], entry_point: str, candidate: str) -> list[LiteralCall] | None:
    """Return the calls of a suite in order, or None if it has to be run.

    A suite of several tests is translated only if each is a single assert, so that what one test does to the process
    decides nothing about the next.

    Examples
    --------
    >>> calls = translate(("assert f(2) == 4",), "f", "f")
    >>> calls[0].args, calls[0].holds(4), calls[0].holds(5)
    ([2], True, False)
    """
    try:
        tests = [_Suite(entry_point, candidate).read(code) for code in codes]
    except (_NotLiteralError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not all(tests) or (len(tests) > 1 and any(len(calls) > 1 for calls in tests)):
        return None
    return [call for calls in tests for call in calls]


class _Suite:
    """Reads one test."""

    def __init__(self, entry_point: str, candidate: str) -> None:
        self.names = {entry_point: entry_point, "candidate": candidate}

    def read(self, code: str) -> list[LiteralCall]:
        """Return the calls of a test.

        Raises
        ------
        _NotLiteralError
            If it does more than assert on calls.
        """
        body = ast.parse(code).body
        functions = [node for node in body if isinstance(node, ast.FunctionDef)]
        others = [node for node in body if node not in functions and not _is_idle(node)]
        if not functions:
            return [self._assert(node) for node in others]
        check, call = functions[0], others[0] if len(others) == 1 else None
        parameters = [argument.arg for argument in check.args.args]
        if len(functions) != 1 or len(parameters) != 1 or call is None or check.decorator_list:
            raise _NotLiteralError
        self.names = {parameters[0]: self._target(check.name, call)}
        return [self._assert(node) for node in check.body if not _is_idle(node)]

    def _target(self, name: str, node: ast.stmt) -> str:
        """Return the source of what ``check(...)`` is called with."""
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            raise _NotLiteralError
        call = node.value
        if not (isinstance(call.func, ast.Name) and call.func.id == name and len(call.args) == 1 and not call.keywords):
            raise _NotLiteralError
        source = ast.unparse(call.args[0])
        return self.names.get(source, source)

    def _assert(self, node: ast.stmt) -> LiteralCall:
        if not isinstance(node, ast.Assert):
            raise _NotLiteralError
        test, negated = node.test, False
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, negated = test.operand, True
        if isinstance(test, ast.Compare) and not negated:
            return self._comparison(test)
        return self._call(test, operator.not_ if negated else bool)

    def _comparison(self, test: ast.Compare) -> LiteralCall:
        compare = _COMPARE.get(type(test.ops[0]))
        if len(test.ops) != 1 or compare is None:
            raise _NotLiteralError
        left, right = test.left, test.comparators[0]
        if _is_call(left):
            expected = _literal(right)
            if compare in (operator.is_, operator.is_not) and not (expected is None or isinstance(expected, bool)):
                raise _NotLiteralError
            return self._side(left, lambda got: compare(got, expected))
        expected = _literal(left)
        if not isinstance(test.ops[0], (ast.Eq, ast.NotEq)):
            raise _NotLiteralError
        return self._side(right, lambda got: compare(got, expected))

    def _side(self, node: ast.expr, holds: Callable[[Any], bool]) -> LiteralCall:
        """Read a side of a comparison: the call, or the distance of its result from a number."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "abs":
            if len(node.args) == 1 and isinstance(node.args[0], ast.BinOp) and isinstance(node.args[0].op, ast.Sub):
                number = _literal(node.args[0].right)
                return self._call(node.args[0].left, lambda got: holds(abs(got - number)))
            raise _NotLiteralError
        return self._call(node, holds)

    def _call(self, node: ast.expr, holds: Callable[[Any], bool]) -> LiteralCall:
        if not isinstance(node, ast.Call):
            raise _NotLiteralError
        callee = self.names.get(ast.unparse(node.func))
        if callee is None or any(keyword.arg is None for keyword in node.keywords):
            raise _NotLiteralError
        kwargs = {str(keyword.arg): _literal(keyword.value) for keyword in node.keywords}
        return LiteralCall(callee, [_literal(argument) for argument in node.args], kwargs, holds)


def _is_idle(node: ast.stmt) -> bool:
    """Tell whether a statement does nothing that a test could depend on."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and bool(node.test.value)
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) == "METADATA"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Name):
        return hasattr(builtins, node.value.id)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id == "set")


class _Folding(ast.NodeTransformer):
    """Puts a constant where Python's compiler does: for arithmetic on constants whose result is small."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Replace the operation, unless it is left for when the code runs: that takes a stack of two."""
        code = compile(ast.Expression(node), "<constant>", "eval", dont_inherit=True)
        if code.co_stacksize > 1:
            return node
        return ast.Constant(eval(code))  # noqa: S307 - it does nothing but return a constant


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(_Folding().visit(node))
    except ValueError as error:
        raise _NotLiteralError from error
