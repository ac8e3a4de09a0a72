"""The bench on which policies are measured: rows to learn from, rows that were held back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from privacy.minimize.evaluate.encoding import cells
from privacy.minimize.evaluate.folds import held_back
from privacy.minimize.evaluate.risk import Exposure, exposure, groups
from privacy.minimize.evaluate.utility import Fold, class_shares, classifier_error, majority_error
from privacy.minimize.learn.binning import Binning, collapse
from privacy.minimize.learn.generalize import Generalization
from privacy.minimize.learn.sample import Sample

__all__ = ["Bench", "Glance"]


@dataclass(frozen=True)
class Glance:
    """What is cheap to measure of a release.

    Parameters
    ----------
    exposure
        What the table attacker guesses.
    sizes
        Sizes of the groups of training rows (clients).
    expected
        Share of training rows that are not of the class that is likeliest in their group.
    """

    exposure: Exposure
    sizes: npt.NDArray[np.float64]
    expected: float


class Bench:
    """Training rows, test rows, and what is measured of a release on them.

    Parameters
    ----------
    share
        Share of the rows (clients) that is held back, drawn by content, not by place.
    """

    def __init__(self, binning: Binning, sample: Sample, share: float) -> None:
        held = _held(binning, sample, share)
        self._binning = binning
        self._errors: dict[tuple[Any, ...], float] = {}
        self.train = sample.take(np.flatnonzero(~held))
        self.test = sample.take(np.flatnonzero(held))
        self.distinct = collapse(self.train)

    @cached_property
    def shares(self) -> list[npt.NDArray[np.float64]]:
        """How likely each class of each target is at full resolution, one row per distinct training row."""
        release = self._everything.release(self.distinct)
        seed = self._binning.config.seed
        return [class_shares(Fold(release, target, self.distinct.weights), seed) for target in self.distinct.targets]

    @cached_property
    def raw_error(self) -> float:
        """Error on raw data."""
        return self.error(self._everything)

    @cached_property
    def majority_error(self) -> float:
        """Error of always guessing the commonest class."""
        pairs = zip(self.train.targets, self.test.targets, strict=True)
        return float(np.mean([majority_error(train, test, self.test.weights) for train, test in pairs]))

    def glance(self, found: Generalization) -> Glance:
        """Return what is cheap to measure of a release."""
        support = self.train.weights if self.train.support is None else self.train.support
        seen = exposure(self._attacked(self.train, found), self._attacked(self.test, found))
        sizes = groups(found.release(self.train), self.train.rows, support) / self._binning.layout.unit
        return Glance(seen, sizes, self._expected(found))

    def error(self, found: Generalization) -> float:
        """Return the error of a classifier trained on a release, averaged over the targets."""
        release = found.release(self.train)
        key = tuple((name, codes.tobytes()) for name, codes in release.items())
        if key not in self._errors:
            folds = zip(self._folds(self.train, found), self._folds(self.test, found), strict=True)
            seed = self._binning.config.seed
            self._errors[key] = float(np.mean([classifier_error(train, test, seed) for train, test in folds]))
        return self._errors[key]

    @cached_property
    def _everything(self) -> Generalization:
        layout = self._binning.layout
        return Generalization(layout, tuple(np.arange(coding.bins) for coding in layout.codings))

    def _expected(self, found: Generalization) -> float:
        rows, weights = self.distinct.rows, self.distinct.weights
        each = np.ones(rows) if weights is None else weights.astype(np.float64)
        cell = cells(list(found.release(self.distinct).values()), rows)
        right = [
            np.max([np.bincount(cell.number, each * share, cell.count) for share in table.T], axis=0).sum()
            for table in self.shares
        ]
        return float(1 - np.mean(right) / each.sum())

    def _folds(self, sample: Sample, found: Generalization) -> Iterator[Fold]:
        release = found.release(sample)
        return (Fold(release, target, sample.weights) for target in sample.targets)

    def _attacked(self, sample: Sample, found: Generalization) -> tuple[Any, Any, Any]:
        layout = self._binning.layout
        names = [layout.codings[attribute.column].name for attribute in layout.personal]
        personal = {name: sample.personal(number) for number, name in enumerate(names)}
        return found.release(sample), personal, sample.weights


def _held(binning: Binning, sample: Sample, share: float) -> npt.NDArray[np.bool_]:
    columns = dict(zip(binning.names, sample.columns, strict=True))
    rows = pl.DataFrame(columns | {f"target {number}": codes for number, codes in enumerate(sample.targets)})
    client = None
    if sample.clients is not None:
        client = "client number"
        rows = rows.with_columns(pl.Series(client, sample.clients))
    return held_back(rows, share, binning.config.seed, client)
