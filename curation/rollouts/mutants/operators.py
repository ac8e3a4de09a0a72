"""Mutation operators: what can be changed at one node of a Python syntax tree.

The operators are the classical ones of mutation testing (arithmetic, relational and logical operator replacement,
statement deletion, scalar variable replacement, constant and return value changes; King & Offutt, "A Fortran
language system for mutation-based software testing", 1991; Offutt et al., "An experimental determination of
sufficient mutant operators", 1996), chosen for mistakes that language models make: bounds off by one, conditions
turned round, the wrong variable.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

__all__ = ["Change", "Slot", "guards_main", "slots"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that can be done to a node.

    Parameters
    ----------
    operator
        Name of the mutation operator.
    apply
        Changes, in place, a node of the kind that it was made for.
    """

    operator: str
    apply: Callable[[ast.AST], None]


Slot = tuple[Change, ...]
"""Alternatives for one place, of which one can be applied."""

_COMPARISONS: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: Mapping[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_METHODS = {
    "upper": "lower",
    "lower": "upper",
    "startswith": "endswith",
    "endswith": "startswith",
    "find": "rfind",
    "rfind": "find",
    "lstrip": "rstrip",
    "rstrip": "lstrip",
    "isdigit": "isalpha",
    "isalpha": "isalnum",
    "keys": "values",
    "values": "keys",
    "floor": "ceil",
    "ceil": "floor",
    "popleft": "pop",
}
_MOST_NAMES = 3


def slots(node: ast.AST, names: Sequence[str]) -> Iterator[Slot]:
    """Yield the places of ``node`` that can be changed, each with its alternatives.

    Parameters
    ----------
    names
        Variables of the scope that the node stands in, as candidates for using the wrong one.
    """
    if isinstance(node, ast.Name):
        yield from _name(node, names)
    elif maker := _MAKERS.get(type(node)):
        yield from maker(node)
    yield from _deletions(node)


def _compare(node: ast.Compare) -> Iterator[Slot]:
    for index, op in enumerate(node.ops):
        yield tuple(Change("comparison", partial(_set_item, "ops", index, new())) for new in _COMPARISONS[type(op)])


def _arithmetic(node: ast.BinOp | ast.AugAssign) -> Iterator[Slot]:
    left = node.left if isinstance(node, ast.BinOp) else node.value
    right = node.right if isinstance(node, ast.BinOp) else node.value
    if not any(_is_text(side) for side in (left, right)):
        yield tuple(Change("arithmetic", partial(_set, "op", new())) for new in _ARITHMETIC.get(type(node.op), ()))


def _boolean(node: ast.BoolOp) -> Iterator[Slot]:
    new = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield (Change("boolean", partial(_set, "op", new)),)


def _sign(node: ast.UnaryOp) -> Iterator[Slot]:
    if isinstance(node.op, ast.USub):
        yield (Change("sign", partial(_set, "op", ast.UAdd())),)


def _constant(node: ast.Constant) -> Iterator[Slot]:
    value = node.value
    if isinstance(value, bool):
        yield (Change("constant", partial(_set, "value", not value)),)
    elif isinstance(value, int | float):
        yield tuple(Change("constant", partial(_set, "value", new)) for new in (value + 1, value - 1) if new >= 0)
    elif isinstance(value, str):
        news = dict.fromkeys((value.swapcase(), value[:-1], f"{value} "))
        yield tuple(Change("constant", partial(_set, "value", new)) for new in news if new != value)


def _name(node: ast.Name, names: Sequence[str]) -> Iterator[Slot]:
    if not isinstance(node.ctx, ast.Load):
        return
    if node.id in _FUNCTIONS:
        yield (Change("function", partial(_set, "id", _FUNCTIONS[node.id])),)
    elif node.id in names:
        here = names.index(node.id)
        near = sorted((name for name in names if name != node.id), key=lambda name: abs(names.index(name) - here))
        yield tuple(Change("variable", partial(_set, "id", name)) for name in near[:_MOST_NAMES])


def _method(node: ast.Attribute) -> Iterator[Slot]:
    if node.attr in _METHODS:
        yield (Change("method", partial(_set, "attr", _METHODS[node.attr])),)


def _returned(node: ast.Return) -> Iterator[Slot]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield (Change("return", partial(_set, "value", ast.Constant(None))),)


def _condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[Slot]:
    yield (Change("condition", partial(_set, "test", _negated(node.test))),)


def _filters(node: ast.comprehension) -> Iterator[Slot]:
    for index, test in enumerate(node.ifs):
        yield (Change("condition", partial(_set_item, "ifs", index, _negated(test))),)


def _bounds(node: ast.Slice) -> Iterator[Slot]:
    lower = ast.Constant(1) if node.lower is None else _shifted(node.lower, 1)
    upper = ast.UnaryOp(ast.USub(), ast.Constant(1)) if node.upper is None else _shifted(node.upper, -1)
    yield (Change("bound", partial(_set, "lower", lower)),)
    yield (Change("bound", partial(_set, "upper", upper)),)


def _range(node: ast.Call) -> Iterator[Slot]:
    if isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
        stop = min(len(node.args), 2) - 1
        yield tuple(Change("bound", partial(_set_item, "args", stop, _shifted(node.args[stop], by))) for by in (-1, 1))


def _jump(new: type[ast.stmt], field: str, index: int) -> Change:
    return Change("jump", partial(_set_item, field, index, new()))


def _deletions(node: ast.AST) -> Iterator[Slot]:
    """Yield the statements of a block that can go without leaving a name undefined at once."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if not isinstance(block, list):
            continue
        for index, statement in enumerate(block):
            if isinstance(statement, ast.Break | ast.Continue):
                yield (_jump(ast.Continue if isinstance(statement, ast.Break) else ast.Break, field, index),)
            elif _deletable(statement) and not _steers(node, statement):
                yield (Change("deletion", partial(_set_item, field, index, ast.Pass())),)


def _deletable(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.AugAssign | ast.If | ast.For | ast.Delete) and not guards_main(statement)


def guards_main(node: ast.AST) -> TypeGuard[ast.If]:
    """Tell whether a node is ``if __name__ == "__main__"``, without which a program does nothing."""
    return isinstance(node, ast.If) and any(
        isinstance(name, ast.Name) and name.id == "__name__" for name in ast.walk(node.test)
    )


def _steers(block: ast.AST, statement: ast.stmt) -> bool:
    """Tell whether a while loop would never end without the statement: costly to judge, and no news."""
    if not isinstance(block, ast.While):
        return False
    tested = {node.id for node in ast.walk(block.test) if isinstance(node, ast.Name)}
    return any(isinstance(node, ast.Name) and node.id in tested for node in ast.walk(statement))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _shifted(value: ast.expr, by: int) -> ast.expr:
    return ast.BinOp(value, ast.Add() if by > 0 else ast.Sub(), ast.Constant(abs(by)))


def _set(field: str, value: object, node: ast.AST) -> None:
    setattr(node, field, value)


def _set_item(field: str, index: int, value: ast.AST, node: ast.AST) -> None:
    getattr(node, field)[index] = value


_MAKERS: Mapping[type[ast.AST], Callable[..., Iterator[Slot]]] = {
    ast.Compare: _compare,
    ast.BinOp: _arithmetic,
    ast.AugAssign: _arithmetic,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _sign,
    ast.Constant: _constant,
    ast.Attribute: _method,
    ast.Return: _returned,
    ast.If: _condition,
    ast.While: _condition,
    ast.IfExp: _condition,
    ast.comprehension: _filters,
    ast.Slice: _bounds,
    ast.Call: _range,
}
