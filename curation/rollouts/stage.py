"""The stage ``rollouts``: answers of each policy to each problem, every one judged, none paid for twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from curation.batches import RowFile, problem_batches
from curation.judging import CachedJudge
from curation.problems import Problem
from curation.rollouts.clients import open_client
from curation.rollouts.escalation import demands_more
from curation.rollouts.programs import judged_answer
from curation.rollouts.remarks import remarks
from curation.rollouts.requests import ALL, Client, Request, Sample, ask, plan
from curation.verify import VERIFIER_VERSION, Judgement, Task
from schemas.enums import Status
from schemas.ids import digest, record_id
from schemas.recipe.paths import located
from schemas.recipe.rollouts import Escalation, Mutants, Policy, Recorded, Rollouts
from schemas.records import ROLLOUT
from warehouse.fingerprint import input_sha256
from warehouse.stages import Services, Stage, StageResult

__all__ = ["ROLLOUTS", "pin", "sample", "sampler_digest"]

_DETAIL = 500
_SHAPING = {"sampler", "form", "program", "temperature", "seed"}


def pin(config: Rollouts, folder: Path) -> Rollouts:
    """Return the configuration with place and digest of every recorded table, so that a changed file is new work.

    Parameters
    ----------
    folder
        Where relative paths begin: the folder of the recipe.

    Raises
    ------
    InputError
        If a recorded table cannot be read.
    """
    policies = tuple(
        _pinned(policy, located(policy.path, folder)) if isinstance(policy, Recorded) else policy
        for policy in config.policies
    )
    return config.model_copy(update={"policies": policies})


def _pinned(policy: Recorded, location: Path) -> Recorded:
    return policy.model_copy(update={"sha256": input_sha256(location), "location": location})


def sampler_digest(policy: Policy) -> str:
    """Return the digest that names a policy's sampler settings in rollouts and pass rates."""
    return digest(policy.model_dump(mode="json", include=_SHAPING))


def sample(inputs: Mapping[str, pl.LazyFrame], config: Rollouts, services: Services) -> StageResult:
    """Sample and judge answers to every problem, more where few leave the question open.

    No problem is dropped, however few of its answers are right; `remarks` flags what a person should see.

    Parameters
    ----------
    inputs
        ``rows``: problems.
    config
        Policies, escalation, and how answers are judged.

    Returns
    -------
    StageResult
        Flags, and the table ``rollouts``.

    Raises
    ------
    ModelError
        If a back end fails for good; what it answered is kept, and a re-run continues.
    InputError
        If a recorded table or a model cannot be read.
    IsolationError
        If this machine cannot isolate programs as the settings demand.
    """
    problems = inputs["rows"].select(pl.len()).collect().item()
    scratch = services.aside()
    with RowFile(scratch / "rollouts.parquet", ROLLOUT) as file, CachedJudge(config.verify, services) as judge:
        for policy in config.policies:
            sampling = _Sampling(policy, config.escalation, judge, services)
            for rows in sampling.run(inputs["rows"], problems, scratch):
                file.write(rows)
    rollouts = file.scan()
    return StageResult(remarks(inputs["rows"], rollouts), outputs={"rollouts": rollouts})


ROLLOUTS = Stage("rollouts", f"1/{VERIFIER_VERSION}", sample, outputs={"rollouts": "rollout"})


class _Sampling:
    """One policy's answers to all problems."""

    def __init__(self, policy: Policy, escalation: Escalation, judge: CachedJudge, services: Services) -> None:
        self.policy = policy
        self.escalation = escalation
        self.judge = judge
        self.progress = services.progress
        self.cache = services.workspace.cache("requests")
        self.sampler = sampler_digest(policy)
        self.task = f"rollouts {policy.name}@{policy.revision}"
        self.figures = {"answers": 0, "tokens": 0, "judged": 0, "passed": 0}

    def run(self, rows: pl.LazyFrame, problems: int, scratch: Path) -> Iterator[list[dict[str, object]]]:
        """Yield rows of the rollout contract, batch by batch of problems."""
        self.progress.start(self.task, problems, "problems")
        client = open_client(self.policy, scratch)
        try:
            for batch in problem_batches(rows):
                yield from self._batch(client, batch)
                self.progress.advance(self.task, len(batch), **self.figures)
        finally:
            client.close()
        self.progress.finish(self.task, "{answers} answers, {passed} passed".format(**self.figures))

    def _batch(self, client: Client, problems: list[Problem]) -> Iterator[list[dict[str, object]]]:
        tally = {problem["problem_id"]: [0, 0] for problem in problems}
        first = 0
        for last in self._levels():
            requests = [request for problem in problems for request in plan(client, problem, first, last)]
            answers = ask(client, requests, self.cache, self._heard)
            rows = list(self._judged(requests, answers))
            for row in rows:
                judged = tally[str(row["problem_id"])]
                judged[0] += row["status"] != Status.XX
                judged[1] += row["status"] == Status.AC
            yield rows
            problems = [p for p in problems if demands_more(*tally[p["problem_id"]], self.escalation)]
            first = last

    def _levels(self) -> tuple[int, ...]:
        match self.policy.samples:
            case "escalate":
                return self.escalation.levels
            case "all":
                return (ALL,)
            case count:
                return (count,)

    def _heard(self, samples: list[Sample]) -> None:
        self.figures["answers"] += len(samples)
        self.figures["tokens"] += sum(sample.tokens or 0 for sample in samples)
        self.progress.advance(self.task, 0, **self.figures)

    def _judged(self, requests: Sequence[Request], answers: Mapping[str, list[Sample]]) -> Iterator[dict[str, object]]:
        asked = [
            (request, request.first + offset, sample)
            for request in requests
            for offset, sample in enumerate(answers[request.key])
        ]
        tasks = (self._task(request.problem, sample) for request, _, sample in asked)
        for (request, index, sample), judgement in zip(asked, self.judge.judge(tasks), strict=True):
            self.figures["judged"] += 1
            self.figures["passed"] += judgement.status is Status.AC
            self.progress.advance(self.task, 0, **self.figures)
            yield self._row(request, index, sample, judgement)

    def _task(self, problem: Problem, sample: Sample) -> Task:
        if isinstance(self.policy, Mutants):
            answer = sample.text
        else:
            answer = judged_answer(problem, sample.text, self.policy.program, self.policy.sampler.stop)
        return Task(problem["verifier"], problem["tests"], answer)

    def _row(self, request: Request, index: int, sample: Sample, judgement: Judgement) -> dict[str, object]:
        policy, revision = self.policy.name, self.policy.revision
        problem_id = request.problem["problem_id"]
        fault = judgement.status is Status.XX
        return {
            "rollout_id": record_id("r", problem_id, policy, revision, self.sampler, index),
            "problem_id": problem_id,
            "policy": policy,
            "policy_revision": revision,
            "sampler": self.sampler,
            "sample_index": index,
            "response": sample.text,
            "finish_reason": sample.finish_reason,
            "truncated": sample.finish_reason == "length",
            "response_chars": len(sample.text),
            "response_tokens": sample.tokens,
            "request_hash": request.key,
            "status": judgement.status.value,
            "passed": judgement.passed,
            "total": judgement.total,
            "all_passed": None if fault else judgement.status is Status.AC,
            "verifier_version": VERIFIER_VERSION,
            "isolation": judgement.isolation.value,
            "cpu_ms": judgement.cpu_ms,
            "detail": (judgement.detail or "")[:_DETAIL] or None,
        }
