"""What a report tells of a build, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from warehouse.audits import AuditResult
from warehouse.report.charts import Bar

__all__ = ["BuildSummary", "Example", "Hit", "Phase", "StageSummary", "Suspect", "VersionLink"]


@dataclass(frozen=True, slots=True)
class StageSummary:
    """Rows and cost of one stage.

    Parameters
    ----------
    dropped
        Rows dropped, by reason.
    cost
        Figures by name, such as ``seconds`` or ``tokens``.
    """

    name: str
    given: int
    kept: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    rejected: int = 0
    cost: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phase:
    """Size of one phase of a curriculum, and the mean pass rate of its rows where measured."""

    curriculum: str
    phase: str
    rows: int
    problems: int
    mean_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A record that a stage took out, with the evidence and the beginning of its text."""

    stage: str
    reason: str
    record_id: str
    verdict: str = "drop"
    measured: float | None = None
    threshold: float | None = None
    witness: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A problem found in a benchmark."""

    record_id: str
    reason: str
    score: float | None
    benchmark: str | None
    item: str | None
    matched: str | None


@dataclass(frozen=True, slots=True)
class Suspect:
    """A problem whose label or tests a person should look at."""

    problem_id: str
    stage: str
    reason: str
    measured: float | None = None
    witness: str | None = None
    n: int | None = None
    c: int | None = None


@dataclass(frozen=True, slots=True)
class VersionLink:
    """A version of the dataset; ``report`` and ``release`` are links relative to this report, None if there is none."""

    version: str
    rows: int
    published_at: datetime
    notes: str = ""
    report: str | None = None
    release: str | None = None


@dataclass(frozen=True)
class BuildSummary:
    """One build, told for people.

    Parameters
    ----------
    status
        As in the book of runs: published, unchanged, rejected, failed or running.
    version
        Version published, or already there with the same content; None if none.
    recipe
        The recipe as JSON text.
    inputs
        Files read, one line each.
    pass_rates
        Number of problems by pass rate.
    examples, hits, suspects
        A bounded number of each; ``totals`` holds how many there are of ``hits`` and ``suspects``.
    audit
        What the gate found, if it ran.
    """

    dataset: str
    run_id: str
    status: str
    started_at: datetime
    version: str | None = None
    finished_at: datetime | None = None
    rows: int | None = None
    content_hash: str | None = None
    code_version: str = ""
    recipe: str = "{}"
    recipe_hash: str = ""
    inputs: Sequence[str] = ()
    stages: Sequence[StageSummary] = ()
    pass_rates: Sequence[Bar] = ()
    phases: Sequence[Phase] = ()
    examples: Sequence[Example] = ()
    hits: Sequence[Hit] = ()
    suspects: Sequence[Suspect] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    versions: Sequence[VersionLink] = ()
    audit: AuditResult | None = None

    @property
    def page(self) -> str:
        """What its report is called: the version that it published, or else the run."""
        return self.version if self.version and self.status == "published" else self.run_id
