"""What a run would do, told before anything happens."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from flows.build import Build
from flows.steps import Step
from schemas.recipe.rollouts import Policy, Rollouts
from warehouse.stages import Services, StageRun, Workspace

__all__ = ["Planned", "plan_of"]


@dataclass(frozen=True)
class Planned:
    """One stage of a plan.

    Parameters
    ----------
    cached
        True if its work is finished and would only be read.
    rows
        Rows that go in; None while unknown, because a stage before it has yet to run.
    work
        What it took, or what it would do.
    """

    name: str
    cached: bool
    rows: int | None
    work: str

    def to_json(self) -> dict[str, Any]:
        """Return the stage as a JSON object."""
        return asdict(self)


def plan_of(build: Build) -> list[Planned]:
    """Return what each stage of a build would do. Reads finished work, writes nothing."""
    done = build.finished(Services(Workspace(build.root))).done
    planned, rows = [], None
    for step in build.steps:
        if (run := done.get(step.name)) is not None:
            rows = run.counts["kept"]
            planned.append(Planned(step.name, cached=True, rows=run.counts["in"], work=_told(run)))
        else:
            known = rows if step.inputs and _reads_finished(step, done) else None
            work = _foreseen(step, known if known is not None else rows)
            planned.append(Planned(step.name, cached=False, rows=known, work=work))
    return planned


def _reads_finished(step: Step, done: dict[str, StageRun]) -> bool:
    return all(source in done for source, _ in step.inputs.values())


def _told(run: StageRun) -> str:
    gone = run.counts["in"] - run.counts["kept"]
    return f"kept {run.counts['kept']:,}, took out {gone:,} in {run.seconds:,.1f} s"


def _foreseen(step: Step, rows: int | None) -> str:
    """Return the work ahead; ``rows`` is at most what will arrive."""
    if not step.inputs:
        files = [file.name for source in step.config.sources for file in source.files]  # type: ignore[union-attr]
        return f"read {', '.join(files[:3])}{f' and {len(files) - 3} more' if len(files) > 3 else ''}"  # noqa: PLR2004
    if isinstance(step.config, Rollouts):
        return _answers(step.config, rows)
    return "run" if rows is None else f"run over at most {rows:,} rows"


def _answers(config: Rollouts, rows: int | None) -> str:
    """Return how many answers would be asked for and judged: the first level for all, the last level at most."""
    told = []
    for policy in config.policies:
        levels = config.escalation.levels if policy.samples == "escalate" else (policy.samples,)
        each = " to ".join(str(level) for level in dict.fromkeys((levels[0], levels[-1])))
        told.append(f"{policy.name}: {each} answers per problem{_at_most(policy, rows, levels[-1])}")
    return "; ".join(told) + "; cached answers and verdicts are not paid for again"


def _at_most(policy: Policy, rows: int | None, each: int | str) -> str:
    """Return the largest bill: answers, and for models the tokens that these may take."""
    if rows is None or not isinstance(each, int):
        return ""
    sampler = getattr(policy, "sampler", None)
    tokens = f" of up to {sampler.max_tokens:,} tokens" if sampler and policy.backend != "recorded" else ""
    return f", at most {rows * each:,}{tokens}"
