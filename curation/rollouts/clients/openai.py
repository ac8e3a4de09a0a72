"""Any endpoint that speaks the OpenAI protocol: chat or plain completions over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import httpx
from pydantic import BaseModel, Field
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from curation.problems import Problem, prompt_text
from curation.rollouts.requests import Request, Sample
from schemas.errors import ModelError, UsageError
from schemas.recipe.rollouts import OpenAI

__all__ = ["OpenAIClient"]

_LONGEST_WAIT = 60.0
_ATTENTION_S = 0.2
_LARGEST_BODY = 256 * 2**20
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_CHUNK = 64 * 2**10


class _Passing(Exception):
    """A failure that the next attempt may not meet.

    Parameters
    ----------
    pause
        Seconds that the endpoint asked to wait.
    """

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        self.pause = pause
        super().__init__(reason)


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    index: int = 0
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    completion_tokens: int | None = Field(default=None, ge=0, lt=2**31)


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class OpenAIClient:
    """Asks an endpoint, several requests at a time.

    Raises
    ------
    UsageError
        If the variable named as holder of the key is not set.
    """

    paid = True

    def __init__(self, policy: OpenAI) -> None:
        self.policy = policy
        self.per_request = policy.per_request
        self._key = _key(policy)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Limits(max_connections=policy.concurrency, max_keepalive_connections=policy.concurrency)
        timeout = httpx.Timeout(policy.timeout_seconds, connect=min(policy.timeout_seconds, 30), pool=None)
        self._http = httpx.Client(headers=headers, limits=limits, timeout=timeout, follow_redirects=False)

    def identity(self, problem: Problem) -> Any:
        """Return policy, form and body; not the address, which may move."""
        return [self.policy.name, self.policy.revision, self.policy.form, self._body(problem)]

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Yield requests as they are answered; after a failure, those under way are awaited and no new one is sent.

        Whoever is interrupted waits for none.

        Raises
        ------
        ModelError
            If a request fails at every attempt, or in a way that another attempt cannot mend.
        """
        failure: ModelError | None = None
        pool = ThreadPoolExecutor(self.policy.concurrency, "openai")
        todo = iter(requests)
        under_way: dict[Future[list[Sample]], Request] = {}
        try:
            while True:
                room = 0 if failure else self.policy.concurrency - len(under_way)
                under_way |= {pool.submit(self._ask, r): r for _, r in zip(range(room), todo, strict=False)}
                if not under_way:
                    break
                # polars lets the system restart a wait that a signal cut short: without an end, control-C is not heard
                for future in wait(under_way, timeout=_ATTENTION_S, return_when=FIRST_COMPLETED).done:
                    request = under_way.pop(future)
                    try:
                        samples = future.result()
                    except ModelError as error:
                        failure = failure or error
                    else:
                        yield request, samples
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if failure:
            raise failure

    def _body(self, problem: Problem) -> dict[str, Any]:
        sampler = self.policy.sampler
        body: dict[str, Any] = {
            "model": self.policy.model or self.policy.name,
            "temperature": sampler.temperature,
            "top_p": sampler.top_p,
            "max_tokens": sampler.max_tokens,
            "seed": sampler.seed,
        }
        if sampler.stop:
            body["stop"] = list(sampler.stop)
        if sampler.top_k:
            body["top_k"] = sampler.top_k
        if self.policy.form == "chat":
            return body | {"messages": [dict(message) for message in problem["prompt"]]}
        return body | {"prompt": prompt_text(problem)}

    def _ask(self, request: Request) -> list[Sample]:
        body = self._body(request.problem) | {"n": request.count, "seed": _seed(request)}
        attempts = Retrying(
            retry=retry_if_exception_type(_Passing),
            stop=stop_after_attempt(self.policy.attempts),
            wait=_pause,
            reraise=True,
        )
        try:
            return attempts(self._once, body)
        except _Passing as error:
            raise self._failed(f"failed {self.policy.attempts} times; last: {error}") from error

    def _once(self, body: dict[str, Any]) -> list[Sample]:
        path = "/chat/completions" if self.policy.form == "chat" else "/completions"
        try:
            with self._http.stream("POST", self.policy.base_url + path, json=body) as response:
                content = _limited(response)
        except httpx.TimeoutException as error:
            raise _Passing(f"no answer within {self.policy.timeout_seconds:g} s") from error
        except httpx.RequestError as error:
            raise _Passing(f"connection failed: {error}") from error
        if response.status_code in _PASSING:
            raise _Passing(f"HTTP {response.status_code}", _asked_pause(response))
        if response.status_code != httpx.codes.OK:
            raise self._failed(f"refused the request with HTTP {response.status_code}: {self._shown(content)}")
        return self._samples(content, body["n"])

    def _samples(self, content: bytes, count: int) -> list[Sample]:
        try:
            completion = _Completion.model_validate_json(_unicode(content))
        except (ValueError, RecursionError) as error:
            raise _Passing(f"not a completion: {self._shown(content)}") from error
        choices = sorted(completion.choices, key=lambda choice: choice.index)
        if len(choices) != count:
            raise _Passing(f"{len(choices)} answers where {count} were asked for")
        tokens = completion.usage.completion_tokens if completion.usage and count == 1 else None
        return [Sample(_text(choice), choice.finish_reason, tokens) for choice in choices]

    def _shown(self, content: bytes) -> str:
        text = content[:300].decode("utf-8", "replace")
        return repr(text.replace(self._key, "***") if self._key else text)

    def _failed(self, what: str) -> ModelError:
        return ModelError(
            f"the endpoint {self.policy.base_url} of {self.policy.name!r} {what}.",
            hint="what it answered is kept: run again to continue.",
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _key(policy: OpenAI) -> str | None:
    if policy.api_key_env is None:
        return None
    if not (key := os.environ.get(policy.api_key_env)):
        raise UsageError(
            f"policy {policy.name!r} takes its key from the variable {policy.api_key_env}, which is not set.",
            hint=f"export {policy.api_key_env}=... and run again.",
        )
    return key


def _seed(request: Request) -> int:
    """Return a seed of 31 bits of its own for each request."""
    return int(request.key[:8], 16) >> 1


def _text(choice: _Choice) -> str:
    text = choice.text if choice.message is None else choice.message.content
    return text or ""


def _unicode(content: bytes) -> bytes:
    """Return JSON with halves of surrogate pairs replaced: legal there, in no other text."""
    return json.dumps(json.loads(content), ensure_ascii=False).encode("utf-8", "replace")


def _limited(response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes(_CHUNK):
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise _Passing(f"an answer of more than {_LARGEST_BODY >> 20} MiB")
    return bytes(body)


def _asked_pause(response: httpx.Response) -> float:
    try:
        return min(_LONGEST_WAIT, max(0.0, float(response.headers.get("retry-after", 0))))
    except ValueError:
        return 0.0


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.pause if isinstance(error, _Passing) else 0.0
    return asked or wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT)(state)
