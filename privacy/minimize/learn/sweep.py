"""The sweep: many policies, the pick among those that nothing beats, and figures from records that no choice saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np
import polars as pl

from privacy.minimize.charts import Dot, scatter
from privacy.minimize.learn.bench import Bench, Errors, Glance
from privacy.minimize.learn.binning import Binning, bin_sample, checksum, draw
from privacy.minimize.learn.cells import with_cells
from privacy.minimize.learn.coarsen import Trade, coarsened
from privacy.minimize.learn.fit import SCOUTS, fitted, passed_types, told_apart
from privacy.minimize.learn.generalize import Generalization, from_tree
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.release import to_policy
from privacy.minimize.learn.search import Search, criterion_of
from privacy.minimize.policy import Policy
from schemas.errors import UsageError
from schemas.minimize import Choice, Release, Sweep
from warehouse.progress import Progress, Silent

__all__ = ["Measured", "Swept", "sweep"]

_RELEASES: tuple[Release, ...] = get_args(Release)
_SLACK = 0.005
"""Expected errors this much above the best at no more risk are measured, too."""


@dataclass(frozen=True)
class Measured:
    """One policy of a sweep, and what was measured of it.

    All figures but those named after validation are of the test rows, which neither search nor pick saw.

    Parameters
    ----------
    exchange
        Weight by which buckets were merged; None if they were not.
    error
        Error of a classifier trained on the release, averaged over the targets; None where the expected error showed
        that it could not be on the front.
    risk
        Accuracy of the table attacker, averaged over the personal attributes.
    validation_error, validation_risk
        The same on the validation rows, by which front and pick are chosen.
    doubt
        Standard error of the difference between ``validation_error`` and the raw data's.
    worst, worst_risk
        The attribute that is told most beyond its commonest value, and the attacker's accuracy on it.
    buckets
        Buckets of all columns, a dropped column counting one.
    cells, smallest
        Combinations released of the training rows, and the smallest group's size (clients, where there are).
    """

    alpha: float
    leaves: int
    release: Release
    exchange: float | None
    error: float | None
    risk: float
    validation_error: float | None
    validation_risk: float
    doubt: float | None
    worst: str
    worst_risk: float
    buckets: int
    cells: int
    smallest: float
    found: Generalization = field(repr=False)

    @property
    def told(self) -> str:
        """Where the policy stands in the grid, for people."""
        merged = "" if self.exchange is None else f", merged at {self.exchange:g}"
        return f"{self.release}, alpha {self.alpha:g}, {self.leaves} leaves{merged}"

    @property
    def figures(self) -> dict[str, Any]:
        """Everything but the policy itself."""
        return {name: value for name, value in vars(self).items() if name != "found"}


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
        return _front(self.measured)

    @property
    def table(self) -> pl.DataFrame:
        """All policies as a table, with the columns ``front`` and ``picked``."""
        front = set(self.front)
        return pl.DataFrame([one.figures for one in self.measured]).with_columns(
            front=pl.Series([place in front for place in range(len(self.measured))]),
            picked=pl.Series([place == self.picked for place in range(len(self.measured))]),
        )

    def draw(self, *, standalone: bool = True) -> str:
        """Return error against risk on the test rows as SVG: every measured policy, the front, the pick.

        Parameters
        ----------
        standalone
            Bring colours along, for a file of its own.
        """
        front = set(self.front)
        dots = [
            Dot(one.risk, one.error, one.release, one.told, place in front, place == self.picked)
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
            "no attribute is personal, so that no risk can be measured: all are numbers or dates.",
            hint="name those that must stay hard to infer as `personal`.",
        )
    bench = Bench(binning, sample, config.test_share, config.validation_share)
    measured, base = _measure(bench, list(_found(binning, bench, config)), config, told)
    picked, rule = _pick(measured, bench.raw_errors.validation, config)
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
        validation_risk=glance.validation.mean(weights),
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
    near, best = set(), dict.fromkeys(_RELEASES, np.inf)
    for place in sorted(range(len(figures)), key=lambda place: figures[place]):
        release, _, expected = figures[place]
        if expected <= best[release] + _SLACK:
            near.add(place)
        best[release] = min(best[release], expected)
    return near


def _found(binning: Binning, bench: Bench, config: Sweep) -> Iterator[tuple[Choice, Generalization]]:
    """Yield every point of the grid; of points with the same release, the first."""
    seen = set()
    for choice, found in _grid(binning, bench, config):
        key = (choice.release, *(codes.tobytes() for codes in found.release(bench.distinct).values()))
        if key not in seen or choice == config.choice:
            seen.add(key)
            yield choice, found


def _grid(binning: Binning, bench: Bench, config: Sweep) -> Iterator[tuple[Choice, Generalization]]:
    distinct = bench.distinct
    source = InMemory(distinct)
    search = Search(source, binning, draw(distinct, SCOUTS, config.fit.seed))
    for alpha in config.alphas:
        for leaves, tree in zip(config.leaves, search.trees(alpha, config.leaves), strict=True):
            found = from_tree(binning.layout, tree, absent_apart=config.fit.compat is not None)
            for release in config.releases:
                choice = Choice(alpha=alpha, leaves=leaves, release=release)
                yield choice, found if release == "cell" else told_apart(found, source, binning)
    for release in config.releases if config.exchanges else ():
        merged = _merged_buckets if release == "attribute" else _merged_leaves
        for alpha in config.merged_alphas:
            for exchange, found in merged(binning, bench, search, config, alpha):
                yield Choice(alpha=alpha, leaves=config.merged_leaves, release=release, exchange=exchange), found


def _merged_buckets(
    binning: Binning, bench: Bench, search: Search, config: Sweep, alpha: float
) -> Iterator[tuple[float, Generalization]]:
    """Yield what merging makes of a large tree's buckets, for each exchange rate.

    Each begins with the tree, so that it does not depend on the other rates. Going on from a lower rate would keep its
    mistakes: where nearly every record has a combination of its own, each column seems spare beside the others.
    """
    least = min(config.fit.min_samples_leaf, config.merged_min_samples_leaf)
    tree = search.with_least(least).tree(alpha, config.merged_leaves)
    found = from_tree(binning.layout, tree)
    floor = binning.at_least(config.fit.smallest_group)
    for exchange in sorted(config.exchanges):
        trade = Trade(criterion_of(binning, alpha), exchange)
        yield exchange, coarsened(found, bench.distinct, bench.shares, trade, floor)


def _merged_leaves(
    binning: Binning, _: Bench, search: Search, config: Sweep, alpha: float
) -> Iterator[tuple[float, Generalization]]:
    """Yield what merging makes of a large tree's leaves, for each exchange rate."""
    tree = search.tree(alpha, config.merged_leaves)
    for exchange in sorted(config.exchanges):
        trade = Trade(criterion_of(binning, alpha), exchange)
        yield exchange, from_tree(binning.layout, with_cells(tree, trade))


