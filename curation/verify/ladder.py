"""The isolation ladder: what this machine allows, and which rung to stand on."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from curation.verify.home import Home
from curation.verify.inside.orders import Limits
from curation.verify.slots import Child, Slot, SlotError
from schemas.enums import Isolation
from schemas.errors import IsolationError

__all__ = ["Report", "detect"]

_PROBE = {"program": "def f(): return 1", "prelude": "", "candidate": "f", "calls": [[[], {}]], "nonce": ""}


@dataclass(frozen=True)
class Report:
    """What this machine allows.

    Parameters
    ----------
    reached
        The rungs that hold here, weakest first.
    failures
        For each rung that does not, what the kernel said.
    """

    reached: tuple[Isolation, ...]
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> Isolation:
        """The strongest rung."""
        return self.reached[-1]

    def capped(self, rung: Isolation) -> Report:
        """Return the report of a machine that allows nothing above ``rung``."""
        return Report(tuple(r for r in self.reached if r <= rung), self.failures)

    def choose(self, demanded: str) -> Isolation:
        """Return the strongest rung, if it is at least as strong as ``demanded`` (a rung, or ``auto``).

        Raises
        ------
        IsolationError
            If it is not.
        """
        if not self.reached:
            raise IsolationError(f"no sandbox starts on this machine: {dict(self.failures)}.")
        if demanded != "auto" and self.best < demanded:
            raise IsolationError(
                f"isolation {demanded} is demanded and this machine reaches {self.best}: {self._reasons()}.",
                hint="`sluice doctor` shows what is missing; in a container, allow user namespaces or run as root.",
            )
        if self.best is Isolation.L1:
            warnings.warn(
                f"judged code is isolated by limits alone (L1): {self._reasons()}; do not judge hostile code here.",
                stacklevel=3,
            )
        return self.best

    def _reasons(self) -> str:
        return "; ".join(f"{rung}: {reason}" for rung, reason in self.failures.items()) or "it was limited to that"


@lru_cache(maxsize=1)
def detect() -> Report:
    """Find out what this machine allows, by running a program at every rung.

    Examples
    --------
    >>> detect().best in Isolation
    True
    """
    reached, failures = [], {}
    for rung in Isolation:
        try:
            _try(rung)
            reached.append(rung)
        except (IsolationError, SlotError, OSError) as error:
            failures[rung.value] = str(error).splitlines()[-1]
    return Report(tuple(reached), failures)


def _try(rung: Isolation) -> None:
    if rung is not Isolation.L1 and sys.platform != "linux":
        raise OSError(f"{sys.platform} has neither seccomp nor Landlock")
    home = Home(rung)
    slot = Slot(home.slot)
    try:
        (end,) = slot.run([Child("calls", _PROBE, Limits(5.0, 20.0, 256), {"channel": 1 << 16})])
        if end.status != 0:
            raise OSError(f"a harmless program ended with wait status {end.status}")
    finally:
        slot.close()
        home.remove()
