"""Requests for answers: their canonical keys, and the cache that pays for each only once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from curation.problems import Problem
from schemas.ids import canonical_json, digest
from warehouse.cache import KeyedCache

__all__ = ["ALL", "Client", "Request", "Sample", "ask", "plan"]

ALL = 2**31
"""A count that no recorded table reaches: all answers there are."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer of a policy.

    Parameters
    ----------
    finish_reason
        Why it ended, in the back end's words; ``length`` means that it was cut.
    tokens
        Its length in tokens, where the back end tells it per answer.
    """

    text: str
    finish_reason: str | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The answers ``first`` to ``first + count - 1`` to one problem.

    Parameters
    ----------
    key
        Digest of everything that shapes the answers, wherever they are asked for.
    """

    problem: Problem
    first: int
    count: int
    key: str


class Client(Protocol):
    """A back end that answers requests."""

    paid: bool
    """Whether answers cost enough to be kept in the cache."""
    per_request: int
    """Most answers in one request."""

    def identity(self, problem: Problem) -> Any:
        """Return, as JSON values, what shapes the answers to ``problem`` besides their indices."""

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Yield each request with its answers, in the order in which they come.

        Raises
        ------
        ModelError
            If the back end fails for good; what it answered before has been yielded.
        """

    def close(self) -> None:
        """Let go of connections, files and memory."""


def plan(client: Client, problem: Problem, first: int, last: int) -> Iterator[Request]:
    """Yield the requests for the answers ``first`` to ``last - 1`` to a problem."""
    shaped = digest(client.identity(problem))
    for start in range(first, last, client.per_request):
        count = min(client.per_request, last - start)
        yield Request(problem, start, count, digest(["request", shaped, start, count]))


def ask(
    client: Client,
    requests: Sequence[Request],
    cache: KeyedCache,
    heard: Callable[[list[Sample]], None],
) -> dict[str, list[Sample]]:
    """Return the answers to ``requests`` by key, asking only for what was never answered.

    Every answer is stored as it comes, so that whatever ends this process loses at most the requests under way.

    Parameters
    ----------
    heard
        Called with the samples of each request as they become known.
    """
    answers = cache.read((request.key for request in requests), _decoded) if client.paid else {}
    for samples in answers.values():
        heard(samples)
    missing = {request.key: request for request in requests if request.key not in answers}
    for request, samples in client.answer(list(missing.values())):
        if client.paid:
            cache.put([(request.key, _encoded(samples))])
        answers[request.key] = samples
        heard(samples)
    return answers


def _encoded(samples: Sequence[Sample]) -> str:
    return canonical_json([[sample.text, sample.finish_reason, sample.tokens] for sample in samples])


def _decoded(text: str) -> list[Sample]:
    return [Sample(*sample) for sample in json.loads(text)]
