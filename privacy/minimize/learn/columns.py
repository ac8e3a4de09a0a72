"""Codes of columns: how raw values become small integers, and how a cut between codes is said in raw units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from privacy.minimize.rules import TypeName, type_name
from schemas.errors import InputError

__all__ = ["Codes", "Coding", "Named", "Ordered", "finer", "learn_coding", "quantile_codes"]

Codes = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Ordered:
    """Numbers, dates and times in rising bins; missing values, if the sample has any, in a last bin of their own.

    Parameters
    ----------
    lows, highs
        Smallest and largest value of the sample in each bin.
    weights
        Weight of each bin in the sample, missing values last.
    scale
        Digits after the point of a decimal column.
    """

    name: str
    type: TypeName
    lows: pl.Series
    highs: pl.Series
    weights: tuple[int, ...]
    missing: bool
    scale: int | None = None
    kind: Literal["interval"] = "interval"

    @property
    def bins(self) -> int:
        """Number of codes."""
        return len(self.weights)

    def mixed(self, bins: Iterable[int]) -> list[int]:
        """Return those of some bins that hold more than one value."""
        return [number for number in bins if self.lows[number] != self.highs[number]]

    def encode(self, values: pl.Series) -> Codes:
        """Return the bin of each value: how many bins end below it."""
        if not len(self.highs):
            return np.zeros(len(values), dtype=np.uint8)
        plain = _without_nan(values)
        below = self.highs.head(max(len(self.highs) - 1, 0)).search_sorted(plain, side="left")
        codes = below.to_numpy().astype(_dtype(self.bins))
        if plain.null_count():
            codes[plain.is_null().to_numpy()] = self.bins - 1
        return codes


@dataclass(frozen=True)
class Named:
    """Values by name; missing values, if the sample has any, under a last code of their own.

    Parameters
    ----------
    values
        The names, sorted; their places are the codes.
    weights
        Weight of each value in the sample, then that of the rest, missing values last.
    rest
        True if further values, too many to tell apart, share one code.
    """

    name: str
    type: Literal["str", "int", "bool"]
    values: tuple[Any, ...]
    weights: tuple[int, ...]
    missing: bool
    rest: bool = False
    kind: Literal["map"] = "map"

    @property
    def bins(self) -> int:
        """Number of codes."""
        return len(self.weights)

    def encode(self, values: pl.Series) -> Codes:
        """Return the code of each value; one that the sample did not hold counts as the rest, or else as missing."""
        known = pl.Series(self.values, dtype=pl.String if self.type == "str" else None).cast(pl.String)
        codes = values.cast(pl.String).cast(pl.Enum(known), strict=False).to_physical()
        codes = codes.cast(pl.UInt32).fill_null(len(self.values) if self.rest else self.bins - 1).to_numpy()
        if self.rest and self.missing:
            codes = np.where(values.is_null().to_numpy(), self.bins - 1, codes)
        return codes.astype(_dtype(self.bins))


Coding = Ordered | Named


def learn_coding(name: str, counts: pl.DataFrame, *, named: bool, max_bins: int) -> Coding:
    """Return the coding of a column.

    Parameters
    ----------
    counts
        The distinct values in column ``value`` and, in ``weight``, how often each occurs; in any order.
    named
        Treat integers as names.
    max_bins
        Most bins. Values that have an order are cut at quantiles; of names the commonest are kept, and the others, and
        those as rare as they, are one.

    Raises
    ------
    InputError
        If a policy cannot speak of columns of this type.
    """
    of = counts.schema["value"]
    kind = "int" if of == pl.Null else type_name(of)
    if kind is None:
        raise InputError(
            f"column {name!r} is of type {of}, which cannot be made coarse.",
            hint="cast it to a number, a date (and time), text or a boolean, or leave it out.",
        )
    tidy = counts.select(_without_nan(counts["value"]), "weight").group_by("value").agg(pl.col("weight").sum())
    missing = int(tidy.filter(pl.col("value").is_null())["weight"].sum())
    present = tidy.drop_nulls("value").sort("value")
    if kind in ("str", "bool") or named:
        return _named(name, kind, present, missing, max_bins)
    return _ordered(name, kind, present, missing, max_bins)


def quantile_codes(weights: Sequence[int], most: int) -> npt.NDArray[np.intp]:
    """Return at most ``most`` groups of about equal weight for ordered bins of given weights.

    Examples
    --------
    >>> quantile_codes([1, 1, 1, 1], 2).tolist()
    [0, 0, 1, 1]
    """
    given = np.asarray(weights, dtype=np.float64)
    if len(given) <= most:
        return np.arange(len(given))
    middle = np.cumsum(given) - given / 2
    place = np.floor(middle * most / given.sum()).astype(np.intp)
    return np.unique(place, return_inverse=True)[1]


def finer(coding: Ordered, counts: pl.DataFrame, bins: Sequence[int], max_bins: int) -> Ordered:
    """Return a coding whose bins are those of another, but for some that are divided.

    Parameters
    ----------
    counts
        As for `learn_coding`.
    bins
        Bins to divide, into about ``max_bins`` together.
    """
    tidy = counts.select(_without_nan(counts["value"]), "weight").drop_nulls("value")
    present = tidy.group_by("value").agg(pl.col("weight").sum()).sort("value")
    home, weights = coding.encode(present["value"]).astype(np.intp), present["weight"].to_numpy()
    inside = np.zeros(len(home), dtype=np.intp)
    for number in bins:
        members = np.flatnonzero(home == number)
        inside[members] = quantile_codes(weights[members].tolist(), max(max_bins // len(bins), 2))
    code = np.unique(home * len(home) + inside, return_inverse=True)[1]
    missing = coding.weights[-1] if coding.missing else 0
    return _binned(coding.name, coding.type, present, code, missing)


def _named(name: str, kind: TypeName, present: pl.DataFrame, missing: int, max_bins: int) -> Named:
    if kind not in ("str", "int", "bool"):
        raise InputError(
            f"column {name!r} of type {kind} cannot be a column of names.",
            hint="text, integers and booleans can; leave it out of `categorical`.",
        )
    if kind == "str":
        present = present.with_columns(pl.col("value").cast(pl.String)).sort("value")
    rest = 0
    if len(present) > max_bins:
        rarest = present["weight"].top_k(max_bins).min()
        rest = int(present.filter(pl.col("weight") <= rarest)["weight"].sum())
        present = present.filter(pl.col("weight") > rarest)
    weights = (*present["weight"].to_list(), *filter(None, (rest, missing)))
    return Named(name, kind, tuple(present["value"].to_list()), weights, bool(missing), bool(rest))


def _ordered(name: str, kind: TypeName, present: pl.DataFrame, missing: int, max_bins: int) -> Ordered:
    return _binned(name, kind, present, quantile_codes(present["weight"].to_list(), max_bins), missing)


def _binned(name: str, kind: TypeName, present: pl.DataFrame, code: npt.NDArray[np.intp], missing: int) -> Ordered:
    of = present.schema["value"]
    bins = (
        present.with_columns(code=pl.Series(code))
        .group_by("code")
        .agg(low=pl.col("value").min(), high=pl.col("value").max(), weight=pl.col("weight").sum())
        .sort("code")
    )
    weights = tuple(bins["weight"].to_list()) + ((missing,) if missing else ())
    scale = of.scale if isinstance(of, pl.Decimal) else None
    return Ordered(name, kind, bins["low"], bins["high"], weights, bool(missing), scale)


def _without_nan(values: pl.Series) -> pl.Series:
    return values.fill_nan(None) if values.dtype.is_float() else values


def _dtype(bins: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if bins <= 1 << 8 else np.uint16 if bins <= 1 << 16 else np.uint32
