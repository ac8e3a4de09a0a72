"""The sweep: many policies, the pick among those that nothing beats, and figures from records that no choice saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from privacy.minimize.charts import Dot, scatter
from privacy.minimize.learn.bench import Bench, Errors, Glance
from privacy.minimize.learn.binning import bin_sample
from privacy.minimize.learn.distinct import checksum
from privacy.minimize.learn.fit import fitted, passed_types
from privacy.minimize.learn.generalize import Generalization
from privacy.minimize.learn.grid import tried
from privacy.minimize.learn.pick import RELEASES, Measured, front, pick
from privacy.minimize.learn.release import to_policy
from privacy.minimize.policy import Policy
from schemas.errors import UsageError
from schemas.minimize import Choice, Release, Sweep
from warehouse.progress import Progress, Silent

__all__ = ["Swept", "sweep"]

_SLACK = 0.005
"""Expected errors this much above the best at no more risk are measured, too."""


@dataclass(frozen=True)
class Swept:
    """What a sweep found.

    Parameters
    ----------
    measured
        All policies.
    raw_error, majority_error
        Error on raw data, and of always guessing the commonest class; on the test rows.
    base_risk
        Accuracy of guessing without a release, on the test rows.
    rule
        By which rule the pick was made, in a sentence.
    picked
        Place of the pick among the policies.
    policy
        The pick as a policy.
    """

    measured: tuple[Measured, ...]
    raw_error: float
    majority_error: float
    base_risk: float
    rule: str
    picked: int
    policy: Policy

    @cached_property
    def front(self) -> tuple[int, ...]:
        """Places of the policies that none of the same release beats in both error and risk on the validation rows.

        Each form of release has a front of its own, for they serve different needs: a cell serves one task only. Least
        risk first.
        """
        return front(self.measured)

    @property
    def table(self) -> pl.DataFrame:
        """All policies as a table, with the columns ``front`` and ``picked``."""
        best = set(self.front)
        return pl.DataFrame([one.figures for one in self.measured]).with_columns(
            front=pl.Series([place in best for place in range(len(self.measured))]),
            picked=pl.Series([place == self.picked for place in range(len(self.measured))]),
        )

    def draw(self, *, standalone: bool = True) -> str:
        """Return error against risk on the test rows as SVG: every measured policy, the front, the pick.

        Parameters
        ----------
        standalone
            Bring colours along, for a file of its own.
        """
        best = set(self.front)
        dots = [
            Dot(one.risk, one.error, one.release, one.told, place in best, place == self.picked)
            for place, one in enumerate(self.measured)
            if one.error is not None
        ]
        title = f"{len(dots)} policies; ringed: {self.rule}"
        axes = {"x": "risk: accuracy of the table attacker", "y": "error of the task on test rows"}
        return scatter(dots, **axes, title=title, standalone=standalone)


def sweep(frame: pl.DataFrame | pl.LazyFrame, config: Sweep, progress: Progress | None = None) -> Swept:
    """Learn a policy for every point of a grid, and pick one by a stated rule.

    Policies are learned from training rows, chosen among by validation rows, and reported on by test rows, so that no
    choice flatters the figures. All risks are empirical: a stronger attacker may exist.

    Parameters
    ----------
    frame
        A consented full-resolution sample.

    Raises
    ------
    UsageError
        If the configuration names columns that are not there, or a choice that is not in the grid, or no attribute is
        personal.
    InputError
        If the sample cannot be learned from.
    MissingExtra
        If scikit-learn is not installed.
    """
    told = progress or Silent()
    types = passed_types(frame.lazy(), config.fit, config.releases)
    binning, sample = bin_sample(frame, config.fit)
    if not binning.layout.personal:
        raise UsageError(
            "no attribute is personal, so that no risk can be measured: all are numbers or dates, or identify.",
            hint="name those that must stay hard to infer as `personal`.",
        )
    bench = Bench(binning, sample, config.test_share, config.validation_share)
    measured, base = _measure(bench, list(tried(binning, bench, config)), config, told)
    picked, rule = pick(measured, bench.raw_errors.validation, config)
    one = measured[picked]
    told.finish("sweep", f"{len(measured)} policies; picked error {one.error:.4f} at risk {one.risk:.4f}")
    chosen = {"alpha": one.alpha, "max_leaf_nodes": one.leaves, "release": one.release}
    final = replace(binning, config=config.fit.model_copy(update=chosen))
    more = _plain(one.figures | {"rule": rule, "raw_error": bench.raw_errors.test, "learned_rows": bench.train.rows})
    policy = to_policy(final, one.found, fitted(final, sample.rows, checksum(sample), **more), types)
    return Swept(measured, bench.raw_errors.test, bench.majority_error, base, rule, picked, policy)


def _measure(
    bench: Bench, found: Sequence[tuple[Choice, Generalization]], config: Sweep, told: Progress
) -> tuple[tuple[Measured, ...], float]:
    """Return all policies with their figures, and the risk without a release."""
    told.start("sweep", len(found), "policies")
    glances = []
    for _, generalization in found:
        glances.append(bench.glance(generalization))
        told.advance("sweep")
    weights = config.fit.leakage_weights
    seen = zip(found, glances, strict=True)
    near = _near([(choice.release, one.validation.mean(weights), one.expected) for (choice, _), one in seen])
    measured = []
    for place, ((choice, generalization), glance) in enumerate(zip(found, glances, strict=True)):
        wanted = place in near or choice == config.choice
        errors = bench.errors(generalization) if wanted else None
        measured.append(_measured(choice, generalization, glance, errors, weights))
    return tuple(measured), glances[0].test.base(weights)


def _measured(
    choice: Choice, found: Generalization, glance: Glance, errors: Errors | None, weights: Mapping[str, float]
) -> Measured:
    seen, sizes = glance.test, glance.sizes
    worst = seen.worst if seen.accuracy else ""
    return Measured(
        **choice.model_dump(),
        error=errors and errors.test,
        risk=seen.mean(weights),
        validation_error=errors and errors.validation,
        validation_risk=max(glance.validation.mean(weights), glance.validation.base(weights)),
        doubt=errors and errors.doubt,
        worst=worst,
        worst_risk=seen.accuracy.get(worst, 0.0),
        buckets=found.total,
        cells=len(sizes),
        smallest=float(sizes.min()),
        found=found,
    )


def _near(figures: Sequence[tuple[Release, float, float]]) -> set[int]:
    """Return the places that may be on the front of their release, as far as (release, risk, expected error) tell."""
    near, best = set(), dict.fromkeys(RELEASES, np.inf)
    for place in sorted(range(len(figures)), key=lambda place: figures[place]):
        release, _, expected = figures[place]
        if expected <= best[release] + _SLACK:
            near.add(place)
        best[release] = min(best[release], expected)
    return near


def _plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}
