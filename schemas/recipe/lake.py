"""Where a lake lies, what counts as the same row in it, and how containment is looked for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.base import Section

__all__ = ["Lake", "Sample"]


class Sample(Section):
    """What `method: paper` samples of each table: the parameters s and t of its content-level pruning."""

    rows: Annotated[int, Field(ge=1)] = 10
    """Distinct rows of each child that are looked up in the parent (s)."""
    columns: Annotated[int, Field(ge=1)] | None = None
    """Columns on which they are compared, drawn for each child (t); null compares all."""
    seed: int = 0
    """Which rows and columns are drawn."""


class Lake(Section):
    """A lake of tables, and the containment that is looked for in it."""

    path: str | None = None
    """A folder, a file, a glob, or a URL that fsspec reads, such as ``s3://bucket/folder``."""
    tables: tuple[str, ...] = ()
    """Tables of the warehouse instead, as ``name`` or ``name@version``."""
    policy: Literal["strict", "lossless", "text"] = "lossless"
    """What counts as the same value: of the same type and equal; equal as numbers, instants or text whatever the
    width of the type; or spelled alike."""
    semantics: Literal["set", "multiset"] = "set"
    """Whether a row of the child must be in the parent, or be there at least as often as in the child."""
    method: Literal["exact", "paper"] = "exact"
    """Prove every edge, or run the three stages of R2D2, the last of which samples."""
    sample: Sample = Sample()
    """What `method: paper` samples."""
    near: Annotated[float, Field(gt=0, lt=1)] | None = 0.9
    """Report pairs of which at least this share of the child's rows is contained; null looks for none."""
    near_parents: Annotated[int, Field(ge=1)] = 4
    """Parents told of each nearly contained child: those that hold most of its rows, all of them measured."""
    suggest_columns: bool = True
    """Suggest which columns of different names hold the same values."""
    evidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Containment with less evidence than this is called accidental."""
    memory_mb: Annotated[int, Field(ge=64)] = 1024
    """Memory that the work on rows may take, in MiB."""
    keep_cells_mb: Annotated[int, Field(ge=0)] = 64
    """Cell fingerprints of a file are kept up to this size, in MiB; of a larger file the columns that a new
    comparison needs are read again."""
    engine: Literal["local", "spark"] = "local"
    """Where files are read and edges proved; the result is the same."""

    @model_validator(mode="after")
    def _one_lake(self) -> Self:
        if (self.path is None) == (not self.tables):
            raise ValueError("give exactly one of path and tables")
        return self
