"""What an audit found: one outcome per check, with failing rows named, as data for consoles, reports and storage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import GateBroken

__all__ = ["AuditResult", "Outcome"]

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one check.

    Parameters
    ----------
    column
        The column it speaks of; empty for the whole table.
    observed, expected
        What was found and what must hold, in words.
    broken
        Number of rows (or groups, stages, columns) that break it.
    examples
        A few of them, lowest key first: the key columns and the offending value.
    expectation
        Great Expectations class that decided, or ``invariant``.
    """

    name: str
    column: str
    success: bool
    observed: str
    expected: str
    broken: int = 0
    examples: tuple[Mapping[str, Any], ...] = ()
    expectation: str = "invariant"


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Outcomes of all checks of one audit.

    Parameters
    ----------
    contract, version
        The contract held against.
    rows
        Rows audited.
    method
        ``rows`` if each row was read by the expectations, ``counts`` if they read one row of counts.
    """

    contract: str
    version: str
    rows: int
    method: str
    checks: tuple[Outcome, ...] = field(default=())

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.success)

    @property
    def success(self) -> bool:
        """True if every check passed."""
        return not self.failures

    @property
    def summary(self) -> str:
        """One sentence: how many checks passed, or which failed on which rows."""
        held = f"{len(self.checks)} checks of contract {self.contract!r} over {self.rows:,} rows"
        if self.success:
            return f"{held}: all passed."
        named = "; ".join(f"{check.name}: {check.observed}{_ids(check)}" for check in self.failures)
        return f"{held}: {len(self.failures)} failed. {named}."

    def rows_for_console(self) -> list[tuple[str, str, str, str]]:
        """Return ``(outcome, check, expected, observed)`` per check, failures first."""
        ordered = sorted(self.checks, key=lambda check: check.success)
        return [("ok" if c.success else "FAILED", c.name, c.expected, c.observed + _ids(c)) for c in ordered]

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {"success": self.success, "summary": self.summary, **asdict(self)}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> AuditResult:
        """Return the result that `to_json` gave."""
        outcomes = tuple(Outcome(**{**check, "examples": tuple(check["examples"])}) for check in saved["checks"])
        return cls(saved["contract"], saved["version"], saved["rows"], saved["method"], outcomes)

    def save(self, path: Path) -> Path:
        """Write the result as a JSON file, and return its path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=1, default=str), encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> AuditResult:
        """Return the result that `save` wrote.

        Raises
        ------
        GateBroken
            If the file is not one.
        """
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GateBroken(f"{path} is not a stored audit: {error!r}.") from error


def _ids(check: Outcome) -> str:
    named = [", ".join(map(str, example.values())) for example in check.examples[:_NAMED]]
    return f" ({' | '.join(named)})" if named else ""
