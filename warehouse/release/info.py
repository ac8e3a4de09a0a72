"""What a release says of itself besides its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.recipe.publish import Publish

__all__ = ["Change", "ReleaseInfo", "StageOfRun"]


@dataclass(frozen=True, slots=True)
class Change:
    """One version in the history of a dataset.

    Parameters
    ----------
    notes
        What changed, in Markdown, as derived from the record-level diff.
    """

    version: str
    published_at: datetime
    notes: str


@dataclass(frozen=True, slots=True)
class StageOfRun:
    """One stage of the run that made the rows.

    Parameters
    ----------
    output
        What it made, as ``TABLE@DIGEST``.
    inputs
        What it read, each as ``TABLE@DIGEST`` or ``FILE@DIGEST``.
    rows
        Rows it kept.
    """

    name: str
    output: str
    inputs: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class ReleaseInfo:
    """What a release says of itself besides its rows.

    Parameters
    ----------
    dataset, version
        Name and semantic version.
    published_at
        When the version was published; the release takes no time from the clock.
    run_id, code_version, recipe, seeds
        How the rows were made. The recipe must be free of secrets.
    started_at, stages
        When the run began, and the stages it went through; for the lineage events.
    parents
        What they were made from: inputs and earlier versions, each with its digest or snapshot.
    history
        Versions, newest first.
    reports
        Pointers to evidence, such as ``{"decontamination": {...}}``.
    training_plan, deviations
        What the curriculum asks of the trainer, and where it departs from its source: one note
        per setting, with ``setting``, ``chosen`` and ``paper``.
    targets
        One entry per trainer: whether it takes the rows, and how many it will see.
    """

    dataset: str
    version: str
    published_at: datetime
    run_id: str = ""
    code_version: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    started_at: datetime | None = None
    stages: Sequence[StageOfRun] = ()
    parents: Sequence[Mapping[str, Any]] = ()
    history: Sequence[Change] = ()
    reports: Mapping[str, Any] = field(default_factory=dict)
    training_plan: Mapping[str, Any] = field(default_factory=dict)
    deviations: Sequence[Mapping[str, Any]] = ()
    targets: Sequence[Mapping[str, Any]] = ()
    publish: Publish = field(default_factory=Publish)

    @property
    def title(self) -> str:
        """Name for people."""
        return self.publish.title or self.dataset

    @property
    def date(self) -> str:
        """ISO date of publication."""
        return self.published_at.date().isoformat()
