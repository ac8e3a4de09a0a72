"""The ``rollouts`` section of a recipe: which policies answer, how they are sampled, and when to sample more."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from schemas.recipe.base import Section
from schemas.recipe.measures import Share
from schemas.recipe.verify import Verify

__all__ = [
    "Escalation",
    "InProcess",
    "Mutants",
    "OpenAI",
    "Policy",
    "Recorded",
    "RecordedColumns",
    "Rollouts",
    "Sampler",
    "Transformers",
    "Vllm",
]

Form = Literal["chat", "completion"]
Program = Literal["completion", "code_block", "answer"]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Sampler(Section):
    """Settings that shape an answer; their digest names the sampler in every rollout."""

    temperature: float = Field(default=1.0, ge=0, le=10)
    """0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Probability mass that tokens are drawn from."""
    top_k: int | None = Field(default=None, ge=1)
    """Number of tokens that are drawn from; left out, all."""
    max_tokens: int = Field(default=2048, ge=1)
    """Tokens after which an answer is cut."""
    stop: tuple[str, ...] = ()
    """An answer ends before the first of these texts."""
    seed: int = 0
    """Each request draws with a seed derived from this one."""


class _Sampled(Section):
    name: str = Field(min_length=1)
    """The model, as rollouts name it."""
    revision: str = Field(default="unversioned", min_length=1)
    """Its revision or checkpoint."""
    sampler: Sampler = Sampler()
    """How answers are drawn; for recorded answers, how they were."""
    program: Program = "code_block"
    """How a response becomes the program that is judged: ``completion`` puts the problem's starter code before it,
    ``code_block`` takes the last fenced block, ``answer`` takes it whole. Problems without code are always whole."""


class RecordedColumns(Section):
    """Names of the columns of a long table of recorded answers."""

    problem: str = "problem"
    """What names the problem."""
    response: str = "response"
    """The answer."""
    index: str | None = None
    """0-based sample index; left out, answers are numbered in the order of their text."""
    finish_reason: str | None = None
    """Why the answer ended; ``length`` means that it was cut."""
    tokens: str | None = None
    """Length in tokens."""


class Recorded(_Sampled):
    """Answers that were sampled before, replayed from a file."""

    backend: Literal["recorded"]
    """Replay a table."""
    path: str
    """File of answers: .jsonl, .json (each also .gz) or .parquet."""
    layout: Literal["long", "codet", "gsm8k_solutions", "generations"] = "long"
    """``long``: a row per answer; ``codet``: a row per HumanEval prompt with its ``samples``; ``gsm8k_solutions``: a
    row per question with an object per model; ``generations``: one object of lists of answers by problem."""
    match: Literal["problem_id", "source_id", "statement"] = "source_id"
    """What the table names problems by, in the layouts ``long`` and ``generations``."""
    columns: RecordedColumns = RecordedColumns()
    """Columns of the layout ``long``."""
    model: str | None = None
    """Which model's answers to take, in the layout ``gsm8k_solutions``."""
    samples: int | Literal["all", "escalate"] = "all"
    """How many answers to judge per problem; ``escalate`` follows the section ``escalation``."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Digest that the file must have; filled in when a run is planned, so that a changed file is work to do."""
    location: Path | None = Field(default=None, exclude=True)
    """Where the file lies; filled in when a run is planned, no part of what was asked for."""

    @model_validator(mode="after")
    def _model_named(self) -> Self:
        if (self.layout == "gsm8k_solutions") != (self.model is not None):
            raise ValueError("`model` goes with `layout: gsm8k_solutions`, and only with it")
        return self


