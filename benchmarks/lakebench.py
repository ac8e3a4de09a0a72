"""A lake with planted containment: Parquet tables of a few hundred rows, most of them derived from one another.

    python benchmarks/lakebench.py FOLDER TABLES ROWS SEED

Every twelfth table is a root, four roots share a domain (names and types of columns); each other table is derived
from an earlier one of its domain, half of the time from a derived one. What is contained in what is not told: chance
adds to the plan, so truth has to be computed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["KINDS", "derive", "lake"]

Make = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]
PER_ROOT = 12
ROOTS_PER_DOMAIN = 4
NULLS = 0.02
WORDS = np.array([a + b + c for a in ("al", "be", "co", "du", "el") for b in ("ra", "ni", "mo") for c in "stvwxyz"])


def root(domain: int, rows: int, draw: np.random.Generator) -> pl.DataFrame:
    """Return a table of a domain: same names and types for the same domain, values of its own."""
    shape = np.random.default_rng(domain)
    columns: dict[str, pl.Series] = {f"d{domain}_id": pl.Series(draw.permutation(rows * 20)[:rows].astype(np.int64))}
    for place in range(int(shape.integers(3, 9))):
        kind = int(shape.integers(0, 5))
        values = (
            draw.integers(0, int(10 ** shape.integers(1, 6)), rows),
            np.round(draw.normal(100, 30, rows), 2),
            draw.choice(WORDS, rows),
            draw.integers(0, 2, rows).astype(bool),
            draw.integers(17_000, 20_000, rows).astype("datetime64[D]"),
        )[kind]
        blank = pl.Series(draw.random(rows) < NULLS)
        columns[f"d{domain}_c{place}"] = pl.Series(values).set(blank, None)
    return pl.DataFrame(columns)


def _key(source: pl.DataFrame) -> str:
    return next(name for name in source.columns if name.endswith("_id"))


def _filtered(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    key = _key(source)
    values = source[key].drop_nulls().to_numpy()
    if not len(values):
        return source
    low, high = np.sort(draw.choice(values, 2))
    return source.filter(pl.col(key).is_between(int(low), int(high)))


def _sampled(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    share = draw.choice([0.05, 0.3, 0.8])
    return source.filter(pl.Series(draw.random(source.height) < share, dtype=pl.Boolean))


def _projected(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    keep = draw.choice(source.columns, int(draw.integers(1, source.width + 1)), replace=False)
    return source.select(name for name in source.columns if name in {_key(source), *keep})


def _reordered(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    return source[draw.permutation(source.height)].select(draw.permutation(source.columns).tolist())


def _altered(source: pl.DataFrame, rows: np.ndarray, value: int) -> pl.DataFrame:
    key = _key(source)
    return source.with_columns(source[key].scatter(rows, value) if len(rows) else source[key])


def _near_one(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    return _altered(source, draw.integers(0, max(source.height, 1), min(source.height, 1)), -1)


def _near_percent(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    rows = draw.choice(source.height, -(-source.height // 100), replace=False) if source.height else np.array([], int)
    return _altered(source, rows, -2)


def _same_statistics(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    key = source[_key(source)]
    inside = np.flatnonzero(((key > key.min()) & (key < key.max())).to_numpy()) if source.height else np.array([], int)
    return _altered(source, draw.choice(inside, 1), int(key.min()) + 1) if len(inside) else source


def _shuffled(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    return source.select(column[draw.permutation(source.height)] for column in source.get_columns())


def _unlike(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    return source.with_columns(pl.col(_key(source)) + int(draw.integers(10**8, 10**9)))


def _widened(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    return source.with_columns(pl.Series(f"x{int(draw.integers(10**6))}", draw.random(source.height)))


def _repeated(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    again = draw.integers(0, max(source.height, 1), source.height // 5 if source.height else 0)
    return pl.concat([source, source[again]])


def _cast(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    to = {pl.Int64: [pl.Int32, pl.Float64, pl.String], pl.Float64: [pl.String], pl.Boolean: [pl.String]}
    names = [name for name, of in source.schema.items() if of.base_type() in to]
    name = str(draw.choice(names))
    choices = to[source.schema[name].base_type()]
    return source.with_columns(pl.col(name).cast(choices[int(draw.integers(len(choices)))]))


def _renamed(source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    name = str(draw.choice([name for name in source.columns if name != _key(source)] or ["none"]))
    return source.rename({name: f"{name}_r{int(draw.integers(100))}"}, strict=False)


KINDS: dict[str, Make] = {
    "filter": _filtered,
    "sample": _sampled,
    "projection": _projected,
    "sample_projection": lambda source, draw: _projected(_sampled(source, draw), draw),
    "duplicate": lambda source, _: source,
    "reorder": _reordered,
    "near_one": _near_one,
    "near_percent": _near_percent,
    "same_statistics": _same_statistics,
    "shuffled": _shuffled,
    "unlike": _unlike,
    "widened": _widened,
    "repeated": _repeated,
    "cast": _cast,
    "renamed": _renamed,
}
"""How a table is derived: a filter on a range, random rows, some columns, a copy, other order, one row or one in a
hundred altered out of range, one altered inside the range, values of each column shuffled apart, other values, a column
more, rows again, other types, another name."""


def derive(kind: str, source: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """Return a table derived from ``source``, whose column ``*_id`` is a key of integers."""
    key = _key(source)
    if source.schema[key] != pl.Int64:
        source = source.with_columns(pl.col(key).cast(pl.Int64))
    return KINDS[kind](source, draw)


def lake(folder: Path, tables: int, rows: int, seed: int) -> dict[str, str]:
    """Write a lake and return the kind of each table; ``rows`` is about the mean number of rows of a root.

    Examples
    --------
    >>> import tempfile
    >>> len(lake(Path(tempfile.mkdtemp()), 24, 30, seed=1))
    24
    """
    draw = np.random.default_rng(seed)
    domains = max(tables // (PER_ROOT * ROOTS_PER_DOMAIN), 1)
    made: dict[int, list[pl.DataFrame]] = {domain: [] for domain in range(domains)}
    kinds: dict[str, str] = {}
    for number in range(tables):
        domain = number // PER_ROOT % domains
        earlier = made[domain]
        if number % PER_ROOT == 0:
            kind, table = "root", root(domain, int(draw.integers(rows // 2, rows * 2)), draw)
        else:
            kind = str(draw.choice(list(KINDS)))
            source = earlier[-1 - int(draw.integers(min(len(earlier), number % PER_ROOT)))]
            table = derive(kind, earlier[-(number % PER_ROOT)] if draw.random() < 1 / 2 else source, draw)
        earlier.append(table)
        name = f"d{domain:05d}/t{number:06d}.parquet"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(folder / name)
        kinds[name] = kind
    return kinds


if __name__ == "__main__":
    lake(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
