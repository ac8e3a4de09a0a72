"""The story of one record: what is known of it, as data and as a text that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Fate", "Why"]


@dataclass(frozen=True)
class Fate:
    """What one run made of the record.

    Parameters
    ----------
    outcome
        ``published``, ``kept`` (by all stages, in no published row), ``dropped`` or ``failed``.
    stages
        For each stage up to the one that took the record out: its name and its decisions (none: kept, no remark).
    """

    run_id: str
    dataset: str
    dataset_version: str | None
    started_at: str
    outcome: str
    stages: tuple[tuple[str, tuple[Mapping[str, Any], ...]], ...]


@dataclass(frozen=True)
class Why:
    """The story of one record.

    Parameters
    ----------
    record_id
        What was asked for: id of a problem, row, rollout or source record, or ``file:line`` of a rejected one.
    kind
        ``problem``, ``row``, ``rollout``, ``source`` or ``rejection``.
    problem_id
        The problem that it is or belongs to; None for a rejection.
    source
        Where the problem came from: source, id, revision, licence and files; or the rejected file, line and reason.
    rollout
        The answer's verdict, where one was asked for.
    fates
        What each run made of it, newest first.
    pass_rates, test_quality
        What was measured of it.
    published
        Rows in published versions: dataset, version, curriculum, phase, order_index, row_id.
    """

    record_id: str
    kind: str
    problem_id: str | None
    source: Mapping[str, Any]
    rollout: Mapping[str, Any] | None = None
    fates: tuple[Fate, ...] = ()
    pass_rates: tuple[Mapping[str, Any], ...] = ()
    test_quality: tuple[Mapping[str, Any], ...] = ()
    published: tuple[Mapping[str, Any], ...] = ()

    @property
    def outcome(self) -> str:
        """``rejected``; ``published`` for a published row; else what the newest run that met the record made of it."""
        if self.kind in ("rejection", "row"):
            return "rejected" if self.kind == "rejection" else "published"
        return self.fates[0].outcome if self.fates else "published" if self.published else "kept"

    def to_json(self) -> dict[str, Any]:
        """Return the story as a JSON object."""
        return {"outcome": self.outcome, **asdict(self)}

    def __str__(self) -> str:
        """Return the story as text, a few lines a person can read."""
        lines = [f"{self.record_id} ({self.kind}): {self.outcome}", f"source: {_origin(self.source)}"]
        if self.problem_id and self.problem_id != self.record_id:
            lines.append(f"problem: {self.problem_id}")
        if self.rollout:
            lines.append(f"rollout: {_pairs(self.rollout)}")
        lines += [line for fate in self.fates for line in _fate_lines(fate)]
        lines += [f"pass rate: {_rate(row)}" for row in self.pass_rates]
        lines += [f"tests: {_pairs(row)}" for row in self.test_quality]
        lines += [f"in {_place(row)}" for row in self.published]
        return "\n".join(lines)


def _origin(source: Mapping[str, Any]) -> str:
    if "source_id" not in source:
        return _pairs(source)
    rest = {name: value for name, value in source.items() if name not in ("source", "source_id")}
    return f"{source['source']}/{source['source_id']}, {_pairs(rest)}"


def _pairs(values: Mapping[str, Any]) -> str:
    told = {name: value for name, value in values.items() if value is not None and value != []}
    return ", ".join(f"{name} {_shown(value)}" for name, value in told.items()) or "unknown"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _fate_lines(fate: Fate) -> list[str]:
    name = f"{fate.dataset} {fate.dataset_version or '(nothing published)'}"
    lines = [f"{fate.run_id}, {fate.started_at}, for {name}: {fate.outcome}"]
    for stage, decisions in fate.stages:
        told = "; ".join(_decision(decision) for decision in decisions) or "kept"
        lines.append(f"  {stage}: {told}")
    return lines


def _decision(decision: Mapping[str, Any]) -> str:
    rest = _pairs({name: value for name, value in decision.items() if name not in ("verdict", "reason")})
    return f"{decision['verdict']} {decision['reason']}" + (f" ({rest})" if rest != "unknown" else "")


def _rate(row: Mapping[str, Any]) -> str:
    counts = f"{row['c']} of {row['n']}"
    if row["rate"] is not None:
        counts += f" ({row['rate']:.3f}, 95 % {row['wilson_low']:.3f} to {row['wilson_high']:.3f})"
    return f"{row['policy']}@{row['policy_revision']}, {counts}" + (
        f", {row['faults']} faults" if row["faults"] else ""
    )


def _place(row: Mapping[str, Any]) -> str:
    band = f", {row['band']}" if row["band"] else ""
    flags = f", flags {', '.join(row['flags'])}" if row["flags"] else ""
    where = f"{row['dataset']} {row['version']}: {row['curriculum']}/{row['phase']} at {row['order_index']}"
    return f"{where}{band}{flags} ({row['row_id']})"
