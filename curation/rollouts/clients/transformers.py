"""A Hugging Face Transformers model in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from curation.problems import Problem, prompt_text
from curation.rollouts.requests import Request, Sample
from schemas.errors import InputError, MissingExtra
from schemas.recipe.rollouts import Transformers

__all__ = ["TransformersClient"]


class TransformersClient:
    """Samples from a causal language model; weights are read as safetensors, code of the model's folder never runs.

    Raises
    ------
    MissingExtra
        If transformers or torch is not installed.
    InputError
        If the model cannot be loaded.
    """

    paid = True

    def __init__(self, policy: Transformers) -> None:
        self.policy = policy
        self.per_request = policy.per_request
        try:
            self._torch = import_module("torch")
            library = import_module("transformers")
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or "transformers", "llm") from error
        revision = {} if policy.revision == "unversioned" else {"revision": policy.revision}
        try:
            self._tokenizer = library.AutoTokenizer.from_pretrained(policy.model, **revision)
            model = library.AutoModelForCausalLM.from_pretrained(policy.model, use_safetensors=True, **revision)
        except (OSError, ValueError) as error:
            raise InputError(
                f"model {policy.model!r} cannot be loaded: {error}.",
                hint="name a folder with a tokenizer and safetensors weights, or a model at the hub.",
            ) from error
        self._model = model.to(policy.device).eval()

    def identity(self, problem: Problem) -> Any:
        """Return policy, sampler and the text that is put in."""
        return [self.policy.name, self.policy.revision, self.policy.sampler.model_dump(), self._prompt(problem)]

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Yield the requests in order."""
        for request in requests:
            yield request, self._ask(request)

    def _prompt(self, problem: Problem) -> str:
        if self.policy.form == "completion":
            return prompt_text(problem)
        messages = [dict(message) for message in problem["prompt"]]
        try:
            return self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except ValueError as error:
            raise InputError(
                f"model {self.policy.model!r} has no chat template: {error}.",
                hint="set `form: completion` for a base model.",
            ) from error

    def _ask(self, request: Request) -> list[Sample]:
        torch = self._torch
        text = self._prompt(request.problem)
        special = self.policy.form == "completion"
        inputs = self._tokenizer(text, return_tensors="pt", add_special_tokens=special).to(self.policy.device)
        torch.manual_seed(int(request.key[:15], 16))
        with torch.inference_mode():
            sequences = self._model.generate(
                **inputs,
                **self._settings(request.count),
                tokenizer=self._tokenizer,
            )
        start = inputs["input_ids"].shape[1]
        return self._samples([sequence[start:].tolist() for sequence in sequences], request.count)

    def _settings(self, count: int) -> dict[str, Any]:
        sampler = self.policy.sampler
        settings: dict[str, Any] = {"max_new_tokens": sampler.max_tokens, "pad_token_id": self._padding}
        if sampler.stop:
            settings["stop_strings"] = list(sampler.stop)
        if sampler.temperature == 0:
            return settings | {"do_sample": False}
        return settings | {
            "do_sample": True,
            "num_return_sequences": count,
            "temperature": sampler.temperature,
            "top_p": sampler.top_p,
            "top_k": sampler.top_k or 0,
        }

    @property
    def _padding(self) -> int:
        ids = (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id, 0)
        return next(token for token in ids if token is not None)

    def _samples(self, sequences: Sequence[list[int]], count: int) -> list[Sample]:
        samples = [self._sample(tokens) for tokens in sequences]
        return samples if len(samples) == count else samples * count

    def _sample(self, tokens: list[int]) -> Sample:
        ends = {self._padding, self._tokenizer.eos_token_id}
        length = next((index for index, token in enumerate(tokens) if token in ends), len(tokens))
        cut = length == self.policy.sampler.max_tokens
        text = self._tokenizer.decode(tokens[:length], skip_special_tokens=True)
        return Sample(text, "length" if cut else "stop", length)

    def close(self) -> None:
        """Let go of the model."""
        del self._model
