"""Sources of a recipe that hold client data: their rows pass a minimization policy before anything else sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from curation.sources.resolve import fingerprint
from curation.sources.stage import READ, read
from privacy.minimize.apply import applicable, apply_policy
from privacy.minimize.policy import Policy
from schemas.ids import digest
from schemas.recipe.paths import located
from schemas.recipe.sources import ResolvedSource, ResolvedSources, Sources
from warehouse.stages import Services, Stage, StageResult

__all__ = ["reading"]


def reading(sources: Sources, folder: Path) -> tuple[Stage, ResolvedSources]:
    """Return the stage that reads ``sources``, and its configuration.

    Of a source with a policy the policy's hash is part of the key.

    Raises
    ------
    InputError, UsageError
        If a source, or a policy, is missing or not valid, or a policy has expired.
    """
    resolved = fingerprint(sources, folder)
    policies = {
        source.name: applicable(located(source.minimize, folder)) for source in sources.sources if source.minimize
    }
    if not policies:
        return READ, resolved
    keyed = tuple(_keyed(one, policies.get(one.source.name)) for one in resolved.sources)
    stage = replace(READ, function=partial(_minimized_read, policies))
    return stage, resolved.model_copy(update={"sources": keyed})


def _keyed(resolved: ResolvedSource, policy: Policy | None) -> ResolvedSource:
    if policy is None:
        return resolved
    files = (file.model_copy(update={"digest": digest([file.digest, policy.digest])}) for file in resolved.files)
    return resolved.model_copy(update={"files": tuple(files)})


def _minimized_read(
    policies: Mapping[str, Policy], inputs: Mapping[str, pl.LazyFrame], config: ResolvedSources, services: Services
) -> StageResult:
    """Read all sources, those with a policy from minimized copies that end with the stage."""
    aside = services.aside()
    sources = []
    for number, resolved in enumerate(config.sources):
        policy = policies.get(resolved.source.name)
        sources.append(resolved if policy is None else _minimized(resolved, policy, aside / str(number)))
    return read(inputs, config.model_copy(update={"sources": tuple(sources)}), services)


def _minimized(resolved: ResolvedSource, policy: Policy, aside: Path) -> ResolvedSource:
    """Return the source with its files minimized; rows keep their numbers, so that rejections name them."""
    files = []
    for number, file in enumerate(resolved.files):
        copy = aside / f"{number}.jsonl"
        apply_policy(policy, file.location, copy)
        files.append(file.model_copy(update={"location": copy}))
    return resolved.model_copy(update={"files": tuple(files)})
