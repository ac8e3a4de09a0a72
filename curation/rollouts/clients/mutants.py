"""The embedded sampler as a back end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from curation.problems import Problem
from curation.rollouts.mutants.sampler import respond
from curation.rollouts.requests import ALL, Request, Sample
from schemas.recipe.rollouts import Mutants

__all__ = ["MutantsClient"]


class MutantsClient:
    """Answers with the reference, mistaken at a temperature; a problem without a reference gets no answers."""

    paid = False
    per_request = ALL

    def __init__(self, policy: Mutants) -> None:
        self.policy = policy

    def identity(self, problem: Problem) -> Any:
        """Return the policy's settings and the problem's id."""
        return [self.policy.temperature, self.policy.seed, problem["problem_id"]]

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Yield the requests in order."""
        for request in requests:
            indices = range(request.first, request.first + request.count)
            texts = (self._respond(request.problem, index) for index in indices)
            yield request, [Sample(text, "stop") for text in texts if text is not None]

    def _respond(self, problem: Problem, index: int) -> str | None:
        return respond(problem, index, self.policy.temperature, self.policy.seed)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
