"""A table of twelve records that is worked out by hand, and exact searches over it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import polars as pl

from privacy.minimize.learn.binning import Binning, bin_sample
from privacy.minimize.learn.candidates import Found
from privacy.minimize.learn.growth import InMemory
from privacy.minimize.learn.sample import Sample
from privacy.minimize.learn.search import Finder, criterion_of
from schemas.minimize import Fit

TABLE = pl.DataFrame(
    [
        ("clerk", 30, "F", 0), ("clerk", 35, "F", 0), ("clerk", 45, "F", 0), ("clerk", 30, "M", 0),
        ("nurse", 35, "F", 0), ("nurse", 40, "F", 1), ("nurse", 45, "M", 1), ("driver", 45, "M", 1),
        ("driver", 50, "M", 1), ("driver", 50, "F", 1), ("driver", 30, "M", 1), ("driver", 35, "M", 0),
    ],
    schema=["job", "hours", "sex", "y"],
    orient="row",
)  # fmt: skip


def binned(frame: pl.DataFrame = TABLE, **settings: object) -> tuple[Binning, Sample]:
    """Return a table coded for a search with leaves of a single record."""
    given = {"targets": ("y",), "personal": ("sex",), "min_samples_leaf": 1} | settings
    return bin_sample(frame, Fit(**given))


def ranked(alpha: Fraction, frame: pl.DataFrame = TABLE, **settings: object) -> tuple[Fraction, dict[str, Fraction]]:
    """Return the exact impurity of the whole table and the gains of its splits, best first."""
    binning, sample = binned(frame, **settings)
    criterion = replace(criterion_of(binning), alpha=alpha, number=Fraction)
    source = InMemory(sample)
    pairs = source.root().pairs
    counts = criterion.cast(binning.layout.totals(pairs)[:-1])
    found = Finder(source, binning, criterion).candidates.ranked(pairs, sample.rows)
    return criterion.impurity(counts), {told(binning, split): split.gain for split in found}


def told(binning: Binning, found: Found) -> str:
    """Return a split as a person would say it."""
    coding = binning.layout.codings[found.split.column]
    if coding.kind == "map":
        names = [[], []]
        for value, left in zip(coding.values, found.split.left, strict=False):
            names[int(left)].append(value)
        return f"{coding.name} {sorted(map(tuple, names))}"
    last = int(found.split.left.nonzero()[0][-1])
    return f"{coding.name} <= {(coding.highs[last] + coding.lows[last + 1]) / 2}"
