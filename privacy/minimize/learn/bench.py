"""The bench on which policies are measured: rows to learn from, rows to choose by, rows to report on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from privacy.minimize.evaluate.encoding import cells
from privacy.minimize.evaluate.folds import held_back
from privacy.minimize.evaluate.risk import Exposure, exposure, groups
from privacy.minimize.evaluate.utility import Fold, class_shares, classifier_guesses, standard_error
from privacy.minimize.learn.binning import Binning
from privacy.minimize.learn.distinct import collapse
from privacy.minimize.learn.generalize import Generalization
from privacy.minimize.learn.sample import Sample

__all__ = ["Bench", "Errors", "Glance"]

Misses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Errors of one classifier, averaged over the targets.

    Parameters
    ----------
    validation, test
        On the rows to choose by, and on those that nothing was chosen by.
    doubt
        Standard error, on the validation rows, of the difference from the error on raw data.
    """

    validation: float
    test: float
    doubt: float


@dataclass(frozen=True)
class Glance:
    """What is cheap to measure of a release.

    Parameters
    ----------
    validation, test
        What the table attacker guesses of the validation rows, and of the test rows.
    sizes
        Sizes of the groups of training rows (clients).
    expected
        Share of training rows that are not of the class that is likeliest in their group.
    """

    validation: Exposure
    test: Exposure
    sizes: npt.NDArray[np.float64]
    expected: float


class Bench:
    """Training rows, validation rows, test rows, and what is measured of a release on them.

    Classifier and attacker learn from the training rows.

    Parameters
    ----------
    test_share
        Share of the rows (clients) to report on, drawn by content, not by place.
    validation_share
        Share of the others to choose by, drawn alike.
    """

    def __init__(self, binning: Binning, sample: Sample, test_share: float, validation_share: float) -> None:
        self._binning = binning
        self._errors: dict[tuple[Any, ...], Errors] = {}
        rest, self.test = _divided(binning, sample, test_share)
        self.train, self.validation = _divided(binning, rest, validation_share)
        self.distinct = collapse(self.train)

    @cached_property
    def shares(self) -> list[npt.NDArray[np.float64]]:
        """How likely each class of each target is at full resolution, one row per distinct training row."""
        release = self._everything.release(self.distinct)
        seed = self._binning.config.seed
        pairs = zip(self.distinct.targets, self.distinct.layout.targets, strict=True)
        return [class_shares(Fold(release, target, self.distinct.weights), classes, seed) for target, classes in pairs]

    @cached_property
    def raw_errors(self) -> Errors:
        """Errors on raw data."""
        return self._told(self._raw_misses)

    @cached_property
    def majority_error(self) -> float:
        """Error on the test rows of always guessing the commonest class."""
        nothing = Generalization(self._binning.layout, tuple(codes * 0 for codes in self._everything.buckets))
        return self.errors(nothing).test

    def glance(self, found: Generalization) -> Glance:
        """Return what is cheap to measure of a release."""
        support = self.train.weights if self.train.support is None else self.train.support
        known = self._attacked(self.train, found)
        seen = (exposure(known, self._attacked(part, found)) for part in (self.validation, self.test))
        sizes = groups(found.release(self.train), self.train.rows, support) / self._binning.layout.unit
        return Glance(*seen, sizes, self._expected(found))

    def errors(self, found: Generalization) -> Errors:
        """Return the errors of a classifier trained on a release."""
        release = found.release(self.train)
        key = tuple((name, codes.tobytes()) for name, codes in release.items())
        if key not in self._errors:
            self._errors[key] = self._told(self._misses(found))
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

    @cached_property
    def _raw_misses(self) -> Sequence[Misses]:
        return self._misses(self._everything)

    def _misses(self, found: Generalization) -> Sequence[Misses]:
        """Return of each validation row, and of each test row, the share of the targets that is guessed wrong."""
        seed = self._binning.config.seed
        wrong = []
        for train, *held in zip(*(self._folds(part, found) for part in (self.train, *self._held)), strict=True):
            guesses = classifier_guesses(train, held, seed)
            wrong.append([guessed != part.target for guessed, part in zip(guesses, held, strict=True)])
        return [np.mean(part, axis=0) for part in zip(*wrong, strict=True)]

    def _told(self, misses: Sequence[Misses]) -> Errors:
        means = [float(np.average(part, weights=rows.weights)) for part, rows in zip(misses, self._held, strict=True)]
        rows, unit = self.validation, self._binning.weighted
        weights = None if rows.weights is None else rows.weights / unit
        return Errors(*means, standard_error(misses[0] - self._raw_misses[0], weights, rows.clients))

    @property
    def _held(self) -> tuple[Sample, Sample]:
        return self.validation, self.test

    def _folds(self, sample: Sample, found: Generalization) -> Iterator[Fold]:
        release = found.release(sample)
        return (Fold(release, target, sample.weights) for target in sample.targets)

    def _attacked(self, sample: Sample, found: Generalization) -> tuple[Any, Any, Any]:
        layout = self._binning.layout
        names = [layout.codings[attribute.column].name for attribute in layout.personal]
        personal = {name: sample.personal(number) for number, name in enumerate(names)}
        return found.release(sample), personal, sample.weights


def _divided(binning: Binning, sample: Sample, share: float) -> tuple[Sample, Sample]:
    held = _held(binning, sample, share)
    return sample.take(np.flatnonzero(~held)), sample.take(np.flatnonzero(held))


def _held(binning: Binning, sample: Sample, share: float) -> npt.NDArray[np.bool_]:
    rows = pl.DataFrame({f"{place}": codes for place, codes in enumerate((*sample.columns, *sample.targets))})
    client = None
    if sample.clients is not None:
        client = "client"
        rows = rows.with_columns(pl.Series(client, sample.clients))
    return held_back(rows, share, binning.config.seed, client)
