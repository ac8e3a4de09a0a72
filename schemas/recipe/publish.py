"""What a recipe says about publishing: how the release describes itself, what it may mix, who gets it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.recipe.base import Section

__all__ = ["Publish"]


class Publish(Section):
    """How a version is released and handed off."""

    title: str | None = None
    """Name for people, on the dataset card; the dataset's own name if not given."""

    description: str = ""
    """What the dataset is and whom it is for, in Markdown."""

    shards: Annotated[int, Field(ge=1, le=4096)] = 64
    """Most Parquet files per phase; halved until each holds at least `min_shard_rows` rows."""

    min_shard_rows: Annotated[int, Field(ge=1)] = 128
    """Fewest rows worth a file of their own."""

    accept_licenses: tuple[str, ...] = ()
    """SPDX ids that may be mixed in although their terms speak against it; each stands in the manifest."""

    exports: tuple[str, ...] = ()
    """Names of the trainers to export to."""
