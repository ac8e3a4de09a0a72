"""A rank's share of one phase, in an order that a seed and an epoch fix, resumable at any row.

Row groups are visited in a drawn order, some at a time; the rows of such a window are drawn again. Prioritised rows are
drawn over the whole phase, from a copy on the local disk. A position in such an order means the same row on any number
of ranks, so that a state of a few numbers resumes an epoch anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import InputError, UsageError, did_you_mean
from warehouse.reading.draws import copies, permutation, ranking
from warehouse.reading.spool import Spool
from warehouse.reading.store import Store
from warehouse.reading.weights import Weight

__all__ = ["Order", "Reader", "ReaderState"]

Order = Literal["published", "shuffled", "prioritised"]
_WINDOW = 16
"""Row groups drawn from together, and the most that are in memory."""
_TAKEN = 1 << 14
"""Rows taken at once from a spool."""


@dataclass(frozen=True, slots=True)
class ReaderState:
    """Where the ranks together stand.

    Parameters
    ----------
    release
        Digest of the release's manifest: another version is another order.
    plan
        What is read and how: phase, order, weight, seed.
    position
        Rows of the epoch taken by all ranks.
    """

    release: str
    plan: str
    epoch: int
    position: int

    def to_json(self) -> str:
        """Return the state as a line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ReaderState:
        """Return the state that ``text`` holds.

        Raises
        ------
        InputError
            If it does not hold one.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise InputError(f"this is not the state of a reader: {error}.") from None


@dataclass(frozen=True)
class Reader:
    """Rows of one phase of a release, for one of ``world`` ranks.

    Parameters
    ----------
    folder
        Release folder: a local path, or a URL that fsspec knows.
    config, split
        Curriculum and phase; None where there is only one.
    order
        ``published`` keeps the curriculum's order, ``shuffled`` draws one per epoch, ``prioritised`` draws one in which
        rows that weigh more come earlier: every row once, those that weigh nothing last.
    weight
        With ``shuffled``, draws rows with replacement in proportion, as many per epoch as the phase has; with
        ``prioritised``, the priority.
    columns
        Columns to read; all if None.
    epoch, position
        Where to begin: rows of this epoch already taken by all ranks together.
    scratch
        Folder for the copy that ``prioritised`` takes rows from; that of the system if None.

    Raises
    ------
    UsageError
        If there is no such phase, column or rank.
    InputError
        If the folder is not a release.

    Examples
    --------
    ::

        reader = Reader("releases/demo/1.0.0", split="stage1", order="shuffled", seed=7, rank=3, world=8)
        for step, batch in enumerate(reader.batches(32), 1):      # Arrow tables; `for row in reader` gives dicts
            ...
            saved = reader.state(step * 32).to_json()             # a line of text, the same on every rank
        again = replace(reader, rank=1, world=4).resumed(ReaderState.from_json(saved))
    """

    folder: str | Path
    config: str | None = None
    split: str | None = None
    order: Order = "published"
    weight: Weight | None = None
    columns: Sequence[str] | None = None
    seed: int = 0
    rank: int = 0
    world: int = 1
    epoch: int = 0
    position: int = 0
    scratch: Path | None = None

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise UsageError(f"there is no order {self.order!r}; there are {', '.join(get_args(Order))}.")
        if not 0 <= self.rank < self.world:
            raise UsageError(f"there is no rank {self.rank} among {self.world}.")
        if self.weight and self.order == "published":
            raise UsageError("weights draw rows anew; the published order cannot be kept.", hint="order='shuffled'.")
        if self.order == "prioritised" and self.weight is None:
            raise UsageError("prioritised by what?", hint="give a weight, such as Weight('band', {'hard': 2}).")

    @cached_property
    def store(self) -> Store:
        """The release's files, and the manifest that names them."""
        return Store(self.folder)

    @cached_property
    def plan(self) -> str:
        """What is read and how, in one line."""
        weight = self.weight.told() if self.weight else None
        return json.dumps([self._part["config"], self._part["split"], self.order, weight, self.seed], sort_keys=True)

    def __len__(self) -> int:
        """Return the rows of an epoch, all ranks together."""
        return self._part["rows"]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield this rank's rows from where the reader stands to the end of the epoch."""
        for table in self.batches(1024):
            yield from table.to_pylist()

    def batches(self, size: int, worker: int = 0, workers: int = 1) -> Iterator[pa.Table]:
        """Yield this rank's rows in tables of ``size``, the last perhaps shorter.

        Parameters
        ----------
        worker, workers
            Of several processes that feed one rank, the one that yields every ``workers``-th table.
        """
        number = 0
        kept = pa.schema([self._schema.field(name) for name in self._columns]).empty_table()
        for taken in self._ranked() if self.order == "prioritised" else self._windows():
            kept = pa.concat_tables([kept, taken])
            whole = kept.num_rows - kept.num_rows % size
            for start in range(0, whole, size):
                if number % workers == worker:
                    yield kept.slice(start, size)
                number += 1
            kept = kept.slice(whole).combine_chunks()
        if kept.num_rows and number % workers == worker:
            yield kept

    def state(self, taken: int) -> ReaderState:
        """Return where all ranks stand after each took ``taken`` rows from where this reader began."""
        position = min(self.position + taken * self.world, len(self))
        return ReaderState(self.store.digest, self.plan, self.epoch, position)

    def resumed(self, state: ReaderState) -> Reader:
        """Return a reader that goes on where ``state`` was taken, whatever the number of ranks then and now.

        Raises
        ------
        UsageError
            If the state is of another version, or of another way of reading.
        """
        if state.release != self.store.digest:
            raise UsageError(
                f"the state is of release {state.release}, this is {self.store.digest}.",
                hint="resume with the version that training began with, or begin a new epoch.",
            )
        if state.plan != self.plan:
            raise UsageError(f"the state was taken reading {state.plan}, this reads {self.plan}.")
        if not 0 <= state.position <= len(self):
            raise InputError(f"the state's position {state.position} is not in 0 ... {len(self)}.")
        return replace(self, epoch=state.epoch, position=state.position)

    def next_epoch(self) -> Reader:
        """Return a reader at the beginning of the next epoch."""
        return replace(self, epoch=self.epoch + 1, position=0)

    @cached_property
    def _part(self) -> Mapping[str, Any]:
        parts = self.store.manifest["parts"]
        asked = [
            part for part in parts if self.config in (None, part["config"]) and self.split in (None, part["split"])
        ]
        if len(asked) == 1:
            return asked[0]
        known = [f"{part['config']}-{part['split']}" for part in parts]
        meant = None if asked else did_you_mean(f"{self.config}-{self.split}", known)
        raise UsageError(
            f"config {self.config!r} with split {self.split!r} names {len(asked)} phases of {', '.join(known)}.",
            hint=meant or "name one curriculum and one phase.",
        )

    @cached_property
    def _schema(self) -> pa.Schema:
        return self.store.schema(self._part["shards"][0]["path"])

    @cached_property
    def _columns(self) -> list[str]:
        names = self._schema.names
        for name in (*(self.columns or ()), *([self.weight.column] if self.weight else ())):
            if name not in names:
                raise UsageError(f"no column is called {name!r}.", hint=did_you_mean(name, names))
        return list(self.columns or names)

    @cached_property
    def _groups(self) -> list[tuple[str, int, int]]:
        """Row groups as (shard, index, rows), in published order."""
        return [
            (shard["path"], index, rows)
            for shard in self._part["shards"]
            for index, rows in enumerate(self.store.group_rows(shard["path"]))
        ]

    def _windows(self) -> Iterator[pa.Table]:
        """Yield this rank's rows window by window, from the reader's position on."""
        shuffled = self.order == "shuffled"
        groups, total = self._groups, len(self._groups)
        order = permutation(total, self.seed, self.epoch, "groups") if shuffled else np.arange(total)
        counts = self._copies()
        begins = np.cumsum([0, *(rows for *_, rows in groups)])
        base = 0
        for start in range(0, total, _WINDOW):
            window = order[start : start + _WINDOW]
            rows = np.concatenate([np.arange(begins[g], begins[g + 1]) for g in window])
            local = np.arange(len(rows)) if counts is None else np.repeat(np.arange(len(rows)), counts[rows])
            if shuffled:
                local = local[permutation(len(local), self.seed, self.epoch, "window", start)]
            mine = self._mine(base, len(local))
            base += len(local)
            if len(mine):
                yield self._read([groups[g] for g in window]).take(pa.array(local[mine]))

    def _mine(self, base: int, rows: int) -> NDArray[np.int64]:
        """Return which of the positions ``base`` ... ``base + rows`` are still to come and this rank's."""
        offset = np.arange(rows) + base - self.position
        return np.flatnonzero((offset >= 0) & (offset % self.world == self.rank))

    def _read(self, groups: Sequence[tuple[str, int, int]]) -> pa.Table:
        return pa.concat_tables([self.store.read(path, index, self._columns) for path, index, _ in groups])

    def _ranked(self) -> Iterator[pa.Table]:
        """Yield this rank's rows by priority, from the reader's position on."""
        order = ranking(self._weights(), self.seed, self.epoch, "priorities")
        spool = Spool((self._read([group]) for group in self._groups), self.scratch)
        mine = order[self.position + self.rank :: self.world]
        for start in range(0, len(mine), _TAKEN):
            yield spool.take(mine[start : start + _TAKEN])

    def _copies(self) -> NDArray[np.int64] | None:
        return copies(self._weights(), self.seed, self.epoch, "weights") if self.weight else None

    def _weights(self) -> NDArray[np.float64]:
        self._columns  # noqa: B018 - refuses an unknown column
        column = self.weight.column  # type: ignore[union-attr]
        return self.weight.of(self.store.read(path, index, [column]) for path, index, _ in self._groups)  # type: ignore[union-attr]