class OpenAI(_Sampled):
    """Any endpoint that speaks the OpenAI protocol, such as a vLLM server."""

    backend: Literal["openai"]
    """Ask an endpoint over HTTP."""
    base_url: str
    """Address up to and with its version, such as ``http://127.0.0.1:8000/v1``."""
    model: str | None = None
    """Name of the model at the endpoint; the policy's name, if left out."""
    form: Form = "chat"
    """Send messages, or one text to continue."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; the key itself never stands in a recipe."""
    samples: int | Literal["escalate"] = "escalate"
    """How many answers per problem."""
    per_request: int = Field(default=8, ge=1)
    """Answers asked for in one request."""
    concurrency: int = Field(default=16, ge=1)
    """Requests under way at the same time."""
    timeout_seconds: float = Field(default=600, gt=0)
    """Longest silence of the endpoint."""
    attempts: int = Field(default=6, ge=1)
    """Tries per request before giving up; between them the wait grows, up to a minute."""

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address starts with http:// or https://")
        if parts.username or parts.password or parts.query:
            raise ValueError("an address holds no user, password or query; name the key's variable in `api_key_env`")
        return value.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError("`api_key_env` is the name of an environment variable, not the key")
        return value


class InProcess(_Sampled):
    """A model loaded into this process."""

    model: str
    """Folder, or name at the model hub. Weights are read as safetensors only."""
    form: Form = "chat"
    """Send messages through the model's chat template, or one text to continue."""
    samples: int | Literal["escalate"] = "escalate"
    """How many answers per problem."""
    per_request: int = Field(default=8, ge=1)
    """Answers drawn together."""


class Vllm(InProcess):
    """vLLM in this process (extra ``vllm``)."""

    backend: Literal["vllm"]
    """Sample with vLLM."""
    max_model_len: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer together; left out, what the model allows."""


class Transformers(InProcess):
    """Hugging Face Transformers in this process (extra ``llm``)."""

    backend: Literal["transformers"]
    """Sample with Transformers."""
    device: str = "cpu"
    """Where the model runs, such as cpu or cuda."""


class Mutants(Section):
    """The embedded sampler: the reference answer with mistakes; needs no model."""

    backend: Literal["mutants"]
    """Mutate the reference."""
    name: str = Field(default="mutants", min_length=1)
    """The policy, as rollouts name it."""
    revision: str = "1"
    """Its revision."""
    temperature: float = Field(default=1.0, ge=0, le=20)
    """0 never errs; at 1 about one decision in twenty goes wrong."""
    seed: int = 0
    """Seed of the mistakes."""
    samples: int | Literal["escalate"] = "escalate"
    """How many answers per problem."""


Policy = Annotated[Recorded | OpenAI | Vllm | Transformers | Mutants, Field(discriminator="backend")]


class Escalation(Section):
    """When a problem is sampled more: as long as few answers leave open on which side of an edge it lies."""

    levels: tuple[int, ...] = (8, 64)
    """Answers per problem after each round; all problems get the first round."""
    edges: tuple[Share, ...] = (Fraction(1, 2),)
    """Pass rates at which something is decided; an interval that holds one strictly inside asks for more."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Confidence of the Wilson interval."""

    @field_validator("levels")
    @classmethod
    def _grow(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or value[0] < 1 or any(a >= b for a, b in pairwise(value)):
            raise ValueError("levels are growing positive numbers, such as [8, 64]")
        return value


class Rollouts(Section):
    """Sampling answers, and judging each."""

    policies: tuple[Policy, ...] = Field(min_length=1)
    """Models that answer; give several to compare checkpoints."""
    escalation: Escalation = Escalation()
    """8 answers to begin with, 64 where they do not suffice."""
    verify: Verify = Verify()
    """How answers are judged."""

    @field_validator("policies")
    @classmethod
    def _told_apart(cls, value: tuple[Policy, ...]) -> tuple[Policy, ...]:
        names = [(policy.name, policy.revision) for policy in value]
        if doubled := sorted({f"{name}@{revision}" for name, revision in names if names.count((name, revision)) > 1}):
            raise ValueError(f"each policy needs its own name or revision; given twice: {', '.join(doubled)}")
        return value
