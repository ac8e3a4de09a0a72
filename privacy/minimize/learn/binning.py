"""Binning: how the columns of a raw table become codes, and which part each of them plays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from privacy.minimize.learn.columns import Coding, Named, Ordered, finer, learn_coding, quantile_codes
from privacy.minimize.learn.layout import Layout, Personal
from privacy.minimize.learn.names import identifying, is_named
from privacy.minimize.learn.sample import Sample
from schemas.errors import InputError, UsageError, did_you_mean
from schemas.minimize import Fit

__all__ = ["CLIENT_ROWS", "Binning", "bin_sample"]

CLIENT_ROWS = "\0rows of the client"
"""Column that says, in batches, how many rows of the whole table are the client's; no column may be named so."""
_WEIGHT_UNIT = 1_024
_CLIENT_UNIT = 1 << 20
_MOST_WEIGHT = 1e12
_MOST_PAIRS = 1 << 27
"""Pairs of a value and a personal value (or class) that are counted: a gigabyte of counts for each part held."""
_ALL = 1 << 31


@dataclass(frozen=True)
class Binning:
    """How the columns of a table are coded, and which part each plays.

    Parameters
    ----------
    layout
        Bins and classes.
    targets
        Codings of the targets.
    weighted
        Units in which row weights are counted.
    clients
        Number of clients; None where every row is its own.
    identifying
        Columns of names in which most people have one to themselves; nothing of them is stored.
    """

    config: Fit
    layout: Layout
    targets: tuple[Named, ...]
    weighted: int = 1
    clients: int | None = None
    identifying: tuple[str, ...] = ()

    @classmethod
    def learn(cls, frame: pl.LazyFrame, config: Fit) -> Binning:
        """Return the binning of a table.

        Raises
        ------
        UsageError
            If a column is named that the table does not have.
        InputError
            If a column's type or a target's values cannot be used, or there is no row.
        """
        schema = frame.collect_schema()
        attributes = _attributes(schema.names(), config)
        weight, unit = _weight(frame, schema, config)
        wanted = [*attributes, *config.targets]
        counts = pl.collect_all(
            [frame.group_by(value=pl.col(name)).agg(weight=weight) for name in wanted], engine="streaming"
        )
        if not counts[0].height:
            raise InputError("the sample has no rows.")
        clients = None
        if config.client is not None:
            clients = frame.select(pl.col(config.client).n_unique()).collect(engine="streaming").item()
        people = counts[0]["weight"].sum() / unit if clients is None else clients
        found = dict(zip(attributes, counts, strict=False))
        alone = identifying(frame, found, people, unit, config)
        personal = _personal({name: table.schema["value"] for name, table in found.items()}, alone, config)
        codings = {name: _coding(name, table, personal, config) for name, table in found.items()}
        tables = zip(config.targets, counts[len(attributes) :], strict=True)
        targets = tuple(_target(name, table, config) for name, table in tables)
        layout = Layout(
            list(codings.values()),
            [coding.bins for coding in targets],
            [Personal(attributes.index(name), _classes(codings[name], config)) for name in personal],
            _CLIENT_UNIT if config.client else unit,
        )
        _refuse_wide(layout)
        return cls(config, layout, targets, unit, clients, alone)

    def finer(self, frame: pl.LazyFrame, ends: Sequence[Sequence[int]]) -> Binning | None:
        """Return the binning that tells apart the values beside some cuts, or None where it does already.

        Parameters
        ----------
        frame
            The table that this is the binning of.
        ends
            Bins of each column after which it is cut.
        """
        mixed = {
            place: coding.mixed(sorted({number for end in cut for number in (end, end + 1)}))
            for place, (coding, cut) in enumerate(zip(self.layout.codings, ends, strict=True))
            if isinstance(coding, Ordered)
        }
        mixed = {place: bins for place, bins in mixed.items() if bins}
        if not mixed:
            return None
        weight, _ = _weight(frame, frame.collect_schema(), self.config)
        counted = [frame.group_by(value=pl.col(self.names[place])).agg(weight=weight) for place in mixed]
        codings = list(self.layout.codings)
        for (place, bins), counts in zip(mixed.items(), pl.collect_all(counted, engine="streaming"), strict=True):
            codings[place] = finer(codings[place], counts, bins, self.config.max_bins)  # type: ignore[arg-type]
        personal = [Personal(one.column, _classes(codings[one.column], self.config)) for one in self.layout.personal]
        return replace(self, layout=Layout(codings, self.layout.targets, personal, self.layout.unit))

    def encode(self, frame: pl.DataFrame) -> Sample:
        """Return rows as codes; each keeps its own place."""
        config = self.config
        columns = [coding.encode(frame[coding.name]) for coding in self.layout.codings]
        targets = [coding.encode(frame[coding.name]) for coding in self.targets]
        weights = None
        if config.weight:
            weights = (frame[config.weight].cast(pl.Float64) * self.weighted).round().cast(pl.Int64).to_numpy()
        if config.client is None:
            return Sample(self.layout, columns, targets, weights)
        clients = _numbers(frame[config.client])
        rows = frame[CLIENT_ROWS].to_numpy() if CLIENT_ROWS in frame.columns else np.bincount(clients)[clients]
        return Sample(self.layout, columns, targets, weights, _CLIENT_UNIT // rows.astype(np.int64), clients)

    def select(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Return the columns that `encode` needs, for tables that are encoded in batches."""
        config = self.config
        roles = filter(None, (config.client, config.weight))
        needed = frame.select(*dict.fromkeys((*self.names, *config.targets, *roles)))
        if config.client is None:
            return needed
        return needed.with_columns(pl.len().over(config.client).alias(CLIENT_ROWS))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the attributes, in the order of the columns."""
        return tuple(coding.name for coding in self.layout.codings)

    @property
    def least(self) -> float:
        """Least support of a leaf, in the layout's units.

        A client spread over groups counts in parts, so that parts worth more than k - 1 clients are of at least k.
        """
        return self.at_least(max(self.config.min_samples_leaf, self.config.smallest_group))

    def at_least(self, groups: int) -> float:
        """Return the support that proves ``groups`` rows or clients."""
        if self.config.client is None:
            return groups * self.layout.unit
        return (groups - 1) * self.layout.unit + 1


def bin_sample(frame: pl.DataFrame | pl.LazyFrame, config: Fit) -> tuple[Binning, Sample]:
    """Return the binning of a table and its coded rows, one for each of the table's."""
    binning = Binning.learn(frame.lazy(), config)
    return binning, binning.encode(binning.select(frame.lazy()).collect(engine="streaming"))


def _attributes(names: Sequence[str], config: Fit) -> list[str]:
    roles = {
        "targets": config.targets,
        "personal": config.personal or (),
        "passthrough": config.passthrough,
        "never": config.never,
        "categorical": config.categorical,
        "client": filter(None, (config.client,)),
        "weight": filter(None, (config.weight,)),
    }
    for role, wanted in roles.items():
        for name in wanted:
            if name not in names:
                raise UsageError(
                    f"{role} names column {name!r}; the sample has {', '.join(names)}.",
                    hint=did_you_mean(name, names),
                )
    apart = {*config.targets, *config.passthrough, config.client, config.weight}
    attributes = [name for name in names if name not in apart]
    if not attributes:
        raise UsageError("no column is left to learn from.", hint="the targets need attributes beside them.")
    if misplaced := [name for name in config.personal or () if name in apart]:
        raise UsageError(f"personal attribute {misplaced[0]!r} is also a target, passed through, client or weight.")
    return attributes


def _weight(frame: pl.LazyFrame, schema: Mapping[str, pl.DataType], config: Fit) -> tuple[pl.Expr, int]:
    """Return the summed weight of rows as an integer, and what 1 is in it."""
    if config.weight is None:
        return pl.len().cast(pl.Int64), 1
    given = pl.col(config.weight)
    if not schema[config.weight].is_numeric():
        raise InputError(f"weights are numbers; column {config.weight!r} is of type {schema[config.weight]}.")
    number = given.cast(pl.Float64)
    sound = (number > 0) & number.is_finite()
    checks = frame.select(
        bad=(~sound.fill_null(value=False)).sum(),
        whole=(number == number.round()).all(),
        low=number.min(),
        total=number.sum(),
    )
    bad, whole, low, total = checks.collect(engine="streaming").row(0)
    if bad:
        raise InputError(
            f"weights must be positive and finite; {bad} rows of column {config.weight!r} have others.",
            hint="leave such rows out of the sample.",
        )
    if low is not None and (low < 1 / _WEIGHT_UNIT or total > _MOST_WEIGHT):
        raise InputError(
            f"weights go from 1/{_WEIGHT_UNIT} up to a sum of 10^12; those of column {config.weight!r} start at {low:g}"
            f" and sum to {total:g}.",
            hint="multiply them all by the same number.",
        )
    unit = 1 if whole else _WEIGHT_UNIT
    return (number * unit).round().cast(pl.Int64).sum(), unit


def _refuse_wide(layout: Layout) -> None:
    if layout.bins * layout.width <= _MOST_PAIRS:
        return
    widest = max(layout.codings, key=lambda coding: coding.bins)
    raise InputError(
        f"{layout.bins:,} values of all columns by {layout.width:,} personal values are too many pairs to count; column"
        f" {widest.name!r} alone has {widest.bins:,} values.",
        hint="values that are nearly all different identify: drop the column, pass it through, or name the personal"
        " attributes without it.",
    )


def _personal(types: Mapping[str, pl.DataType], alone: Collection[str], config: Fit) -> tuple[str, ...]:
    if config.personal is not None:
        return config.personal
    return tuple(name for name, of in types.items() if is_named(name, of, config) and name not in alone)


def _coding(name: str, counts: pl.DataFrame, personal: Collection[str], config: Fit) -> Coding:
    """Return the coding of an attribute: names that are personal are told apart, however many they are."""
    told = name in personal and is_named(name, counts.schema["value"], config)
    most = _ALL if config.compat or told else config.max_bins
    return learn_coding(name, counts, named=name in config.categorical, max_bins=most)


def _target(name: str, counts: pl.DataFrame, config: Fit) -> Named:
    coding = learn_coding(name, counts, named=counts.schema["value"].is_integer(), max_bins=_ALL)
    if not isinstance(coding, Named):
        raise InputError(
            f"target {name!r} of type {counts.schema['value']} has no classes.",
            hint="cut it into classes first; text, integers and booleans are read as classes.",
        )
    if coding.missing:
        raise InputError(
            f"target {name!r} is missing in rows of weight {coding.weights[-1]}.",
            hint="leave such rows out of the sample, or give them a class.",
        )
    if coding.bins > config.max_classes:
        raise InputError(
            f"target {name!r} has {coding.bins} classes; at most {config.max_classes} are allowed.",
            hint="gather its values into classes, or raise max_classes.",
        )
    return coding


def _classes(coding: Coding, config: Fit) -> npt.NDArray[np.intp]:
    if not isinstance(coding, Ordered):
        return np.arange(coding.bins)
    plain = coding.weights[: coding.bins - coding.missing]
    classes = quantile_codes(plain, config.personal_bins)
    return np.append(classes, classes.max(initial=-1) + 1) if coding.missing else classes


def _numbers(clients: pl.Series) -> npt.NDArray[np.int64]:
    """Return a number for each client; missing ones are one client."""
    return clients.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
