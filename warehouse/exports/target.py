"""What an export target is: columns, types, and the traps of the trainer that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from warehouse.exports.files import Writer
from warehouse.release.order import Part

__all__ = ["ExportReport", "Exported", "Finding", "Options", "Target", "Trap"]


@dataclass(frozen=True)
class Trap:
    """Something a trainer does to some rows without saying so.

    Parameters
    ----------
    reason
        Short code.
    finds
        True for the rows it would happen to, over the columns as written.
    harm
        What the trainer would do.
    hint
        What to do about it.
    """

    reason: str
    finds: pl.Expr
    harm: str
    hint: str


@dataclass(frozen=True)
class Options:
    """What a person may choose about an export.

    Parameters
    ----------
    phases
        ``CURRICULUM-PHASE`` names to export; all if empty.
    extra
        Further columns of the internal row to carry along, where the target is open to them.
    batch_size
        Prompts per training step; tells the rows that an epoch really uses.
    in_order
        The order of rows is the curriculum: targets whose trainer shuffles are refused.
    tokenizer, max_prompt_tokens
        Local folder of the tokenizer that will be trained with, and the trainer's limit: longer prompts are refused.
    seed
        Seed for the sampler of trainers that shuffle, named in how to start them.
    """

    phases: Sequence[str] = ()
    extra: Sequence[str] = ()
    batch_size: int | None = None
    in_order: bool = False
    tokenizer: Path | None = None
    max_prompt_tokens: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Finding:
    """Rows that a trainer would harm.

    Parameters
    ----------
    rows
        How many.
    ids
        The first few of them.
    """

    reason: str
    harm: str
    hint: str
    rows: int
    ids: tuple[str, ...]

    def __str__(self) -> str:
        some = ", ".join(self.ids) + (", ..." if self.rows > len(self.ids) else "")
        where = f" ({self.rows} rows: {some})" if self.ids else ""
        return f"{self.reason}: {self.harm}{where}; {self.hint}"


@dataclass(frozen=True)
class Exported:
    """One phase, written.

    Parameters
    ----------
    path
        What the trainer is pointed at, relative to the export folder.
    loader_rows
        Rows that the trainer's loader will see.
    epoch_rows
        Rows that an epoch really uses: less than ``loader_rows`` where the last, incomplete batch is dropped.
    """

    part: Part
    path: str
    loader_rows: int
    epoch_rows: int
    files: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Parameters
    ----------
    digest
        Digest over the data files: equal exports have equal digests.
    """

    target: str
    dataset: str
    folder: Path
    parts: tuple[Exported, ...]
    digest: str

    @property
    def rows(self) -> int:
        """Rows written."""
        return sum(part.part.rows for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "target": self.target,
            "dataset": self.dataset,
            "rows": self.rows,
            "digest": self.digest,
            "parts": [
                {
                    "curriculum": part.part.config,
                    "phase": part.part.split,
                    "rows": part.part.rows,
                    "loader_rows": part.loader_rows,
                    "epoch_rows": part.epoch_rows,
                    "path": part.path,
                    "files": list(part.files),
                }
                for part in self.parts
            ],
        }


@dataclass(frozen=True)
class Target:
    """One way of reading: a trainer and a task.

    Parameters
    ----------
    name
        As typed: ``verl-rl``.
    trainer
        Its name for people, with the task.
    loader
        The function or class of the trainer that reads the files.
    columns
        Column name to expression over the internal row.
    schema
        Arrow types as written.
    identity
        The row's id, over the columns as written.
    writer
        Makes the writer of one phase from (folder, schema).
    entry
        What the trainer is pointed at, inside the phase's folder; "" for the folder itself.
    traps
        What the trainer would do to bad rows.
    fits
        Traps over the internal row, for what the columns as written no longer show.
    needs
        Internal columns that must not be null.
    explodes
        Column holding a list of structs: each becomes a row, its fields columns.
    keeps_order
        False if the trainer shuffles whatever it is told.
    is_open
        Further columns may be carried along.
    reserved
        Column names that the trainer uses itself.
    forbidden_paths
        Regular expression over the data's path, with what the trainer would make of it.
    drops_last
        The trainer's loader drops the last, incomplete batch of an epoch.
    usage
        How to start the trainer in published order: Markdown, ``{data}`` stands for the path, ``{reward}`` for the
        reward module's, ``{seed}`` for the sampler's seed.
    spare_tokens
        Tokens of the trainer's limit that a prompt may not take.
    rewards
        The reward module travels along.
    documents
        Further files by path, from what was written.
    """

    name: str
    trainer: str
    loader: str
    columns: Mapping[str, pl.Expr]
    schema: pa.Schema
    identity: pl.Expr
    writer: Callable[[Path, pa.Schema], Writer]
    usage: str
    entry: str = ""
    traps: tuple[Trap, ...] = ()
    fits: tuple[Trap, ...] = ()
    needs: tuple[str, ...] = ()
    explodes: str | None = None
    keeps_order: bool = True
    is_open: bool = False
    reserved: frozenset[str] = frozenset()
    forbidden_paths: tuple[tuple[str, str], ...] = ()
    drops_last: bool = False
    spare_tokens: int = 0
    rewards: bool = False
    documents: Callable[[ExportReport], Mapping[str, str]] = field(default=lambda _: {})
