"""Back ends that answer requests: recorded tables, endpoints, models in this process, mutants."""

from __future__ import annotations

from pathlib import Path

from curation.rollouts.clients.mutants import MutantsClient
from curation.rollouts.clients.openai import OpenAIClient
from curation.rollouts.clients.recorded import RecordedClient
from curation.rollouts.clients.transformers import TransformersClient
from curation.rollouts.clients.vllm import VllmClient
from curation.rollouts.requests import Client
from schemas.recipe.rollouts import Mutants, OpenAI, Policy, Recorded, Transformers

__all__ = ["open_client"]


def open_client(policy: Policy, scratch: Path) -> Client:
    """Return the back end of a policy, ready to answer.

    Parameters
    ----------
    scratch
        Existing folder for files that are needed while the client is open.

    Raises
    ------
    InputError
        If a recorded table or a model cannot be read.
    MissingExtra
        If the back end's library is not installed.
    UsageError
        If the variable that should hold a key is not set.
    """
    match policy:
        case Recorded():
            return RecordedClient(policy, scratch)
        case OpenAI():
            return OpenAIClient(policy)
        case Transformers():
            return TransformersClient(policy)
        case Mutants():
            return MutantsClient(policy)
        case _:
            return VllmClient(policy)
