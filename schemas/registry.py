"""Which contracts there are: the house's own, and those that follow from a policy."""

from __future__ import annotations

from schemas import audit_tables, books, lake, records, retention, texts
from schemas.contracts import Contract
from schemas.errors import UsageError, did_you_mean

__all__ = ["contract", "contracts", "register"]

_HOUSE = (audit_tables, books, lake, records, retention, texts)
_REGISTRY = {one.name: one for module in _HOUSE for one in vars(module).values() if isinstance(one, Contract)}


def register(new: Contract) -> Contract:
    """Make a contract known by its name, and return it."""
    _REGISTRY[new.name] = new
    return new


def contracts() -> dict[str, Contract]:
    """Return all known contracts by name."""
    return dict(_REGISTRY)


def contract(name: str) -> Contract:
    """Return the contract called ``name``.

    Raises
    ------
    UsageError
        If there is none; the nearest known name is suggested.

    Examples
    --------
    >>> contract("decision").key
    ('run_id', 'stage', 'record_id', 'verdict', 'reason')
    """
    if name not in _REGISTRY:
        raise UsageError(
            f"no contract is called {name!r}; known are {', '.join(sorted(_REGISTRY))}.",
            hint=did_you_mean(name, _REGISTRY),
        )
    return _REGISTRY[name]
