"""Stand-ins for what trainers import beside their readers and never use to read: sound, pictures, remote machines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["stubbed"]


class _Stub(ModuleType):
    """A module in which every name is a class of its own."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


class _Finder:
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        stands = any(name == one or name.startswith(f"{one}.") for one in self.names)
        return ModuleSpec(name, self, is_package=True) if stands else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the stub as it is."""


@contextmanager
def stubbed(*names: str, hollow: str | None = None) -> Iterator[None]:
    """Let imports of ``names`` find stubs, and modules of the package ``hollow`` be found without its ``__init__``.

    No stub stays behind: what other trainers ask of the same names, such as a version, no stub can answer.
    """
    finder = _Finder(names)
    sys.meta_path.insert(0, finder)
    try:
        found = find_spec(hollow) if hollow and hollow not in sys.modules else None
        if found:
            package = ModuleType(hollow)
            package.__path__ = list(found.submodule_search_locations or ())
            sys.modules[hollow] = package
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _Stub)]:
            del sys.modules[name]