def _front(measured: Sequence[Measured]) -> tuple[int, ...]:
    order = sorted(range(len(measured)), key=lambda place: _rank(measured[place]))
    best, front = dict.fromkeys(_RELEASES, np.inf), []
    for place in order:
        error, release = measured[place].validation_error, measured[place].release
        if error is not None and error < best[release]:
            best[release] = error
            front.append(place)
    return tuple(front)


def _rank(one: Measured) -> tuple[float, float, int]:
    return one.validation_risk, np.inf if one.validation_error is None else one.validation_error, one.buckets


def _pick(measured: Sequence[Measured], raw_error: float, config: Sweep) -> tuple[int, str]:
    if config.choice is not None:
        return _chosen(measured, config.choice), "chosen by a person"
    known = {place: one for place, one in enumerate(measured) if one.validation_error is not None}
    good = [place for place, one in known.items() if _above(one, raw_error) <= _allowed(one, config)]
    raw = f"the raw data's {raw_error:.4f} on validation rows"
    if not good:
        picked = min(known, key=lambda place: (known[place].validation_error, _rank(known[place])))
        return picked, f"least error, for none is within the tolerance of {raw}"
    picked = min(good, key=lambda place: _rank(known[place]))
    rule = f"least risk with an error within {config.tolerance:g} of {raw}"
    if config.standard_errors:
        width = _allowed(known[picked], config)
        rule += f", or within {config.standard_errors:g} standard error of the difference; here within {width:.4f}"
    return picked, rule


def _above(one: Measured, raw_error: float) -> float:
    return np.inf if one.validation_error is None else one.validation_error - raw_error


def _allowed(one: Measured, config: Sweep) -> float:
    return max(config.tolerance, config.standard_errors * (one.doubt or 0))


def _chosen(measured: Sequence[Measured], choice: Choice) -> int:
    wanted = choice.model_dump()
    for place, one in enumerate(measured):
        if {name: one.figures[name] for name in wanted} == wanted:
            return place
    raise UsageError(
        f"the sweep has no policy with {', '.join(f'{name} {value}' for name, value in wanted.items())}.",
        hint="choose one of the table's alpha, leaves, release and exchange, or add it to the grid.",
    )


def _plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}
