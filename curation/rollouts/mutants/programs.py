"""Mutants of a Python program: where it can be changed, and the program after some of the changes."""

from __future__ import annotations

import ast
import itertools
import random
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from curation.rollouts.mutants.operators import Change, Slot, guards_main, slots

__all__ = ["Mutant", "Subject"]

_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed program.

    Parameters
    ----------
    operators
        Names of the operators applied, in the order of the places they were applied to.
    """

    program: str
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    node: int
    slot: Slot


class Subject:
    r"""A Python program to be mutated.

    Parameters
    ----------
    program
        Source text; one that does not parse has no places and so no mutants.
    given_lines
        Number of leading lines that were given with the problem and stay as they are.

    Examples
    --------
    >>> subject = Subject("def f(x):\n    return x + 1\n")
    >>> sorted(mutant.program.splitlines()[1].strip() for mutant in subject.first_order())
    ['return None', 'return x + 0', 'return x + 2', 'return x - 1']
    """

    def __init__(self, program: str, given_lines: int = 0) -> None:
        self.program = program
        tree = _parsed(program)
        self._dump = "" if tree is None else ast.dump(tree)
        self._places = [] if tree is None else list(_places(tree, given_lines))

    @property
    def places(self) -> int:
        """Number of places where a change can be made."""
        return len(self._places)

    def first_order(self) -> Iterator[Mutant]:
        """Yield every mutant with one change, in the order of the program."""
        for place in self._places:
            for change in place.slot:
                if mutant := self._apply([(place, change)]):
                    yield mutant

    def pick(self, rng: random.Random, count: int) -> list[Mutant]:
        """Return up to ``count`` different mutants with one change, spread over the places by chance."""
        alternatives = [(place, change) for place in self._places for change in place.slot]
        rng.shuffle(alternatives)
        mutants = (self._apply([alternative]) for alternative in alternatives)
        unique = {mutant.program: mutant for mutant in itertools.islice(filter(None, mutants), count)}
        return list(unique.values())

    def err(self, rng: random.Random, rate: float) -> Mutant | None:
        """Return the program with each place changed with probability ``rate``; None if none was."""
        hit = [place for place in self._places if rng.random() < rate]
        return self._apply([(place, rng.choice(place.slot)) for place in hit]) if hit else None

    def _apply(self, changes: Sequence[tuple[_Place, Change]]) -> Mutant | None:
        """Return the changed program, or None if it does not parse or means the same tree."""
        tree = ast.parse(self.program)
        nodes = list(ast.walk(tree))
        for place, change in changes:
            change.apply(nodes[place.node])
        try:
            program = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        except _UNPARSABLE:
            return None
        changed = _parsed(program)
        if changed is None or ast.dump(changed) == self._dump:
            return None
        return Mutant(program, tuple(change.operator for _, change in changes))


def _parsed(program: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(program)
    except _UNPARSABLE:
        return None


def _places(tree: ast.Module, given_lines: int) -> Iterator[_Place]:
    fixed = _fixed(tree)
    scopes = _scopes(tree)
    for index, node in enumerate(ast.walk(tree)):
        if id(node) not in fixed and _line(node) > given_lines:
            yield from (_Place(index, slot) for slot in slots(node, scopes.get(id(node), ())) if slot)


def _line(node: ast.AST) -> int:
    """Return the line that a change to ``node`` would touch first."""
    if isinstance(node, ast.comprehension):
        return node.target.lineno
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        return body[0].lineno
    return getattr(node, "lineno", 0)


def _fixed(tree: ast.Module) -> set[int]:
    """Return the nodes whose change would tell nothing: annotations, docstrings, main guards, steps of loops, ..."""
    fixed: set[int] = set()
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            roots.append(node.annotation)
        elif isinstance(node, _FUNCTION):
            roots.extend([*node.decorator_list, *([node.returns] if node.returns else [])])
        elif isinstance(node, ast.JoinedStr):
            roots.extend(piece for piece in node.values if isinstance(piece, ast.Constant))
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            roots.append(node.format_spec)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            roots.append(node)
        elif isinstance(node, ast.While):
            roots.extend(_steering(node))
        elif guards_main(node):
            fixed.add(id(node))
            roots.append(node.test)
    return fixed | {id(node) for root in roots for node in ast.walk(root)}


def _steering(loop: ast.While) -> Iterator[ast.stmt]:
    """Yield the assignments that a loop's end depends on: changed, most would make it endless, costly to judge."""
    tested = {node.id for node in ast.walk(loop.test) if isinstance(node, ast.Name)}
    for statement in ast.walk(loop):
        if isinstance(statement, ast.Assign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            stored = {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
            if stored & tested:
                yield statement


def _scopes(tree: ast.Module) -> dict[int, tuple[str, ...]]:
    """Return, for each node, the variables of the innermost function (or the module) that it stands in."""
    scopes: dict[int, tuple[str, ...]] = {}
    for owner in ast.walk(tree):
        if isinstance(owner, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
            names = _variables(owner)
            scopes.update((id(node), names) for child in ast.iter_child_nodes(owner) for node in ast.walk(child))
    return scopes


def _variables(owner: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[str, ...]:
    """Return the names that ``owner`` binds itself, in order, without those of comprehensions."""
    arguments = (
        [] if isinstance(owner, ast.Module) else [arg.arg for arg in ast.walk(owner.args) if isinstance(arg, ast.arg)]
    )
    hidden = {
        id(name)
        for node in ast.walk(owner)
        if isinstance(node, (*_COMPREHENSIONS, *_FUNCTION, ast.ClassDef, ast.Lambda)) and node is not owner
        for name in ast.walk(node)
    }
    stored = [
        node.id
        for node in ast.walk(owner)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in hidden
    ]
    return tuple(dict.fromkeys(name for name in [*arguments, *stored] if name not in ("self", "_")))
