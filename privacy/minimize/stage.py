"""The stage ``minimize``: a file of raw records in, a table of minimized ones out; raw values are written nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from pydantic import Field

from privacy.minimize.apply import opened
from privacy.minimize.gate import contract_of, numbered
from privacy.minimize.policy import Policy
from schemas.recipe.base import Section
from warehouse.stages import Services, Stage, StageResult, no_decisions

__all__ = ["Minimizing", "minimize", "stage_of"]


class Minimizing(Section):
    """Configuration of the stage: its key changes exactly when the file's bytes or the policy's hash change."""

    policy_sha256: str
    """Hash of the policy."""
    file: str
    """Name of the raw file, in reports."""
    digest: str
    """Digest of its bytes."""
    policy: Policy = Field(exclude=True)
    """The policy itself."""
    location: Path = Field(exclude=True)
    """Where the raw file lies."""


def stage_of(policy: Policy) -> Stage:
    """Return the stage that makes tables under the contract of ``policy``."""
    return Stage("minimize", "1", minimize, contract=contract_of(policy).name)


def minimize(inputs: Mapping[str, pl.LazyFrame], config: Minimizing, services: Services) -> StageResult:
    """Apply a policy to a raw file.

    Parameters
    ----------
    inputs
        Nothing; raw records are in no table of the warehouse.

    Raises
    ------
    SchemaDrift
        If the file's columns or types are not those that the policy was made for.
    """
    del inputs
    rows = opened(config.policy, config.location, services.aside())
    return StageResult(no_decisions(), rows=numbered(rows, contract_of(config.policy)))
