"""What is published already, as a recipe names it: pinned to its content, and indexed."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dedup.text.indexing import published_index
from dedup.text.problems import statements
from dedup.text.published import Published
from schemas.errors import UsageError
from schemas.ids import digest
from schemas.recipe.dedup import Dedup, PinnedDedup, PublishedTexts
from schemas.registry import contracts
from warehouse.house import Warehouse
from warehouse.stages import Services, Workspace

__all__ = ["index_of", "pinned", "pinned_version", "published_texts"]

_NEEDED = {"problem_id", "prompt"}


def pinned(config: Dedup, warehouse: Warehouse) -> PinnedDedup:
    """Return the configuration with the content hashes of the versions that it is held against.

    Raises
    ------
    UsageError
        If there is no such dataset or version, or it holds no prompts.
    """
    published = tuple(_with_prompts(name, warehouse) for name in config.against)
    return PinnedDedup(**config.model_dump(), published=published)


def pinned_version(name: str, warehouse: Warehouse) -> PublishedTexts:
    """Return the version that ``NAME`` (the latest) or ``NAME@VERSION`` names, with its content hash.

    Raises
    ------
    UsageError
        If there is no such dataset or version.
    """
    dataset, _, ref = name.partition("@")
    version = warehouse.version(dataset, ref or "latest")
    return PublishedTexts(dataset=dataset, version=version.version, content_hash=version.content_hash)


def _with_prompts(name: str, warehouse: Warehouse) -> PublishedTexts:
    found = pinned_version(name, warehouse)
    version = warehouse.version(found.dataset, found.version)
    known = contracts().get(version.contract)
    if known is None or not _NEEDED.issubset(known.names):
        raise UsageError(
            f"{name} holds rows of contract {version.contract!r}, which have no prompts to compare with.",
            hint="name a version of a prompt set.",
        )
    return found


def index_of(config: PinnedDedup, services: Services) -> Published | None:
    """Return the index of all prompts that the configuration is held against; None if there are none."""
    if not config.published:
        return None
    rows = _prompts(config, services.workspace)
    content = digest(sorted({one.content_hash for one in config.published}))
    return published_index(rows, content, config, services)


def published_texts(config: PinnedDedup, workspace: Workspace, ids: Iterable[str]) -> dict[str, str]:
    """Return the texts of a few published prompts by id."""
    asked = pl.Series(sorted(ids), dtype=pl.String)
    found = _prompts(config, workspace).filter(pl.col("id").is_in(asked.implode())).collect(engine="streaming")
    return dict(found.iter_rows())


def _prompts(config: PinnedDedup, workspace: Workspace) -> pl.LazyFrame:
    warehouse = Warehouse.open(workspace.root, read_only=True)
    versions = [warehouse.scan(one.dataset, one.version) for one in config.published]
    return pl.concat([version.select(id="problem_id", text=statements()) for version in versions])
