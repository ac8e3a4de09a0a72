"""The tester's side: run assert suites against a candidate that lives in another process.

What the candidate returns arrives as plain built-ins, so nothing a program defines (``__eq__``, subclasses, patched
modules) ever decides here; what is not plain stays over there and cannot be compared.
"""

from __future__ import annotations

import builtins
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from functools import partial
from importlib import import_module
from itertools import product
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .candidate import own_classes
from .frames import ProtocolError, Stream, write_frame
from .peers import Peer
from .remote import Gone, Remote, RemoteError, describe
from .values import NotPlainError, decode

__all__ = ["run_suite"]

_MODULE = "suite"
_COMPARING = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__"}
_CONTAINERS = (list, dict, set, deque, bytearray)
_ARITHMETIC = {f"__{name}__" for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and",
                                          "or", "xor", "lshift", "rshift")}  # fmt: skip


class _Tester(Peer):
    """The tests' side of the wire to the program."""

    def __init__(self, fd: int, classes: Mapping[str, type]) -> None:
        super().__init__(Stream(fd), classes)
        self.expected: set[str] = set()
        self.begin_test(0)

    def name(self, text: str) -> Remote:
        """Return what the program means by ``text``; it is looked up over there when first used."""
        return Remote(self, {"!": "name", "v": text, "t": self.test})

    def do(self, name: str, of: Remote, *args: Any) -> Any:
        """Do with ``of`` over there what cannot tell the program which answer would be right."""
        if name == "__contains__":
            return any(item is args[0] or item == args[0] for item in of)
        if name in _COMPARING or (name in _ARITHMETIC and not isinstance(args[0], Remote)):
            raise RemoteError("RE", "the result is not a plain value and cannot be compared")
        return super().do(name, of, *args)

    def permitted(self, name: str, of: Any, args: list[Any]) -> bool:
        """Tell whether the program may do this: call and iterate what it was given, use instances of tests' classes."""
        if not any(of is kept for kept in self._kept):
            return False
        if name in ("call", "take"):
            return True
        named = name in ("__getattr__", "__setattr__")
        if type(of).__module__ != _MODULE or (named and str(args[0]).startswith("_")):
            return False
        return name != "__setattr__" or self.settable(type(of), args[0])

    def settable(self, kind: type, name: str) -> bool:
        """Tell whether the program may set an attribute: a method of the tests' is none, for it may decide."""
        return super().settable(kind, name) and not callable(getattr(kind, name, None))

    def raisable(self, kind: type[BaseException]) -> bool:
        """Tell whether the program may raise this in a test; what would end a test only where the test expects it."""
        return kind.__name__ in self.expected or super().raisable(kind)

    def changed(self, objects: list[Any]) -> None:
        """Remember what calls of the program have changed."""
        self._changed.update({id(value): value for value in objects})

    def call(self, target: Remote, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the program, and note whether it is given again what an earlier call has changed."""
        given = [*args, *kwargs.values()]
        self.gives_again = self.gives_again or any(id(value) in self._changed for value in given)
        if not self.restores:
            return super().call(target, args, kwargs)
        first = [self._as_first_given(value) for value in given]
        before = deepcopy([value if isinstance(value, _CONTAINERS) else None for value in first])
        result = super().call(target, tuple(first[: len(args)]), dict(zip(kwargs, first[len(args) :], strict=True)))
        for value, sent, old in zip(given, first, before, strict=True):
            if (
                value is not sent
                and self._used[id(value)][3:] == (target, before)
                and self._used[id(value)][2] != result
            ):
                raise RemoteError("RE", "two answers to one question")
            if result is not None and value is sent and value != old and isinstance(value, _CONTAINERS):
                self._used[id(value)] = deepcopy(value), old, result, target, before
        return result

    def _as_first_given(self, value: Any) -> Any:
        """Return an argument as it was before a call that returned a result changed it, if nobody did since."""
        used = self._used.get(id(value))
        return deepcopy(used[1]) if used and used[0] == value else value

    def explained(self, error: BaseException) -> dict[str, Any]:
        """Tell the program what its call has raised here, and remember an assertion that failed: it could hide it."""
        if isinstance(error, AssertionError):
            self.refuted = self.refuted or error
        return super().explained(error)

    def begin_test(self, number: int, *, restores: bool = False) -> None:
        """Forget the test before; what names mean is found out anew."""
        self.test, self.raised, self.refuted = number, [], None
        self.restores, self.gives_again = restores, False
        self._changed: dict[int, Any] = {}
        self._used: dict[int, tuple[Any, Any, Any, Remote, list[Any]]] = {}
        self.asked_before = self._asked

    def has_raised(self, error: BaseException) -> bool:
        """Tell whether an exception that ends the test is one of the program."""
        return any(error is raised for raised in self.raised)

    @property
    def has_asked(self) -> bool:
        """Whether the test has asked the program anything."""
        return self._asked > self.asked_before


class _Solution(ModuleType):
    """The program, for tests that import it."""

    def __init__(self, program: _Tester, entry_point: str) -> None:
        super().__init__("solution")
        self._program, self.__all__ = program, [entry_point]

    def __getattr__(self, name: str) -> Remote:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._program.name(name)


def run_suite(payload: dict[str, Any], channel: int, link_fd: int) -> None:
    """Run every test of the suite in a namespace of its own and report each status.

    The report of a test is ``{"t": index, "status": ..., "detail": ...}``; ``XX`` means that the suite itself is
    broken: it does not compile, or does not ask the program anything.
    """
    try:
        prelude: dict[str, Any] = {"__name__": _MODULE}
        exec(compile(payload["prelude"], "<prelude>", "exec", dont_inherit=True), prelude)  # noqa: S102
        codes = [compile(test, f"<test {i}>", "exec", dont_inherit=True) for i, test in enumerate(payload["tests"])]
    except Exception as error:  # noqa: BLE001
        write_frame(channel, {"t": -1, "status": "XX", "detail": f"the suite does not load: {describe(error)}"})
        return
    program = _Tester(link_fd, own_classes(prelude, _MODULE))
    sys.modules["solution"] = _Solution(program, payload["entry_point"])
    if failure := _greeting(program.stream):
        write_frame(channel, {"t": -1, **failure})
        return
    for index, code in enumerate(codes):
        try:
            program.begin_test(index)
            report = _run_test(code, payload["tests"][index], dict(prelude), payload, program)
            if report["status"] in ("WA", "RE") and program.gives_again:
                program.begin_test(-1 - index, restores=True)
                again = _run_test(code, payload["tests"][index], dict(prelude), payload, program)
                report = again if again["status"] == "AC" else report
        except Gone:
            report = {"status": "gone", "detail": ""}
        write_frame(channel, {"t": index, **report})
        if report["status"] == "gone":
            return


def _greeting(answers: Stream) -> dict[str, str] | None:
    """Wait until the program is loaded; return what went wrong, if anything did."""
    try:
        body = answers.read()
        message = decode(body) if body is not None else None
    except (OSError, ProtocolError):
        return {"status": "RE", "detail": "the program wrote to the channel"}
    if message is None:
        return {"status": "gone", "detail": ""}
    if not isinstance(message, dict):
        return {"status": "RE", "detail": "the program wrote to the channel"}
    if message.get("ok") is True:
        return None
    status, detail = message.get("status"), str(message.get("detail"))[:300]
    return {"status": status if status in ("CE", "RE", "MLE") else "RE", "detail": detail}


def _run_test(
    code: CodeType, source: str, namespace: dict[str, Any], payload: dict[str, Any], program: _Tester
) -> dict[str, str]:
    given = set(namespace)
    _name_the_program(code, source, namespace, payload, program)
    try:
        _execute(code, namespace, program)
        for check in _checks({name: value for name, value in namespace.items() if name not in given}):
            check()
    except Gone:
        raise
    except BaseException as error:  # noqa: BLE001 - tests may also leave
        return _failed(error, program)
    if not program.has_asked:
        return {"status": "XX", "detail": "the test asks the program nothing"}
    if program.refuted is not None:
        return {"status": "WA", "detail": describe(program.refuted)}
    return {"status": "AC", "detail": ""}


def _execute(code: CodeType, namespace: dict[str, Any], program: _Tester) -> None:
    """Run a test; one that ends by leaving with success has ended."""
    try:
        exec(code, namespace)  # noqa: S102 - running the tests is what this process is for
    except SystemExit as error:
        if program.has_raised(error) or error.code not in (None, 0):
            raise


def _name_the_program(
    code: CodeType, source: str, namespace: dict[str, Any], payload: dict[str, Any], program: _Tester
) -> None:
    """Give the test what it may name: the candidate, the program's other names, exceptions that it expects."""
    program.expected = _exceptions(source)
    for name in program.expected:
        if name not in namespace and not hasattr(builtins, name):
            namespace[name] = type(name, (Exception,), {})
            program.classes = {**program.classes, name: namespace[name]}
    unknown = {name for name in _names(code) if name not in namespace and not hasattr(builtins, name)}
    modules = _modules(source, unknown & sys.stdlib_module_names)
    namespace |= {name: program.name(name) for name in unknown} | modules
    namespace[payload["entry_point"]] = program.name(payload["entry_point"])
    namespace["candidate"] = program.name(payload["candidate"])


def _names(code: CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
    return found


def _modules(source: str, names: set[str]) -> dict[str, ModuleType]:
    """Return the modules of the library that a test uses and has not imported: what the program calls so may lie."""
    modules = {}
    if names:
        import ast

        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
                with suppress(ImportError):
                    modules[node.value.id] = import_module(node.value.id)
    return modules


def _exceptions(source: str) -> set[str]:
    """Return the names of exceptions that a test catches or says must be raised."""
    if "except" not in source and "aises" not in source:
        return set()
    import ast  # few suites need it, and every child would carry it

    caught: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            caught += node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("raises", "assertRaises")):
            caught += node.args[:1]
    return {node.id for node in caught if isinstance(node, ast.Name)}


def _checks(defined: dict[str, Any]) -> Iterator[Callable[[], Any]]:
    """Yield the tests that a suite defines in the manner of pytest and unittest, and leaves to be called."""
    for name, value in defined.items():
        if isinstance(value, FunctionType) and name.startswith("test") and value.__module__ == _MODULE:
            yield from (partial(value, **arguments) for arguments in _parameters(value, defined))
        elif isinstance(value, type) and value.__module__ == _MODULE and hasattr(value, "debug"):
            yield value.setUpClass
            yield from (value(test).debug for test in dir(value) if test.startswith("test"))
            yield value.tearDownClass
        elif isinstance(value, type) and value.__module__ == _MODULE and name.startswith("Test"):
            tests = [(test, getattr(value, test)) for test in dir(value) if test.startswith("test")]
            yield from (
                partial(_run_method, value, test, arguments)
                for test, function in tests
                for arguments in _parameters(function, defined)
            )


def _run_method(kind: type, test: str, arguments: dict[str, Any]) -> None:
    instance = kind()
    if hasattr(instance, "setup_method"):
        instance.setup_method()
    getattr(instance, test)(**arguments)


def _parameters(function: FunctionType, defined: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments of every call to a test function, which may ask for the candidate or be parametrised."""
    arguments = [{"candidate": defined["candidate"]} if "candidate" in function.__code__.co_varnames[:1] else {}]
    for mark in getattr(function, "pytestmark", ()):
        if mark.name == "parametrize":
            names = (
                [name.strip() for name in mark.args[0].split(",")] if isinstance(mark.args[0], str) else mark.args[0]
            )
            rows = [getattr(row, "values", row) for row in mark.args[1]]
            cases = [dict(zip(names, [row] if len(names) == 1 else row, strict=True)) for row in rows]
            arguments = [{**one, **other} for one, other in product(arguments, cases)]
    return arguments


def _failed(error: BaseException, program: _Tester) -> dict[str, str]:
    if isinstance(error, RemoteError) or program.has_raised(error):
        return {"status": error.status if isinstance(error, RemoteError) else "RE", "detail": describe(error)}
    if isinstance(error, NotPlainError) and program.has_asked:
        return {"status": "RE", "detail": f"a value that cannot cross: {error}"}
    if isinstance(error, MemoryError):
        return {"status": "MLE", "detail": "the answer is too large to compare"}
    if not program.has_asked:
        return {"status": "XX", "detail": f"the test fails before it asks the program anything: {describe(error)}"}
    if isinstance(error, AssertionError):
        return {"status": "WA", "detail": describe(error)}
    return {"status": "WA", "detail": f"the test fails on the answer: {describe(error)}"}
