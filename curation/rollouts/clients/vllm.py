"""vLLM in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from curation.problems import Problem, prompt_text
from curation.rollouts.requests import Request, Sample
from schemas.errors import InputError, MissingExtra
from schemas.recipe.rollouts import Vllm

__all__ = ["VllmClient"]

_TOGETHER = 256


class VllmClient:
    """Samples with vLLM, many requests together; answers are stored after each group of them.

    Raises
    ------
    MissingExtra
        If vllm is not installed.
    InputError
        If the model cannot be loaded.
    """

    paid = True

    def __init__(self, policy: Vllm) -> None:
        self.policy = policy
        self.per_request = policy.per_request
        try:
            self._library = import_module("vllm")
        except ModuleNotFoundError as error:
            raise MissingExtra("vllm", "vllm") from error
        revision = None if policy.revision == "unversioned" else policy.revision
        length = {} if policy.max_model_len is None else {"max_model_len": policy.max_model_len}
        try:
            self._model = self._library.LLM(
                model=policy.model,
                revision=revision,
                load_format="safetensors",
                trust_remote_code=False,
                **length,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"model {policy.model!r} cannot be loaded by vLLM: {error}.") from error

    def identity(self, problem: Problem) -> Any:
        """Return policy, form, sampler and what is put in."""
        return [
            self.policy.name,
            self.policy.revision,
            self.policy.form,
            self.policy.sampler.model_dump(),
            self._input(problem),
        ]

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Yield the requests in order, after each group of them."""
        for start in range(0, len(requests), _TOGETHER):
            group = requests[start : start + _TOGETHER]
            inputs = [self._input(request.problem) for request in group]
            settings = [self._settings(request) for request in group]
            run = self._model.chat if self.policy.form == "chat" else self._model.generate
            for request, output in zip(group, run(inputs, settings, use_tqdm=False), strict=True):
                yield (
                    request,
                    [Sample(answer.text, answer.finish_reason, len(answer.token_ids)) for answer in output.outputs],
                )

    def _input(self, problem: Problem) -> Any:
        if self.policy.form == "chat":
            return [dict(message) for message in problem["prompt"]]
        return prompt_text(problem)

    def _settings(self, request: Request) -> Any:
        sampler = self.policy.sampler
        return self._library.SamplingParams(
            n=request.count,
            temperature=sampler.temperature,
            top_p=sampler.top_p,
            top_k=sampler.top_k or 0,
            max_tokens=sampler.max_tokens,
            stop=list(sampler.stop) or None,
            seed=int(request.key[:15], 16),
        )

    def close(self) -> None:
        """Let go of the model and its workers."""
        with contextlib.suppress(AttributeError):
            self._model.llm_engine.engine_core.shutdown()
        del self._model
