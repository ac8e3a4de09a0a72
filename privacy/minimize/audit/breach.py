"""What lies before an attacker: a release, the records behind it, and which of them the attacker knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from privacy.minimize.audit.counting import Layout
from privacy.minimize.evaluate.adversary import Outcome, Records, reconstruct
from privacy.minimize.evaluate.encoding import Cells, cells, codes
from privacy.minimize.evaluate.folds import canonical_order
from schemas.errors import UsageError, did_you_mean

__all__ = ["Breach"]


@dataclass(frozen=True)
class Breach:
    """A release in the hands of an attacker.

    Parameters
    ----------
    raw
        Records at full resolution: every attribute that a person may know of another.
    released
        What is stored of them, row for row, as text: bucket ids per column, or the column ``cell``.
    personal
        Attributes under attack, columns of ``raw``.
    test
        True for the records attacked; the attacker knows the others in full.
    own
        For each attribute the released columns that hold its own buckets; by default the one of its name.
    clients
        Whose record each row is; None where every row is a person.
    weights
        Records that each row stands for.

    Raises
    ------
    UsageError
        If the parts do not have equally many rows, or a personal attribute is not among the raw columns.
    """

    raw: pl.DataFrame
    released: pl.DataFrame
    personal: tuple[str, ...]
    test: np.ndarray
    own: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clients: pl.Series | None = None
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = {len(self.raw), len(self.test)} | ({len(self.released)} if self.released.width else set())
        if len(rows) > 1:
            raise UsageError(f"raw and released records must be the same, row for row; received {sorted(rows)} rows.")
        for name in self.personal:
            if name not in self.raw.columns:
                raise UsageError(
                    f"personal attribute {name!r} is no column; known are {', '.join(self.raw.columns)}.",
                    hint=did_you_mean(name, self.raw.columns),
                )
        if not self.own:
            kept = {name: [name] for name in self.raw.columns if name in self.released.columns}
            object.__setattr__(self, "own", kept)

    @property
    def impersonal(self) -> list[str]:
        """Attributes that are not under attack."""
        return [name for name in self.raw.columns if name not in self.personal]

    @property
    def attacked_clients(self) -> pl.Series | None:
        """Whose the records attacked are; None where every row is a person."""
        return None if self.clients is None else self.clients.filter(self.test)

    @property
    def layout(self) -> Layout:
        """The columns, as the SQL script wants them."""
        return Layout(tuple(self.raw.columns), tuple(self.released.columns), self.personal, self.own)

    @property
    def classes(self) -> Cells:
        """Classes of records that what is stored cannot tell apart."""
        return cells([codes(column)[0] for column in self.released], len(self.raw))

    def sample(self, most: int, seed: int) -> Breach:
        """Return the breach of at most so many records, drawn without regard to their order."""
        if len(self.raw) <= most:
            return self
        order = canonical_order(
            pl.concat([self.raw, self.released.select(pl.all().name.prefix("out."))], how="horizontal")
        )
        rows = np.sort(order[np.random.default_rng(seed).permutation(len(order))[:most]])
        return replace(
            self,
            raw=self.raw[rows],
            released=self.released[rows] if self.released.width else self.released,
            test=self.test[rows],
            clients=None if self.clients is None else self.clients[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def attack(
        self, attributes: Sequence[str], known: Sequence[str] = (), *, trained: bool, seed: int, blind: bool = True
    ) -> list[Outcome]:
        """Attack attributes from the release and from some attributes known at full resolution.

        Parameters
        ----------
        known
            Attributes that the attacker knows at full resolution.
        blind
            False to attack the attacker's own sample instead of the records held back.
        """
        released = self.released.select(pl.all().name.prefix("out."))
        background = self.raw.select(pl.col(known).name.prefix("raw."))
        everything = pl.concat([background, released], how="horizontal")
        truth = self.raw.select(attributes)
        return reconstruct(
            self._records(everything, truth, ~self.test),
            self._records(everything, truth, self.test if blind else ~self.test),
            own={name: [f"out.{column}" for column in columns] for name, columns in self.own.items()},
            released=released.columns,
            untrained=[f"out.{column}" for name in known for column in self.own.get(name, ())],
            trained=trained,
            seed=seed,
        )

    def _records(self, known: pl.DataFrame, truth: pl.DataFrame, rows: np.ndarray) -> Records:
        weights = None if self.weights is None else self.weights[rows]
        return Records(known.filter(rows) if known.width else known, truth.filter(rows), weights)
